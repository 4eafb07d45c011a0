"""All tables and plots from raw rows alone: `python -m scripts.compare.report [--out DIR] [--document FILE.md]`."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.compare.report.page import report


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
    from scripts.bench import rows  # noqa: PLC0415 - not needed without such rows
    from scripts.compare.threads.tables import blocks  # noqa: PLC0415

    more = blocks(rows.read(threads_folder)) if threads_folder else {}
    click.echo(report(out, document=document, more=more), nl=False)


if __name__ == "__main__":
    main()
