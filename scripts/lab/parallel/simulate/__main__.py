"""Simulate other machines: `python -m scripts.lab simulate [--out DIR] [--document FILE.md]`."""

from __future__ import annotations

from pathlib import Path

import click

from atoll.evo import atomic
from atoll.scripts.lab.kit import markdown
from atoll.scripts.lab.parallel.report import load, study
from atoll.scripts.lab.parallel.simulate import results, tables
from atoll.scripts.lab.parallel.simulate.chance import DRAWS

PAGE = "simulated.md"


def simulate(folder: Path, *, document: Path | None = None, draws: int = DRAWS) -> str:
    """Simulate everything; write `simulated.md` and the plots, fill the blocks of a document, and return the text.

    Args:
        folder: Where they go. Inputs are taken from the rows that lie there, and times are held against them; without
            rows, inputs are those of earlier measurements, and nothing is validated.
        document: Whose blocks named `simulated-...` are filled.
        draws: How often trial times are drawn for each case.

    Raises:
        DamagedFileError: A row or the document's marks are damaged.
        StorageError: The file system refused.
    """
    sessions = study.sessions(load.read(folder))
    found = results.compute(sessions, draws=draws, tell=lambda what: click.echo(f"simulating {what} ...", err=True))
    blocks = tables.blocks(found)
    text = "\n\n".join(filter(None, blocks.values())) + "\n"
    with atomic.storage_errors("write what was simulated"):
        atomic.make_directory(folder / "plots")
        atomic.replace_file(folder / PAGE, text.encode(), durable=False)
        from atoll.scripts.lab.parallel.simulate.plots import draw  # noqa: PLC0415 - matplotlib takes a second to import

        files = draw(found, folder / "plots")
        if document is not None:
            markdown.refresh(document, {**blocks, "simulated-plots": markdown.pictures(files, beside=document)})
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
    "--document",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Fill its simulated blocks, and leave all else as it is.",
)
@click.option("--draws", default=DRAWS, show_default=True, type=click.IntRange(min=1), help="Of trial times, per case.")
def main(out: Path, document: Path | None, draws: int) -> None:
    """Simulate 5 to 128 workers and the published failure; everything is labelled simulated."""
    click.echo(simulate(out, document=document, draws=draws), nl=False)
