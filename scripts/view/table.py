"""The table of all islands, as text for a pipe and as a rich table for a terminal, from the same cells."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from migration.status import FINISHED, RUNNING, STOPPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from migration.status import IslandStatus

HEADER = ("island", "state", "gen", "best", "median", "exports", "imports", "refused", "gen/s", "threads", "MB")
STYLES = {RUNNING: "green", FINISHED: "bold", STOPPED: "yellow"}
UNKNOWN = "-"


def cells(row: IslandStatus) -> tuple[str, ...]:
    """Return one island's row as texts."""
    generation = UNKNOWN if row.generation is None else f"{row.generation}/{row.target or '?'}"
    return (
        row.name,
        row.condition,
        generation,
        _number(row.best),
        _number(row.median),
        str(row.exports),
        str(row.imports),
        str(row.refused),
        _number(row.rate_per_s),
        UNKNOWN if row.threads is None else str(row.threads),
        UNKNOWN if row.memory_mb is None else f"{row.memory_mb:.0f}",
    )


def as_text(rows: Sequence[IslandStatus]) -> str:
    """Return the table as aligned plain text, names to the left, numbers to the right."""
    lines = [HEADER, *map(cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_rich(rows: Sequence[IslandStatus]) -> Table:
    """Return the table for a terminal."""
    from rich.table import Table  # noqa: PLC0415 - slow to load, and useless in a pipe
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(HEADER):
        table.add_column(name, justify="left" if i < 2 else "right", no_wrap=True)
    for row in rows:
        name, condition, *rest = cells(row)
        table.add_row(Text(name), Text(condition, style=STYLES.get(condition, "red")), *map(Text, rest))
    return table


def show(rows: Sequence[IslandStatus]) -> None:
    """Print the table the way standard output likes it."""
    if not sys.stdout.isatty():
        click.echo(as_text(rows))
        return
    from rich.console import Console  # noqa: PLC0415

    Console().print(as_rich(rows))


def champions(rows: Sequence[IslandStatus]) -> str:
    """Return where each island's champion is, best first."""
    found = [row for row in rows if row.champion_path and row.champion is not None]
    found.sort(key=lambda row: -(row.champion or 0.0))
    return "\n".join(f"champion of {row.name}: {row.champion:.6g}  {row.champion_path}" for row in found)


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4g}"
