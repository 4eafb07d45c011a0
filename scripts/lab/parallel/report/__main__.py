"""Tables and plots from raw rows alone: `python -m scripts.lab.parallel.report [--out DIR] [--document FILE.md]`."""

from __future__ import annotations

from pathlib import Path

import click

from atoll.scripts.lab.parallel.report.page import report


@click.command()
@click.option(
    "--out",
    default=Path("bench/compare"),
    show_default=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the rows lie (*.jsonl, *.jsonl.gz); the report goes there, too.",
)
@click.option(
    "--document",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Fill its generated blocks, and leave all else as it is.",
)
@click.option(
    "--threads",
    "threads_folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Rows of the experiments on threads, whose tables are to be in it, too.",
)
def main(out: Path, document: Path | None, threads_folder: Path | None) -> None:
    """Derive verdicts, intervals, tables and plots from the rows of earlier runs."""
    from atoll.scripts.lab.kit import rows  # noqa: PLC0415 - not needed without such rows
    from atoll.scripts.lab.parallel.threads.tables import blocks  # noqa: PLC0415

    more = blocks(rows.read(threads_folder)) if threads_folder else {}
    click.echo(report(out, document=document, more=more), nl=False)


if __name__ == "__main__":
    main()
