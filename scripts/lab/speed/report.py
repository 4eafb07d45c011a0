"""All tables, and the plot, from raw rows alone: `python -m scripts.lab bench-report DIR [--plot FILE.svg]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.speed.suite import BENCHES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atoll.scripts.lab.kit.rows import Run


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("bench"))
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), help="Also draw the figures, as SVG or PNG.")
def main(folder: Path, plot_file: Path | None) -> None:
    """Derive all tables from the rows in FOLDER, for the newest run of each bench on each machine."""
    runs = rows.read(folder)
    for text in texts(runs):
        click.echo(text + "\n")
    if plot_file:
        from atoll.scripts.lab.speed.plot import draw  # noqa: PLC0415 - matplotlib takes a second to import

        draw(rows.newest(runs), plot_file)


def texts(runs: Iterable[Run]) -> list[str]:
    """Return a page of Markdown for the newest run of each bench on each machine, and a line for each other one."""
    runs = list(runs)
    newest = rows.newest(runs)
    order = list(BENCHES)
    shown = sorted((run for run in newest if run.bench in BENCHES), key=lambda run: order.index(run.bench))
    older = len([run for run in runs if run.bench in BENCHES]) - len(shown)
    strangers = [run for run in newest if run.bench not in BENCHES]
    found = [page(run) for run in shown]
    found += [f"left out: {run.bench}, {len(run.rows)} rows that no bench wrote" for run in strangers]
    return found + ([f"left out: {older} older runs on the same machine"] if older else [])


def page(run: Run) -> str:
    """Return a run's tables under its name and where it was measured."""
    bench = BENCHES[run.bench]
    tables = [table.markdown() for table in bench.tables(run)]
    return "\n\n".join([f"### {run.bench}", run.provenance, *filter(None, tables)])
