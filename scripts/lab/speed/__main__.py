"""Measure: `python -m scripts.lab bench [NAME ...]`. Rows go to bench/, tables are derived from them."""

from __future__ import annotations

import time
from pathlib import Path

import click

from atoll.evo import atomic
from atoll.evo.resources import limit_threads
from atoll.scripts.lab.speed.plan import QUICK, Plan

NAMES = ("evaluator", "generation", "island", "scaling", "exchange")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--rounds", type=click.IntRange(min=1), default=Plan.rounds, show_default=True, help="Pairs to measure.")
@click.option("--quick", is_flag=True, help="Tiny sizes, to see that everything works; the figures mean nothing.")
@click.option("--out", default=Path("bench"), show_default=True, type=click.Path(path_type=Path), help="Where rows go.")
def main(*, names: tuple[str, ...], rounds: int, quick: bool, out: Path) -> None:
    """Run the named benches, or all, in their order, and print their tables."""
    limit_threads(1)
    from atoll.scripts.lab.kit.rows import newest, read  # noqa: PLC0415
    from atoll.scripts.lab.speed import suite  # noqa: PLC0415 - numeric libraries look at their limits when they load
    from atoll.scripts.lab.speed.report import texts  # noqa: PLC0415

    plan = QUICK if quick else Plan(rounds=rounds)
    atomic.make_directory(out)
    for name in (name for name in NAMES if name in names or not names):
        click.echo(f"{name}: {plan.rounds} rounds ...", err=True)
        started_s = time.perf_counter()
        suite.run(name, plan, out)
        click.echo(f"{name}: {time.perf_counter() - started_s:.0f} s; rows in {out}/{name}.jsonl", err=True)
        for text in texts(newest(run for run in read(out) if run.bench == name)):
            click.echo(text + "\n")
