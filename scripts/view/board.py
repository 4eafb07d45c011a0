"""The live board of all islands: a table with a trend of each and what migrates below it, in the space there is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.evo import runlog
from atoll.evo.paths import is_island_name
from atoll.evo.text import printable
from atoll.migration.observe.status import ENDED, UNREADABLE
from atoll.migration.pool.lines import finite_number
from atoll.scripts.view.table import STYLES, UNKNOWN, WORD_COLUMNS, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from atoll.evo.paths import SharedPaths
    from atoll.migration.observe.status import IslandStatus

HEADER = ("island", "state", "gen", "best", "trend", "median", "gen/s", "out", "in", "ref", "thr", "MB")
"""`out` and `in` are the generations of the last export and import, `ref` migrants refused, `thr` threads.

Behind an import stands how many in a row were from one batch, as in `40 x3`: its giver is dead or slow.
"""
WORDS = frozenset({"island", "state", "trend"})
LEAST_IMPORTANT_FIRST = ("MB", "thr", "ref", "median", "gen/s", "out", "in", "trend", "best", "gen", "state")
GAPS = (2, 1)
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
    """The best of each generation of each island: what was seen, and before that what the end of its log holds."""

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
    records = [r for r in runlog.read_tail(log) if isinstance(r.get("kind"), str)]
    records = runlog.current(r for r in records if isinstance(r.get("generation"), int))
    lines = [record for record in records if record["kind"] == "generation"]
    bests = [(line["generation"], finite_number(line.get("best"))) for line in lines]
    return [(generation, best) for generation, best in bests if best is not None]


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
        try:
            with self._shared.island(name).migration_log.open("rb") as file:
                size = file.seek(0, 2)
                place = self._places.get(name)
                is_first = place is None
                start = max(size - FIRST_BYTES, 0) if place is None or place > size else place
                file.seek(start)
                data = file.read()
        except (FileNotFoundError, PermissionError):
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._places[name] = start + len(whole)
        lines = whole.decode(errors="replace").split("\n")[:-1]
        return lines[1:] if is_first and start else lines


@dataclass
class Board:
    """What is drawn, look after look."""

    shared: SharedPaths
    looks: int = 0

    def __post_init__(self) -> None:
        self._trends = Trends(self.shared)
        self._events = Events(self.shared)

    def draw(self, rows: Sequence[IslandStatus], *, width: int, height: int) -> RenderableType:
        """Return the board for a terminal of that size, from a new look at the islands."""
        from rich.console import Group  # noqa: PLC0415 - slow to load, and useless in a pipe
        from rich.text import Text  # noqa: PLC0415

        trends = self._trends.add(rows)
        self._events.add([row.name for row in rows])
        is_whole = len(rows) < height  # the foot and the events get what is left
        room = len(rows) if is_whole else max(height - HEAD_AND_FOOT - (LEAST_EVENTS if height >= AMPLE else 0), 1)
        pages = -(-len(rows) // room) if rows else 1
        page = self.looks // LOOKS_PER_PAGE % pages
        self.looks += 1
        shown = rows[page * room : (page + 1) * room]
        at_most = max(width - ALL_ELSE, min(USUAL_NAME, width - LEAST_ELSE), min(SHORTEST_NAME, max(width, 2)))
        lines = [(shortened(row.name, at_most=at_most), *line(row, trends)[1:]) for row in shown]
        left = height - HEAD_AND_FOOT - len(lines)
        events = list(self._events.lines)[-left:] if left > 0 else []
        foot = [_foot(rows, first=page * room + 1, n=len(shown))] if left >= 0 else []
        return Group(
            _grid(lines, width=width),
            *[Text(text, style="bold", no_wrap=True, overflow="ellipsis") for text in foot],
            *[Text(printable(event[DATE:]), style="dim", no_wrap=True, overflow="ellipsis") for event in events],
        )


def line(row: IslandStatus, trends: Mapping[str, str]) -> tuple[str, ...]:
    """Return one island's row as texts, in the order of `HEADER`."""
    generation = UNKNOWN if row.generation is None else f"{row.generation}/{row.target or '?'}"
    if row.condition == UNREADABLE:
        return (row.name, row.condition, *[UNKNOWN] * (len(HEADER) - WORD_COLUMNS))
    return (
        row.name,
        row.condition,
        generation,
        number(row.best),
        trends.get(row.name, ""),
        number(row.median),
        number(row.rate_per_s, digits=3),
        UNKNOWN if row.last_export is None else str(row.last_export),
        UNKNOWN if row.last_import is None else str(row.last_import) + _times(row),
        str(row.refused),
        UNKNOWN if row.threads is None else str(row.threads),
        UNKNOWN if row.memory_mb is None else f"{row.memory_mb:.0f}",
    )


def _times(row: IslandStatus) -> str:
    is_again = row.last_source_times > 1 and row.condition not in ENDED
    return f" x{row.last_source_times}" if is_again else ""


def shortened(name: str, *, at_most: int) -> str:
    """Return a name without its middle where it is too long: names that are numbered differ at their ends."""
    if len(name) <= at_most:
        return name
    head = (at_most - 1) // 2
    return f"{name[:head]}…{name[head + 1 - at_most :]}"


def fitting(lines: Sequence[Sequence[str]], *, width: int) -> tuple[list[int], int]:
    """Return the columns that fit `width` and the gap between them: first the gap narrows, then columns go."""
    widths = {i: max(map(len, column)) for i, column in enumerate(zip(*lines, strict=True))}
    for name in (None, *LEAST_IMPORTANT_FIRST):
        if name is not None:
            del widths[HEADER.index(name)]
        for gap in GAPS:
            if sum(widths.values()) + gap * (len(widths) - 1) <= width:
                return list(widths), gap
    return list(widths), GAPS[-1]


def _grid(lines: Sequence[tuple[str, ...]], *, width: int) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    columns, gap = fitting([HEADER, *lines], width=width)
    grid = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for i in columns:
        grid.add_column(HEADER[i], justify="left" if HEADER[i] in WORDS else "right", no_wrap=True)
    for cells in lines:
        styles = {"state": STYLES.get(cells[1], "red"), "trend": "cyan"}
        grid.add_row(*[Text(cells[i], style=styles.get(HEADER[i], "")) for i in columns])
    return grid


def _foot(rows: Sequence[IslandStatus], *, first: int, n: int) -> str:
    conditions: dict[str, int] = {}
    for row in rows:
        conditions[row.condition] = conditions.get(row.condition, 0) + 1
    told = ", ".join(f"{count} {condition}" for condition, count in sorted(conditions.items()))
    which = f"islands {first} to {first + n - 1} of {len(rows)}: " if n < len(rows) else ""
    return f"{which}{told}" if rows else "no islands yet"
