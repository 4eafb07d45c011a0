"""One run of one arm, and which runs each stage asks for. Pure.

A run is known by everything that decides its result (`Job.key`), so equal ones are run once, and rows of an earlier
plan are never taken for rows of this one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import strict_json
from atoll.scripts.lab.islands.budgeted import best_after
from atoll.scripts.lab.islands.equal_budgets.arms import (
    DEFAULTS,
    EARLY_SHARE,
    FAMILIES,
    POOLED,
    TARGET_SEEDS,
    TUNING_SEEDS,
    Contender,
    Problem,
    contenders,
    grid,
    heads,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atoll.evo.config import Value
    from atoll.evo.runlog import Record
    from atoll.scripts.lab.islands.budgeted import Arm

Rows = dict[str, "Record"]
"""Each run's row by its key."""
Breeding = dict[str, "Value"]


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        problem: On what.
        arm: By whom.
        seed: Of the run.
    """

    problem: Problem
    arm: Arm
    seed: int

    @property
    def key(self) -> str:
        """Name all that decides the result: 16 hexadecimal digits."""
        arm = self.arm
        decides = {
            "task": self.problem.task,
            "options": dict(self.problem.options),
            "budget": self.problem.budget,
            "islands": arm.islands,
            "population": arm.population,
            "settings": arm.settings,
            "is_varied": arm.is_varied,
            "seed": self.seed,
        }
        return hashlib.sha256(strict_json.encode(decides)).hexdigest()[:16]

    @property
    def island_generations(self) -> int:
        """Generations of all islands together, about: what a run costs beside its evaluations."""
        return self.problem.budget // self.arm.population


@dataclass(frozen=True)
class Targets:
    """What has to be reached on a problem.

    Attributes:
        final: What the tuned pooled population's median run reaches with its whole budget.
        early: The same with a quarter of it.
    """

    final: float
    early: float


def tuning(problem: Problem) -> list[Job]:
    """Return the runs that choose breeding settings, seed by seed."""
    return [
        Job(problem, heads(problem)[family].arm(breeding), seed)
        for seed in TUNING_SEEDS
        for family in FAMILIES
        for breeding in grid(problem, family)
    ]


def tuned(problem: Problem, rows: Rows) -> dict[str, Breeding]:
    """Return the breeding settings that each family has, once all `tuning` runs are there; the defaults are empty.

    The best median of what was found in the end; of equals, who found more on the way.
    """
    chosen: dict[str, Breeding] = {DEFAULTS: {}}
    for family in FAMILIES:
        head = heads(problem)[family]
        scores = [merit(found_by(problem, head, breeding, TUNING_SEEDS, rows)) for breeding in grid(problem, family)]
        chosen[family] = grid(problem, family)[max(range(len(scores)), key=lambda n: (scores[n], -n))]
    return chosen


def merit(rows: Sequence[Record]) -> tuple[float, float]:
    """Return what settings are ranked by: the median of the final best, and the mean of the best over the budget."""
    on_the_way = [float(np.mean([best_after(row, spent) for spent in _milestones(row)])) for row in rows]
    return float(np.median([row["best"][-1] for row in rows])), float(np.mean(on_the_way))


def _milestones(row: Record) -> list[int]:
    """Return ten shares of what was spent, from where the founders are known."""
    first, last = row["evaluations"][0], row["evaluations"][-1]
    return [first + (last - first) * n // 10 for n in range(1, 11)]


def targeting(problem: Problem, breeding: Mapping[str, Breeding]) -> list[Job]:
    """Return the runs that set the targets."""
    arm = heads(problem)[POOLED].arm(breeding[POOLED])
    return [Job(problem, arm, seed) for seed in TARGET_SEEDS]


def targets(problem: Problem, breeding: Mapping[str, Breeding], rows: Rows) -> Targets:
    """Return the targets, once all `targeting` runs are there."""
    found = [rows[job.key] for job in targeting(problem, breeding)]
    early = [best_after(row, problem.budget // EARLY_SHARE) for row in found]
    return Targets(float(np.median([row["best"][-1] for row in found])), float(np.median(early)))


def testing(problem: Problem, breeding: Mapping[str, Breeding]) -> list[Job]:
    """Return the runs that are compared, seed by seed."""
    arms = [each.arm(breeding[each.family]) for each in contenders(problem)]
    return [Job(problem, arm, seed) for seed in problem.test_seeds for arm in arms]


def found_by(
    problem: Problem, contender: Contender, breeding: Breeding, seeds: Iterable[int], rows: Rows
) -> list[Record]:
    """Return the rows of a contender, by seed."""
    arm = contender.arm(breeding)
    return [rows[Job(problem, arm, seed).key] for seed in seeds]


def missing(jobs: Iterable[Job], rows: Rows) -> list[Job]:
    """Return the runs that have no row yet, each once."""
    return list({job.key: job for job in jobs if job.key not in rows}.values())
