"""Atoll's islands beside pygmo's archipelago: `python -m scripts.lab peers [--tables DIR]`.

pygmo is needed for this alone: `pip install 'atoll[peers]'`. Where it is missing nothing is measured, and the rows and
tables say so.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from atoll.evo import atomic, runlog
from atoll.scripts.lab.kit.machine import describe

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
    atomic.make_directory(out)
    if not tables_only:
        _measure(out / "rows.jsonl", seeds=seeds)
    click.echo(_report(out, tables_folder), nl=False)


def _measure(file: Path, *, seeds: int) -> None:
    atomic.truncate_torn_line(file)
    if find_spec("pygmo") is None:
        click.echo(f"skipped: {MISSING}")
        runlog.append(file, {"stage": "skipped", "reason": MISSING, **describe()})
        return
    from atoll.scripts.lab.islands.peers import run  # noqa: PLC0415 - needs pygmo

    runlog.append(file, {"stage": "start", "pygmo": run.VERSION, **describe()})
    run.measure(seeds=seeds, write=lambda row: runlog.append(file, row), tell=click.echo)


def _report(folder: Path, tables_folder: Path | None) -> str:
    from atoll.scripts.lab.islands.peers import tables  # noqa: PLC0415 - see above
    from atoll.scripts.lab.kit import markdown, rows  # noqa: PLC0415 - numbers load slowly

    blocks = tables.blocks(rows.records(folder))
    if tables_folder is not None:
        markdown.write_tables(tables_folder, blocks)
    return "\n\n".join(f"## {name}\n\n{block}" for name, block in blocks.items() if block) + "\n"
