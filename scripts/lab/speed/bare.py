"""Evaluation and nothing else, in a process of its own: what an island would take if all the rest were free.

`python -m scripts.lab.speed.bare` evaluates as many random genomes as an island did, in populations of the same size,
set up as an island is, and prints how long the evaluations took.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from atoll.evo.resources import keep_freed_memory, limit_threads

if TYPE_CHECKING:
    from atoll.scripts.lab.speed.plan import Plan


def arguments(plan: Plan, evaluations: int) -> list[str]:
    """Return the arguments with which Python evaluates that many genomes of this plan."""
    options = [text for name, value in plan.options.items() for text in ("-o", f"{name}={value}")]
    return ["-m", __spec__.name, str(plan.population), str(evaluations), *options]


@click.command()
@click.argument("population", type=int)
@click.argument("evaluations", type=int)
@click.option("-o", "options", multiple=True)
def main(population: int, evaluations: int, options: tuple[str, ...]) -> None:
    """Evaluate populations of random creatures, one thread."""
    limit_threads(1)
    keep_freed_memory()
    import numpy as np  # noqa: PLC0415 - after its threads were limited

    from atoll.evo.tasks.loader import load_task  # noqa: PLC0415

    task = load_task("creatures", dict(option.split("=", 1) for option in options))
    genes = task.spec.sample(np.random.default_rng(0), population)
    full, rest = divmod(evaluations, population)
    started_s = time.perf_counter()
    for episode in range(full):
        task.evaluate(genes, episode)
    if rest:
        task.evaluate(genes[:rest], full)
    evaluate_s = time.perf_counter() - started_s
    json.dump({"evaluate_s": evaluate_s, "evaluations": evaluations}, sys.stdout)


if __name__ == "__main__":
    main()
