"""Plan of the experiment, written before a test seed is run: problems, contenders, comparisons, the runs of a stage.

Three sets of seeds that share nobody: on the first each family of contenders gets the same number of settings tried and
keeps the best; on the second the tuned pooled population alone sets the targets; on the third everything is compared.

The primary comparison is one: the reference islands against one pooled population of as many individuals, evaluations
to the final target. A few more are named beforehand (`SECONDARY`); all the rest is exploration. Each of the three is
corrected for its own number (Holm).

A run is known by everything that decides its result (`Job.key`), so equal ones are run once, and rows of an earlier
plan are never taken for rows of this one. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import strict_json
from atoll.evo.errors import ConfigError
from atoll.scripts.lab.islands.budgeted import Arm, best_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atoll.evo.runlog import Record
    from atoll.evo.settings import Value


TUNING_SEEDS = range(1001, 1006)
TARGET_SEEDS = range(2001, 2022)
"""An odd number, so that their median is what one of them reached."""
FIRST_TEST_SEED = 1
EARLY_SHARE = 4
"""The early target is what the pooled population has reached after this part of the budget: 1 / 4."""

POOLED, STRONG, SMALL, ISOLATED, ISLANDS = "pooled", "pooled, strong", "one small", "isolated", "islands"
FAMILIES = (POOLED, STRONG, SMALL, ISOLATED, ISLANDS)
"""Who is tuned: each on its own, with as many settings as the others."""
DEFAULTS = "defaults"
"""In place of a family: the breeding settings that Atoll has by itself."""

UNTUNED, VARIED = "islands, defaults", "islands, varied"
PROMISCUOUS = "full, 5 every 10"
"""What `cli.py evolve` did by itself when this was measured: all meet, and five come at a time."""

PRIMARY = (ISLANDS, POOLED)
SECONDARY = ((ISOLATED, POOLED), (ISLANDS, ISOLATED), (ISLANDS, STRONG), (ISLANDS, SMALL), (VARIED, UNTUNED))
"""Splitting alone; migration on top of it; a pooled population as greedy; one island's population, for as long; islands
that differ, where nobody tuned them."""

REFERENCE: dict[str, Value] = {"topology": "ring", "migrants": 1, "migrate_every": 10}
RATES, INTERVALS = (1, 2, 5), (1, 5, 10, 30)
TOPOLOGIES = ("full", "two-way-ring", "star", "random-2")
USUAL_TOURNAMENTS, STRONG_TOURNAMENTS = (2, 5), (10, 20)


@dataclass(frozen=True)
class Problem:
    """A task with a budget.

    Attributes:
        kind: What makes it hard, in words.
        variations: Mutation rates with scales that tuning tries, each with two tournaments.
        budget: Evaluations of a run, immigrants included.
        population: Individuals of the pooled population, and of all islands together.
        splits: Other numbers of islands among which the same population is split.
        is_swept: Every rate, interval, topology and size is tried, not a few of them.
        is_rugged: Deceptive or multimodal: where islands are said to help.
    """

    name: str
    kind: str
    task: str
    options: Mapping[str, str]
    variations: tuple[tuple[float, float], ...]
    budget: int = 60_000
    population: int = 400
    islands: int = 8
    splits: tuple[int, ...] = (2, 4, 20)
    seeds: int = 20
    is_swept: bool = True
    is_rugged: bool = True

    @property
    def test_seeds(self) -> range:
        """Seeds of the runs that are compared."""
        return range(FIRST_TEST_SEED, FIRST_TEST_SEED + self.seeds)

    @property
    def share(self) -> int:
        """Individuals of one reference island."""
        return self.population // self.islands


@dataclass(frozen=True)
class Contender:
    """One way to spend a problem's budget, before its breeding settings are known.

    Attributes:
        family: Whose tuned breeding settings it has, or `DEFAULTS`.
        is_varied: Breeding settings are drawn for each island (`atoll.scripts.run.vary`) instead.
    """

    name: str
    question: str
    family: str
    islands: int
    population: int
    settings: Mapping[str, Value] = field(default_factory=dict)
    is_varied: bool = False

    def arm(self, breeding: Mapping[str, Value]) -> Arm:
        """Return it with breeding settings."""
        together = {**({} if self.is_varied else breeding), **self.settings}
        return Arm(self.name, self.islands, self.population, together, is_varied=self.is_varied)


_BITS = tuple((rate, 0.15) for rate in (0.002, 0.004, 0.008, 0.016, 0.032, 0.064))
_FEW_GENES = tuple((rate, scale) for rate in (0.05, 0.1, 0.2) for scale in (0.03, 0.15))

PROBLEMS = (
    Problem("trap", "deceptive: 15 blocks of 4 bits", "trap", {"dimensions": "60", "order": "4"}, variations=_BITS),
    Problem(
        "trap of 3",
        "deceptive, less so: 20 blocks of 3 bits",
        "trap",
        {"dimensions": "60", "order": "3"},
        variations=_BITS,
        is_swept=False,
    ),
    Problem(
        "rotated Rastrigin",
        "multimodal, rotated, optimum off the centre",
        "rastrigin",
        {"dimensions": "10", "offset": "0.3", "rotated": "true"},
        variations=_FEW_GENES,
    ),
    Problem("Schwefel", "multimodal, deceptive, separable", "schwefel", {"dimensions": "20"}, variations=_FEW_GENES),
    Problem(
        "rotated ellipsoid",
        "one optimum, ill-conditioned, rotated",
        "ellipsoid",
        {"dimensions": "10", "offset": "0.3", "rotated": "true"},
        variations=_FEW_GENES,
        is_swept=False,
        is_rugged=False,
    ),
    Problem(
        "creatures",
        "walking to pellets, 3 courses",
        "creatures",
        {"courses": "3"},
        budget=12_000,
        population=200,
        islands=4,
        splits=(2, 10),
        variations=((0.005, 0.15), (0.01, 0.15), (0.02, 0.15)),
        is_swept=False,
        is_rugged=False,
    ),
)


def named(names: Iterable[str], problems: Sequence[Problem] = PROBLEMS) -> tuple[Problem, ...]:
    """Return the problems of these names, in the order in which they stand here; all if none is named."""
    wanted, known = set(names), {problem.name for problem in problems}
    if wanted - known:
        raise ConfigError(f"no problem is called {', '.join(sorted(wanted - known))}; known are {', '.join(known)}")
    return tuple(problem for problem in problems if not wanted or problem.name in wanted)


def quick(problem: Problem) -> Problem:
    """Return it in a tiny size, to see that all works; its figures mean nothing."""
    return replace(problem, budget=8 * problem.population, seeds=3, variations=problem.variations[:1])


def tournaments(family: str) -> tuple[int, int]:
    """Return the tournament sizes that tuning tries."""
    return STRONG_TOURNAMENTS if family == STRONG else USUAL_TOURNAMENTS


def grid(problem: Problem, family: str) -> list[dict[str, Value]]:
    """Return the breeding settings that a family is tuned over: as many for each."""
    return [
        {"mutation_rate": rate, "mutation_scale": scale, "tournament_size": size}
        for rate, scale in problem.variations
        for size in tournaments(family)
    ]


def heads(problem: Problem) -> dict[str, Contender]:
    """Return the five that are tuned, by family."""
    n, share = problem.population, problem.share
    isolated: dict[str, Value] = {"topology": "none", "migrants": 1}
    return {
        POOLED: Contender(POOLED, "splitting", POOLED, 1, n),
        STRONG: Contender(STRONG, "splitting", STRONG, 1, n),
        SMALL: Contender(SMALL, "splitting", SMALL, 1, share, {"migrants": 1}),
        ISOLATED: Contender(ISOLATED, "splitting", ISOLATED, problem.islands, share, isolated),
        ISLANDS: Contender(ISLANDS, "splitting", ISLANDS, problem.islands, share, REFERENCE),
    }


def contenders(problem: Problem) -> list[Contender]:
    """Return all that are compared on a problem, the tuned ones first."""
    return [
        *heads(problem).values(),
        *_migrating(problem),
        *_split(problem),
        Contender(UNTUNED, "heterogeneity", DEFAULTS, problem.islands, problem.share, REFERENCE),
        Contender(VARIED, "heterogeneity", DEFAULTS, problem.islands, problem.share, REFERENCE, is_varied=True),
    ]


def _migrating(problem: Problem) -> list[Contender]:
    """Return what departs from the reference in who migrates when."""
    every = [(rate, interval) for rate in RATES for interval in INTERVALS]
    few = [(5, 10)]
    pace = {
        f"{rate} every {interval}": {"migrants": rate, "migrate_every": interval}
        for rate, interval in (every if problem.is_swept else few)
        if (rate, interval) != (REFERENCE["migrants"], REFERENCE["migrate_every"])
    }
    topologies = TOPOLOGIES if problem.is_swept else TOPOLOGIES[:1]
    n, share = problem.islands, problem.share
    return [
        *(Contender(name, "rate", ISLANDS, n, share, {**REFERENCE, **changes}) for name, changes in pace.items()),
        Contender("never", "rate", ISLANDS, n, share, {"topology": "none", "migrants": 1}),
        *(Contender(each, "topology", ISLANDS, n, share, {**REFERENCE, "topology": each}) for each in topologies),
        Contender(PROMISCUOUS, "both", ISLANDS, n, share, {**REFERENCE, "topology": "full", "migrants": 5}),
    ]


def _split(problem: Problem) -> list[Contender]:
    """Return the same population in fewer and more islands; then as many islands, for half and for twice as long."""
    sizes = [(n, problem.population // n) for n in problem.splits]
    if problem.is_swept:
        sizes += [(problem.islands, problem.share // 2), (problem.islands, 2 * problem.share)]
    return [Contender(f"{n} x {each}", "size", ISLANDS, n, each, REFERENCE) for n, each in sizes]


Rows = dict[str, "Record"]
"""Each run's row by its key."""
Breeding = dict[str, "Value"]


@dataclass(frozen=True)
class Job:
    """One run."""

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


@dataclass(frozen=True)
class Targets:
    """Target fitness values of a problem.

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
    on_the_way = []
    for row in rows:
        first, last = row["evaluations"][0], row["evaluations"][-1]
        shares = [first + (last - first) * n // 10 for n in range(1, 11)]
        on_the_way.append(float(np.mean([best_after(row, spent) for spent in shares])))
    return float(np.median([row["best"][-1] for row in rows])), float(np.mean(on_the_way))


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
