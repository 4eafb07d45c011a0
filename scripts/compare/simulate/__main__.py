"""Simulate machines that are not at hand: `python -m scripts.compare.simulate [--rows DIR] [--out DIR]`."""

from __future__ import annotations

from pathlib import Path

import click

from evo import atomic
from scripts.compare.report import load, markdown, study
from scripts.compare.simulate import results, tables


def run(*, rows: Path | None, out: Path, document: Path | None) -> None:
    """Simulate everything, print the tables, draw the plots, and fill the blocks of a document.

    Args:
        rows: Where measured rows lie, from which inputs are taken and against which times are held; None: nowhere.
        out: Where `simulated.md` and the plots go.
        document: Whose blocks named `simulated-...` are filled; None: no document's.

    Raises:
        AtollError: Rows or marks are damaged.
    """
    sessions = study.sessions(load.read(rows)) if rows else []
    found = results.compute(sessions, tell=lambda what: click.echo(f"simulating {what} ...", err=True))
    blocks = tables.blocks(found)
    text = "\n\n".join(filter(None, blocks.values()))
    with atomic.storage_errors("write the simulation's tables and plots"):
        atomic.make_directory(out)
        atomic.replace_file(out / "simulated.md", (text + "\n").encode(), durable=False)
        from scripts.compare.simulate.plots import draw  # noqa: PLC0415 - matplotlib takes a second to import

        files = draw(found, out)
        if document:
            blocks["simulated-plots"] = markdown.pictures(files, beside=document)
            markdown.refresh(document, blocks)
    click.echo(text)


@click.command()
@click.option("--rows", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Where measured rows lie.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("compare"), show_default=True)
@click.option("--document", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Fill its blocks.")
def main(rows: Path | None, out: Path, document: Path | None) -> None:
    """Simulate 5 to 128 workers, from inputs measured where rows tell them; everything is labelled simulated."""
    run(rows=rows, out=out, document=document)


if __name__ == "__main__":
    main()
