"""Threads of PyTorch, measured: `python -m scripts.lab threads law|population|limit --out DIR`; `tables DIR` derives.

The tables are for a page of their own and for the report of the comparison.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.parallel.threads import experiments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.scripts.lab.kit.markdown import Grid
    from atoll.scripts.lab.kit.rows import Run

EXPERIMENTS: dict[str, Callable[[Sequence[rows.Row]], list[Grid]]] = {
    "law": experiments.law_tables,
    "population": experiments.population_tables,
    "limit": experiments.limit_tables,
}

out_option = click.option(
    "--out", default=Path("compare"), show_default=True, type=click.Path(path_type=Path), help="Where rows go."
)
rounds_option = click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Repetitions.")
quick_option = click.option("--quick", is_flag=True, help="Tiny sizes, to see that it works; the figures mean nothing.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Experiments on threads; each appends raw rows to DIR and prints the tables of the newest ones."""


@main.command(name="law")
@out_option
@quick_option
def count(*, out: Path, quick: bool) -> None:
    """Count the threads that k Python threads and m PyTorch threads make, in two minutes."""
    sizes = {"k": (1, 2), "m": (1, 4)} if quick else {"k": experiments.PYTHON_THREADS, "m": experiments.TORCH_THREADS}
    experiments.measure_law(rows_of(out, "law", quick=quick), **sizes)
    _show(out, "law")


@main.command(name="population")
@out_option
@rounds_option
@quick_option
def spread(*, out: Path, rounds: int, quick: bool) -> None:
    """Find the population at which the reference evaluator starts to use more than one thread, in ten minutes.

    Before that, find for single operations from how many elements on PyTorch spreads them.
    """
    write = rows_of(out, "population", quick=quick)
    populations = (4, 200) if quick else experiments.POPULATIONS
    life_s = 1.0 if quick else experiments.LIFE_S
    experiments.measure_operations(write, ("add", "sqrt float64") if quick else experiments.OPERATIONS)
    experiments.measure_populations(write, populations=populations, rounds=1 if quick else rounds, life_s=life_s)
    _show(out, "population")


@main.command(name="limit")
@out_option
@rounds_option
@quick_option
def limited(*, out: Path, rounds: int, quick: bool) -> None:
    """Measure what each way of limiting PyTorch to one thread does, in two minutes."""
    ways = ("none", "before_import") if quick else tuple(experiments.WAYS)
    experiments.measure_limits(rows_of(out, "limit", quick=quick), ways=ways, rounds=1 if quick else rounds)
    _show(out, "limit")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def tables(folder: Path) -> None:
    """Derive the tables from the newest rows in FOLDER, measuring nothing."""
    for text in texts(rows.read(folder)):
        click.echo(text + "\n")


def rows_of(out: Path, name: str, *, quick: bool) -> Callable[[rows.Row], None]:
    """Return what appends a row of an experiment to its file, with where it was measured."""
    return rows.Rows(out, name, {"is_quick": quick}).write


def _show(folder: Path, name: str) -> None:
    for text in texts([run for run in rows.read(folder) if run.bench == name]):
        click.echo(text)


def texts(runs: Sequence[Run]) -> list[str]:
    """Return a page of Markdown for the newest run of each of these experiments on each machine."""
    return ["\n\n".join([f"### {run.bench}", _markdown(run)]) for run in _newest(runs)]


def blocks(runs: Sequence[Run]) -> dict[str, str]:
    """Return the same by the names that the report's blocks have: `thread-law` and so on."""
    found: dict[str, list[str]] = {}
    for run in _newest(runs):
        found.setdefault(f"thread-{run.bench}", []).append(_markdown(run))
    return {name: "\n\n".join(parts) for name, parts in found.items()}


def _newest(runs: Sequence[Run]) -> list[Run]:
    return [run for run in rows.newest(runs) if run.bench in EXPERIMENTS]


def _markdown(run: Run) -> str:
    tables = (grid.markdown() for grid in EXPERIMENTS[run.bench](run.rows))
    return "\n\n".join([run.provenance, *filter(None, tables)])
