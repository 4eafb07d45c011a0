"""Simulate machines that are not at hand: `python -m scripts.compare.simulate [--out DIR] [--tables DIR]`."""

from __future__ import annotations

from pathlib import Path

import click

from evo import atomic
from scripts.compare.report import load, markdown, study
from scripts.compare.simulate import results, tables
from scripts.compare.simulate.chance import DRAWS

PAGE = "simulated.md"


def simulate(folder: Path, *, tables_folder: Path | None = None, draws: int = DRAWS) -> str:
    """Simulate everything; write `simulated.md`, the plots and a file for each table, and return the text.

    Args:
        folder: Where they go. Inputs are taken from the rows that lie there, and times are held against them; without
            rows, inputs are those of earlier measurements, and nothing is validated.
        tables_folder: Where each block gets a file of its own, `simulated-....md`.
        draws: How often trial times are drawn for each case.

    Raises:
        DamagedFileError: A row is damaged.
        StorageError: The file system refused.
    """
    sessions = study.sessions(load.read(folder))
    found = results.compute(sessions, draws=draws, tell=lambda what: click.echo(f"simulating {what} ...", err=True))
    blocks = tables.blocks(found)
    text = "\n\n".join(filter(None, blocks.values())) + "\n"
    with atomic.storage_errors("write what was simulated"):
        atomic.make_directory(folder / "plots")
        atomic.replace_file(folder / PAGE, text.encode(), durable=False)
        from scripts.compare.simulate.plots import draw  # noqa: PLC0415 - matplotlib takes a second to import

        files = draw(found, folder / "plots")
        if tables_folder is not None:
            links = markdown.pictures(files, beside=tables_folder / "simulated-plots.md")
            markdown.write_tables(tables_folder, {**blocks, "simulated-plots": links})
    return text


@click.command()
@click.option(
    "--out",
    default=Path("bench/compare"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where tables and plots go; rows that lie there give inputs and are held against the simulation.",
)
@click.option(
    "--tables",
    "tables_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a file for each table there.",
)
@click.option("--draws", default=DRAWS, show_default=True, type=click.IntRange(min=1), help="Of trial times, per case.")
def main(out: Path, tables_folder: Path | None, draws: int) -> None:
    """Simulate 5 to 128 workers and the published failure; everything is labelled simulated."""
    click.echo(simulate(out, tables_folder=tables_folder, draws=draws), nl=False)


if __name__ == "__main__":
    main()
