"""Benchmarks from the command line: raw rows first, all tables and the plot derived from rows alone."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.kit.study import AT_LEAST_1, DEFAULTS_SHOWN
from atoll.scripts.lab.speed import evaluator, exchange, generation, island
from atoll.scripts.lab.speed.plan import QUICK, Plan
from atoll.scripts.lab.speed.rounds import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from atoll.scripts.lab.kit.rows import Run
    from atoll.scripts.lab.speed.rounds import Case, Table


BENCHES: dict[str, tuple[Callable[[Plan, Path], list[Case]], Callable[[Run], list[Table]]]] = {
    "evaluator": (evaluator.cases, evaluator.tables),
    "generation": (generation.cases, generation.tables),
    "island": (island.cases, island.tables),
    "scaling": (island.scaling_cases, island.scaling_tables),
    "exchange": (exchange.cases, exchange.tables),
}
"""What a round of each measures, with files in an empty folder, and the tables from rows alone."""


def run(name: str, plan: Plan, folder: Path) -> None:
    """Measure one bench and write its rows to `folder`, where its files lie as long as it runs."""
    written = rows.Rows(folder, name, {**plan.settings(), "build": Creatures(CreatureOptions()).build})
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=folder) as place:
        cases, _ = BENCHES[name]
        measure(cases(plan, Path(place)), rounds=plan.rounds, write=written.write)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("bench"))
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), help="Also draw the figures, as SVG or PNG.")
def report(folder: Path, plot_file: Path | None) -> None:
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
    _, tables = BENCHES[run.bench]
    texts = [table.markdown() for table in tables(run)]
    return "\n\n".join([f"### {run.bench}", run.provenance, *filter(None, texts)])


@click.command(context_settings=DEFAULTS_SHOWN)
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHES)))
@click.option("--rounds", type=AT_LEAST_1, default=Plan.rounds, help="Pairs to measure.")
@click.option("--quick", is_flag=True, help="Tiny sizes, to see that everything works; the figures mean nothing.")
@click.option("--topology", type=click.Choice(["full", "ring"]), default=Plan.topology, help="Of the islands.")
@click.option("--out", default=Path("bench"), type=click.Path(path_type=Path), help="Where rows go.")
def main(*, names: tuple[str, ...], rounds: int, quick: bool, topology: str, out: Path) -> None:
    """Run the named benches, or all, in their order, and print their tables."""
    plan = replace(QUICK if quick else Plan(rounds=rounds), topology=topology)
    atomic.make_directory(out)
    for name in (name for name in BENCHES if name in names or not names):
        click.echo(f"{name}: {plan.rounds} rounds ...", err=True)
        started_s = time.perf_counter()
        run(name, plan, out)
        click.echo(f"{name}: {time.perf_counter() - started_s:.0f} s; rows in {out}/{name}.jsonl", err=True)
        for text in texts(rows.newest(each for each in rows.read(out) if each.bench == name)):
            click.echo(text + "\n")
