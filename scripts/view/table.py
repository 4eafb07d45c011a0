"""The table of all islands, as text for a pipe and as a rich table for a terminal, from the same cells."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from atoll.evo.installation import as_typed
from atoll.evo.text import printable
from atoll.migration.observe.origins import effective_number, pooled
from atoll.migration.observe.status import ENDED, FINISHED, RUNNING, STOPPED, UNREADABLE, WAITING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from atoll.evo.paths import SharedPaths
    from atoll.migration.observe.origins import Shares
    from atoll.migration.observe.status import IslandStatus

HEADER = (
    "island",
    "state",
    "gen",
    "best",
    "median",
    "origins",
    "exports",
    "imports",
    "refused",
    "gen/s",
    "threads",
    "MB",
)
STYLES = {RUNNING: "green", WAITING: "cyan", FINISHED: "bold", STOPPED: "yellow"}
UNKNOWN = "-"
GAP = 2
WORD_COLUMNS = 2
LEAST_IMPORTANT_FIRST = (
    "MB",
    "refused",
    "exports",
    "gen/s",
    "median",
    "threads",
    "imports",
    "origins",
    "best",
    "gen",
    "state",
)


def cells(row: IslandStatus) -> tuple[str, ...]:
    """Return one island's row as texts."""
    generation = UNKNOWN if row.generation is None else f"{row.generation}/{row.target or '?'}"
    if row.condition == UNREADABLE:
        return (row.name, row.condition, *[UNKNOWN] * (len(HEADER) - WORD_COLUMNS))
    return (
        row.name,
        row.condition,
        generation,
        number(row.best),
        number(row.median),
        UNKNOWN if row.origins is None else f"{row.origins:.2f}",
        str(row.exports),
        str(row.imports),
        str(row.refused),
        number(row.rate_per_s),
        UNKNOWN if row.threads is None else str(row.threads),
        UNKNOWN if row.memory_mb is None else f"{row.memory_mb:.0f}",
    )


def as_json(rows: Sequence[IslandStatus], *, refusals: Mapping[str, Mapping[str, int]] | None = None) -> str:
    """Return the rows, with all that is known of each island, on one line of JSON.

    Args:
        rows: The islands.
        refusals: For each island, how often it turned something away, by reason.
    """
    documents = [row.as_json() for row in rows]
    for document in documents if refusals is not None else ():
        document["refusals"] = dict((refusals or {}).get(document["name"], {}))
    return json.dumps({"islands": documents})


def as_text(rows: Sequence[IslandStatus]) -> str:
    """Return the table as aligned plain text, names to the left, numbers to the right."""
    return aligned([HEADER, *map(cells, rows)], n_words=WORD_COLUMNS)


def aligned(lines: Sequence[Sequence[str]], *, n_words: int) -> str:
    """Return lines of cells as text, the first `n_words` columns to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        (" " * GAP)
        .join(
            cell.ljust(width) if i < n_words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        .rstrip()
        for line in lines
    )


def as_rich(rows: Sequence[IslandStatus], *, width: int) -> Table:
    """Return the table for a terminal of `width` columns; what matters least is left out where it would not fit."""
    from rich.table import Table  # noqa: PLC0415 - slow to load, and useless in a pipe
    from rich.text import Text  # noqa: PLC0415

    lines = list(map(cells, rows))
    columns = fitting_columns([HEADER, *lines], width=width)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for i in columns:
        table.add_column(HEADER[i], justify="left" if i < WORD_COLUMNS else "right", no_wrap=True)
    for line in lines:
        styles = ["", STYLES.get(line[1], "red"), *[""] * len(HEADER)]
        table.add_row(*[Text(line[i], style=styles[i]) for i in columns])
    return table


def fitting_columns(lines: Sequence[Sequence[str]], *, width: int) -> list[int]:
    """Return the places of the columns that fit `width`, dropping the least important first."""
    widths = {i: max(len(line[i]) for line in lines) for i in range(len(HEADER))}
    for name in LEAST_IMPORTANT_FIRST:
        if sum(widths.values()) + GAP * (len(widths) - 1) <= width:
            break
        del widths[HEADER.index(name)]
    return list(widths)


def show(rows: Sequence[IslandStatus]) -> None:
    """Print the table the way standard output likes it."""
    if not sys.stdout.isatty():
        click.echo(as_text(rows))
        return
    from rich.console import Console  # noqa: PLC0415

    console = Console()
    console.print(as_rich(rows, width=console.width))


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
    show(rows)
    for text in notes(rows):
        click.echo(printable(text))
    click.echo(origins(rows), nl=any(row.ancestry for row in rows))
    if with_champions:
        click.echo(champions(rows))


def notes(rows: Sequence[IslandStatus]) -> list[str]:
    """Return what the table has no column for, in a line for each island that it is true of."""
    closed = [f"{row.name} may not be read: {row.unreadable}" for row in rows if row.unreadable]
    again = [row for row in rows if row.last_source_times > 1 and row.condition not in ENDED]
    beyond = [row for row in rows if row.generation is not None and row.target and row.generation > row.target]
    return [
        *closed,
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


def number(value: float | None, *, digits: int = 4) -> str:
    """Return a number as a cell shows it."""
    return UNKNOWN if value is None else f"{value:.{digits}g}"
