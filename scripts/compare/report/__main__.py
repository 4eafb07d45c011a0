"""All tables and plots from raw rows alone: `python -m scripts.compare.report [--out DIR] [--tables DIR]`."""

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
    "--tables",
    "tables_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a file for each table there.",
)
@click.option(
    "--threads",
    "threads_folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Rows of the experiments on threads, whose tables are to be in it, too.",
)
def main(out: Path, tables_folder: Path | None, threads_folder: Path | None) -> None:
    """Derive verdicts, intervals, tables and plots from the rows of earlier runs."""
    from scripts.bench import rows  # noqa: PLC0415 - not needed without such rows
    from scripts.compare.threads.tables import blocks  # noqa: PLC0415

    more = blocks(rows.read(threads_folder)) if threads_folder else {}
    click.echo(report(out, tables_folder=tables_folder, more=more), nl=False)


if __name__ == "__main__":
    main()
