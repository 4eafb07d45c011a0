"""Atoll's islands beside pygmo's archipelago: `python -m scripts.experiments.peers [--tables DIR]`.

pygmo is needed for this alone: `pip install 'atoll[peers]'`. Where it is missing nothing is measured, and the rows and
tables say so.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import click

from evo import atomic, runlog
from evo.errors import AtollError
from evo.threads import limit_threads
from scripts.bench.machine import describe

MISSING = "pygmo is not installed; pip install pygmo"


@click.command()
@click.option("--seeds", default=20, show_default=True, type=click.IntRange(min=1), help="Test seeds.")
@click.option("--out", default=Path("bench/peers"), show_default=True, type=click.Path(path_type=Path))
@click.option("--tables-only", is_flag=True, help="Measure nothing: derive the tables from the rows that are there.")
@click.option(
    "--tables",
    "tables_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a file for each table there.",
)
def main(*, seeds: int, out: Path, tables_only: bool, tables_folder: Path | None) -> None:
    """Let both meet on the same functions with the same budget, and say who won what."""
    try:
        with atomic.storage_errors("write the rows of the peers"):
            atomic.make_directory(out)
            if not tables_only:
                _measure(out / "rows.jsonl", seeds=seeds)
            click.echo(_report(out, tables_folder), nl=False)
    except AtollError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


def _measure(file: Path, *, seeds: int) -> None:
    atomic.mend_tail(file)
    if find_spec("pygmo") is None:
        click.echo(f"skipped: {MISSING}")
        runlog.append(file, {"stage": "skipped", "reason": MISSING, **describe()})
        return
    limit_threads(1)
    from scripts.experiments.peers import pygmo_side, run  # noqa: PLC0415 - needs pygmo

    runlog.append(file, {"stage": "start", "pygmo": pygmo_side.VERSION, **describe()})
    run.measure(seeds=seeds, write=lambda row: runlog.append(file, row), tell=click.echo)


def _report(folder: Path, tables_folder: Path | None) -> str:
    from scripts.compare.report import markdown  # noqa: PLC0415 - numbers load slowly
    from scripts.experiments.islands import rows  # noqa: PLC0415 - see above
    from scripts.experiments.peers import tables  # noqa: PLC0415 - see above

    blocks = tables.blocks(rows.records(folder))
    if tables_folder is not None:
        markdown.write_tables(tables_folder, blocks)
    return "\n\n".join(f"## {name}\n\n{block}" for name, block in blocks.items() if block) + "\n"


if __name__ == "__main__":
    main()
