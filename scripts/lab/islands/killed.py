"""What does the death of an island cost the others? `python -m scripts.lab killed`.

Each archipelago is evolved twice with every seed: undisturbed, and with one island dead after a quarter of its
generations, another one with each seed. The cost is the difference between the two final bests; it is small if it is
smaller than what another seed does. Each archipelago is a row, written as soon as it is known; `--table FILE` derives
the table from such rows and measures nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.scripts.lab.islands.lifespans import Cast
from atoll.scripts.lab.islands.paired import mean_interval, measure, pairs, read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.runlog import Record

UNDISTURBED = Cast("undisturbed")
KILLED = Cast("one killed at a quarter", changing=1, departure=Fraction(1, 4))
HEAD = ("task", "n", "final best", "spread", "difference", "95 % interval", "of the spread", "smaller")


@dataclass(frozen=True)
class Cost:
    """What it did to the final best that islands left, over pairs of archipelagos with equal seeds.

    Attributes:
        n: How many pairs.
        best: The mean final best of the undisturbed.
        spread: The standard deviation of their final best from seed to seed.
        difference: The mean of disturbed less undisturbed.
        low: The lower end of its 95 % bootstrap interval.
        high: The upper end.
    """

    n: int
    best: float
    spread: float
    difference: float
    low: float
    high: float

    @property
    def is_small(self) -> bool:
        """Whether the whole interval lies within one spread of none."""
        return max(abs(self.low), abs(self.high)) < self.spread


def cost(undisturbed: Sequence[float], disturbed: Sequence[float]) -> Cost:
    """Compare final bests, two at least, in the same order of seeds."""
    before, after = np.asarray(undisturbed, dtype=np.float64), np.asarray(disturbed, dtype=np.float64)
    spread = float(before.std(ddof=1))
    return Cost(len(before), float(before.mean()), spread, *mean_interval(list(after - before)))


@click.command()
@click.option("--islands", default=8, show_default=True)
@click.option("--population", default=48, show_default=True, help="Individuals of each island.")
@click.option("--generations", default=80, show_default=True, help="Generations after the founders.")
@click.option("--seeds", default=30, show_default=True, help="Pairs of archipelagos for each task.")
@click.option("--first-seed", default=0, show_default=True, help="Seed of the first of them.")
@click.option("--task", "tasks", multiple=True, help="Only this task; can be repeated.")
@click.option("--topology", default="full", show_default=True, help="Who imports from whom.")
@click.option("--out", default=Path("bench/killed.jsonl"), show_default=True, type=click.Path(path_type=Path))
@click.option("--table", "rows_path", type=click.Path(path_type=Path, exists=True), help="Only print these rows'.")
def main(
    *,
    islands: int,
    population: int,
    generations: int,
    seeds: int,
    first_seed: int,
    tasks: tuple[str, ...],
    topology: str,
    out: Path,
    rows_path: Path | None,
) -> None:
    """Kill one island of each archipelago at a quarter of its life, and see what the others make of it."""
    if rows_path is None:
        measure(
            (UNDISTURBED, KILLED),
            islands=islands,
            population=population,
            generations=generations,
            seeds=range(first_seed, first_seed + seeds),
            tasks=tasks,
            out=out,
            settings={"topology": topology},
        )
    click.echo(table(read_rows(rows_path or out)))


def table(rows: Sequence[Record]) -> str:
    """Return a Markdown table with a line for each task that has two pairs or more."""
    lines = ["| " + " | ".join(HEAD) + " |", "| --- " * len(HEAD) + "|"]
    for task, found in pairs(rows, UNDISTURBED.name, KILLED.name).items():
        if len(found) > 1:
            lines.append(_line(task, cost([one["best"] for one, _ in found], [other["best"] for _, other in found])))
    return "\n".join(lines)


def _line(task: str, found: Cost) -> str:
    share = max(abs(found.low), abs(found.high)) / found.spread if found.spread else float("inf")
    cells = (
        task,
        str(found.n),
        f"{found.best:.4g}",
        f"{found.spread:.3g}",
        f"{found.difference:+.3g}",
        f"{found.low:+.3g} to {found.high:+.3g}",
        f"at most {share:.2f}",
        "yes" if found.is_small else "no",
    )
    return "| " + " | ".join(cells) + " |"
