"""Table of all islands: as text for a pipe, as a rich table for a terminal, live as a board with trends and events."""

from __future__ import annotations

import json
import sys
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from atoll.evo import runlog
from atoll.evo.errors import printable
from atoll.evo.installation import as_typed
from atoll.evo.paths import is_island_name
from atoll.evo.records import Generation
from atoll.migration.observe import team
from atoll.migration.observe.history import effective_number, pooled
from atoll.migration.observe.status import ENDED, FINISHED, RUNNING, STOPPED, UNREADABLE, WAITING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType
    from rich.table import Table

    from atoll.evo.paths import SharedPaths
    from atoll.evo.records import Shares
    from atoll.migration.observe.status import IslandStatus
    from atoll.migration.observe.team import MemberStatus

STYLES = {
    RUNNING: "green",
    WAITING: "cyan",
    FINISHED: "bold",
    STOPPED: "yellow",
    team.ALIVE: "green",
    team.LEFT: "bold",
}
UNKNOWN = "-"
GAP = 2
WORD_COLUMNS = 2


@dataclass(frozen=True)
class Columns:
    """The columns of a table on a terminal: which go first where they do not fit, and the gaps, the widest first."""

    header: tuple[str, ...]
    least_important_first: tuple[str, ...]
    gaps: tuple[int, ...]


HEADER = (
    *("island", "state", "gen", "best", "median", "distinct", "origins"),
    *("exports", "imports", "refused", "gen/s", "threads", "MB"),
)
TABLE = Columns(
    HEADER,
    (
        "MB",
        "refused",
        "exports",
        "gen/s",
        "median",
        "threads",
        "distinct",
        "imports",
        "origins",
        "best",
        "gen",
        "state",
    ),
    gaps=(GAP,),
)
TEAM_HEADER = ("state", "role", "shares", "genomes", "last", "scored s", "waited s", "taken over", "checked")
"""`last` is how many genomes of the team's last request a member scored."""
TEAM_LEAST_FIRST = ("checked", "taken over", "scored s", "shares", "last", "role", "waited s", "genomes", "state")
MAX_MEMBERS = 64
TREND = "trend"
BOARD_HEADER = ("island", "state", "gen", "best", TREND, "median", "gen/s", "out", "in", "ref", "thr", "MB")
"""`out` and `in` are the generations of the last export and import, `ref` migrants refused, `thr` threads.

Behind an import stands how many in a row were from one batch, as in `40 x3`: its giver is dead or slow.
"""
BOARD = Columns(
    BOARD_HEADER,
    ("MB", "thr", "ref", "median", "gen/s", "out", "in", TREND, "best", "gen", "state"),
    gaps=(GAP, 1),
)
USUAL_NAME, SHORTEST_NAME = 24, 8
ALL_ELSE, LEAST_ELSE = 72, 27
"""Columns that everything beside the names takes, and that what is never left out takes."""
BARS = "▁▂▃▄▅▆▇█"
TREND_WIDTH = 8
TREND_LENGTH = 256
MAX_EVENTS = 60
DATE = len("2026-11-23 ")
STAMP = len("2026-11-23 12:00:00")
FIRST_BYTES = 4096
"""How much of each migration log is read to begin with."""
HEAD_AND_FOOT = 2
LEAST_EVENTS, AMPLE = 4, 16
"""Lines that events have at least where islands do not fit, on a terminal that is not lower than so many."""
LOOKS_PER_PAGE = 5


def cells(row: IslandStatus) -> tuple[str, ...]:
    """Return one island's row as texts."""
    generation = UNKNOWN if row.generation is None else f"{row.generation}/{row.target or '?'}"
    if row.condition == UNREADABLE:
        return (row.name, row.condition, *[UNKNOWN] * (len(HEADER) - WORD_COLUMNS))
    return (
        row.name,
        row.condition,
        generation,
        *(shown(row.best, ".4g"), shown(row.median, ".4g"), shown(row.distinct), shown(row.origins, ".2f")),
        *(str(row.exports), str(row.imports), str(row.refused)),
        *(shown(row.rate_per_s, ".4g"), shown(row.threads), shown(row.memory_mb, ".0f")),
    )


def as_json(rows: Sequence[IslandStatus], *, refusals: Mapping[str, Mapping[str, int]] | None = None) -> str:
    """Return the rows on one line of JSON; each with its refusals by reason, where those are given for all."""
    more = {} if refusals is None else {name: {"refusals": dict(of_one)} for name, of_one in refusals.items()}
    return json.dumps({"islands": [row.as_json() | more.get(row.name, {}) for row in rows]})


def as_text(rows: Sequence[IslandStatus]) -> str:
    """Return the table as aligned plain text, names to the left, numbers to the right."""
    return aligned([HEADER, *map(cells, rows)], n_words=WORD_COLUMNS)


def aligned(lines: Sequence[Sequence[str]], *, n_words: int) -> str:
    """Return lines of cells as text, the first `n_words` columns to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    signs = ["<" if i < n_words else ">" for i in range(len(widths))]
    form = (" " * GAP).join(f"{{:{sign}{width}}}" for sign, width in zip(signs, widths, strict=True))
    return "\n".join(form.format(*line).rstrip() for line in lines)


def as_rich(rows: Sequence[IslandStatus], *, width: int) -> Table:
    """Return the table for a terminal of `width` columns; what matters least is left out where it would not fit."""
    return _grid(list(map(cells, rows)), TABLE, width=width)


def _grid(lines: Sequence[Sequence[str]], columns: Columns, *, width: int) -> Table:
    from rich.table import Table  # noqa: PLC0415 - slow to load, and useless in a pipe
    from rich.text import Text  # noqa: PLC0415

    header = columns.header
    places, gap = fitting([header, *lines], columns, width=width)
    grid = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for i in places:
        is_left = i < WORD_COLUMNS or header[i] == TREND
        grid.add_column(header[i], justify="left" if is_left else "right", no_wrap=True)
    for line in lines:
        styles = {"state": STYLES.get(line[1], "red"), TREND: "cyan"}
        grid.add_row(*[Text(line[i], style=styles.get(header[i], "")) for i in places])
    return grid


def fitting(lines: Sequence[Sequence[str]], columns: Columns, *, width: int) -> tuple[list[int], int]:
    """Return the columns that fit `width` and the gap between them: first the gap narrows, then columns go."""
    widths = {i: max(map(len, column)) for i, column in enumerate(zip(*lines, strict=True))}
    for name in (None, *columns.least_important_first):
        if name is not None:
            del widths[columns.header.index(name)]
        for gap in columns.gaps:
            if sum(widths.values()) + gap * (len(widths) - 1) <= width:
                return list(widths), gap
    return list(widths), columns.gaps[-1]


def member_lines(row: IslandStatus, *, at_most: int) -> list[tuple[str, ...]]:
    """Return a header and a line of cells for each member of an island's team; beyond `at_most` the last are one."""
    few = row.team if len(row.team) <= at_most else row.team[: at_most - 1]
    rest = row.team[len(few) :]
    lines = [_member_cells([member], name=printable(member.name)) for member in few]
    more = [_member_cells(rest, name=f"{len(rest)} more")] if rest else []
    return [(f"members of {row.name}", *TEAM_HEADER), *lines, *more]


def _member_cells(rows: Sequence[MemberStatus], *, name: str) -> tuple[str, ...]:
    """Return one member's cells, or the sums of several."""
    conditions = {row.condition for row in rows}
    last = [row.last for row in rows if row.last is not None]
    return (
        name,
        conditions.pop() if len(conditions) == 1 else UNKNOWN,
        "owner" if any(row.is_owner for row in rows) else UNKNOWN,
        *(str(sum(row.shares for row in rows)), str(sum(row.genomes for row in rows))),
        shown(sum(last) if last else None),
        *(f"{sum(row.evaluate_s for row in rows):.1f}", f"{sum(row.waited_s for row in rows):.1f}"),
        *(str(sum(row.taken_over for row in rows)), str(sum(row.checked for row in rows))),
    )


def _members(rows: Iterable[IslandStatus], *, width: int, at_most: int = MAX_MEMBERS) -> list[Table]:
    """Return a table for a terminal for each island that has a team, of `at_most` members."""
    tables = []
    for row in rows:
        if row.team:
            header, *lines = member_lines(row, at_most=at_most)
            tables.append(_grid(lines, Columns(header, TEAM_LEAST_FIRST, gaps=(GAP, 1)), width=width))
    return tables


def origins(rows: Sequence[IslandStatus]) -> str:
    """Return in one line whose genes all islands together have; nothing before any has logged a line."""
    logged = [row for row in rows if row.ancestry]
    return together(pooled([row.ancestry for row in logged], [row.population or 1 for row in logged]))


def together(ancestry: Shares) -> str:
    """Return in one line how diverse an archipelago is by ancestors, the largest share being the first."""
    if not ancestry:
        return ""
    name, share = next(iter(ancestry.items()))
    n, effective = len(ancestry), effective_number(ancestry.values())
    return f"genes of {n} ancestor{'s' * (n > 1)}, as diverse as {effective:.2f} equal ones; {share:.0%} of {name}"


def show_all(rows: Sequence[IslandStatus], shared: SharedPaths, *, with_champions: bool) -> None:
    """Print the table, or how to get one."""
    if not rows:
        start = as_typed("python cli.py evolve island-01")
        click.echo(f"no islands in {shared.root} yet; start one: {start} --migration-dir {shared.root}")
        return
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415

        console = Console()
        console.print(as_rich(rows, width=console.width), *_members(rows, width=console.width))
    else:
        teams = (member_lines(row, at_most=MAX_MEMBERS) for row in rows if row.team)
        click.echo("\n".join([as_text(rows), *(aligned(lines, n_words=WORD_COLUMNS) for lines in teams)]))
    for text in notes(rows):
        click.echo(printable(text))
    click.echo(origins(rows), nl=any(row.ancestry for row in rows))
    if with_champions:
        click.echo(champions(rows))


def notes(rows: Sequence[IslandStatus]) -> list[str]:
    """Return what the table has no column for, in a line for each island that it is true of."""
    again = filter(_is_again, rows)
    beyond = [row for row in rows if row.generation is not None and row.target and row.generation > row.target]
    return [
        *closed({row.name: row.unreadable for row in rows if row.unreadable}),
        *(f"{row.name} was already at generation {row.generation}, beyond {row.target}" for row in beyond),
        *(f"{row.name} took from {row.last_source} again, for the {nth(row.last_source_times)} time" for row in again),
    ]


def nth(n: int) -> str:
    """Spell a place in an order."""
    return f"{n}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10 if n // 10 % 10 != 1 else 0, 'th') }"


def champions(rows: Sequence[IslandStatus]) -> str:
    """Return where each island's champion is, best first."""
    found = [row for row in rows if row.champion_path and row.champion is not None]
    found.sort(key=lambda row: -(row.champion or 0.0))
    return "\n".join(f"champion of {row.name}: {row.champion:.6g}  {row.champion_path}" for row in found)


def shown(value: float | None, form: str = "d") -> str:
    """Return a number as a cell shows it."""
    return UNKNOWN if value is None else f"{value:{form}}"


def closed(unreadable: Mapping[str, str]) -> list[str]:
    """Return a line for each island that may not be read."""
    return [f"{name} may not be read: {why}" for name, why in unreadable.items()]


def sparkline(values: Sequence[float], *, width: int = TREND_WIDTH) -> str:
    """Return a row of bars from the lowest to the highest value; the last of each group of values stands for it."""
    if not values:
        return ""
    n = min(len(values), width)
    picked = [values[(i + 1) * len(values) // n - 1] for i in range(n)]
    low, high = min(picked), max(picked)
    steps = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * steps)] for value in picked)


class Trends:
    """Trends: the best of each generation of each island, as was seen, and before that as the end of its log holds."""

    def __init__(self, shared: SharedPaths) -> None:
        self._shared = shared
        self._seen: dict[str, deque[tuple[int, float]]] = {}

    def add(self, rows: Iterable[IslandStatus]) -> dict[str, str]:
        """Take note of a look, and return a trend for each island."""
        for row in rows:
            if row.name not in self._seen:
                logged = [] if row.unreadable else _logged(self._shared.island(row.name).log)
                self._seen[row.name] = deque(logged, maxlen=TREND_LENGTH)
            seen = self._seen[row.name]
            while seen and row.generation is not None and seen[-1][0] > row.generation:
                seen.pop()  # it was killed, and lives these again
            if row.generation is not None and row.best is not None and (not seen or seen[-1][0] < row.generation):
                seen.append((row.generation, row.best))
        return {row.name: sparkline([best for _, best in self._seen[row.name]]) for row in rows}


def _logged(log: Path) -> list[tuple[int, float]]:
    lines = [record for record in runlog.current(runlog.read_tail(log)) if isinstance(record, Generation)]
    return [(line.generation, line.best) for line in lines if line.best is not None]


class Events:
    """The newest lines of all islands' migration logs."""

    def __init__(self, shared: SharedPaths) -> None:
        self._shared = shared
        self._places: dict[str, int] = {}
        self.lines: deque[str] = deque(maxlen=MAX_EVENTS)

    def add(self, names: Iterable[str]) -> None:
        """Read what was added since the last time."""
        new = [line for name in names if is_island_name(name) for line in self._read(name)]
        self.lines.extend(sorted(new, key=lambda line: line[:STAMP]))

    def _read(self, name: str) -> list[str]:
        log = self._shared.island(name).migration_log
        try:
            start = self._places[name] if name in self._places else max(log.stat().st_size - FIRST_BYTES, 0)
            lines, end = read_added(log, start)
        except (FileNotFoundError, PermissionError):
            return []
        is_cut = start > 0 and name not in self._places
        self._places[name] = end
        return lines[1:] if is_cut else lines


def read_added(path: Path, place: int) -> tuple[list[str], int]:
    """Return the whole lines of a log from `place` on, and where they end; one that was archived starts again at 0."""
    with path.open("rb") as file:
        file.seek(place if place <= file.seek(0, 2) else 0)
        start = file.tell()
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode(errors="replace").split("\n")[:-1], start + len(whole)


class Board:
    """Live board of all islands, drawn look after look, with trends and with what migrates where there is space."""

    def __init__(self, shared: SharedPaths) -> None:
        self._looks = 0
        self._trends, self._events = Trends(shared), Events(shared)

    def draw(self, rows: Sequence[IslandStatus], *, width: int, height: int) -> RenderableType:
        """Return the board for a terminal of that size, from a new look at the islands."""
        from rich.console import Group  # noqa: PLC0415 - slow to load, and useless in a pipe
        from rich.text import Text  # noqa: PLC0415

        trends = self._trends.add(rows)
        self._events.add([row.name for row in rows])
        is_whole = len(rows) < height  # the foot and the events get what is left
        room = len(rows) if is_whole else max(height - HEAD_AND_FOOT - (LEAST_EVENTS if height >= AMPLE else 0), 1)
        pages = -(-len(rows) // room) if rows else 1
        page = self._looks // LOOKS_PER_PAGE % pages
        self._looks += 1
        shown = rows[page * room : (page + 1) * room]
        at_most = max(width - ALL_ELSE, min(USUAL_NAME, width - LEAST_ELSE), min(SHORTEST_NAME, max(width, 2)))
        lines = [(shortened(row.name, at_most=at_most), *board_cells(row, trends)[1:]) for row in shown]
        left = height - HEAD_AND_FOOT - len(lines)
        teams = []
        for row in shown:
            if row.team and left > 1:
                teams += _members([row], width=width, at_most=left - 1)
                left -= teams[-1].row_count + 1
        events = list(self._events.lines)[-left:] if left > 0 else []
        foot = [_foot(rows, first=page * room + 1, n=len(shown))] if left >= 0 else []
        return Group(
            _grid(lines, BOARD, width=width),
            *[Text(text, style="bold", no_wrap=True, overflow="ellipsis") for text in foot],
            *teams,
            *[Text(printable(event[DATE:]), style="dim", no_wrap=True, overflow="ellipsis") for event in events],
        )


def board_cells(row: IslandStatus, trends: Mapping[str, str]) -> tuple[str, ...]:
    """Return one island's row as texts, in the order of `BOARD_HEADER`."""
    name, condition, generation, best, median, _, _, _, _, refused, _, threads, memory = cells(row)
    if condition == UNREADABLE:
        return cells(row)
    return (
        *(name, condition, generation, best, trends.get(row.name, ""), median),
        *(shown(row.rate_per_s, ".3g"), shown(row.last_export)),
        shown(row.last_import) + (f" x{row.last_source_times}" if _is_again(row) else ""),
        *(refused, threads, memory),
    )


def _is_again(row: IslandStatus) -> bool:
    return row.last_import is not None and row.last_source_times > 1 and row.condition not in ENDED


def shortened(name: str, *, at_most: int) -> str:
    """Return a name without its middle where it is too long: names that are numbered differ at their ends."""
    if len(name) <= at_most:
        return name
    head = (at_most - 1) // 2
    return f"{name[:head]}…{name[head + 1 - at_most :]}"


def _foot(rows: Sequence[IslandStatus], *, first: int, n: int) -> str:
    conditions = Counter(row.condition for row in rows)
    told = ", ".join(f"{count} {condition}" for condition, count in sorted(conditions.items()))
    which = f"islands {first} to {first + n - 1} of {len(rows)}: " if n < len(rows) else ""
    return f"{which}{told}" if rows else "no islands yet"
