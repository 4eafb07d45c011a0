"""Rows put in order: for each problem every contender's runs, its targets, and who is compared with whom. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from atoll.scripts.lab.islands.equal_budgets import analyse, jobs
from atoll.scripts.lab.islands.equal_budgets.analyse import Interval, Ranks, Times
from atoll.scripts.lab.islands.equal_budgets.arms import (
    ISLANDS,
    PRIMARY,
    SECONDARY,
    TUNING_SEEDS,
    Contender,
    Problem,
    contenders,
    grid,
    heads,
)
from atoll.scripts.lab.kit.stats import LEVEL, holm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.runlog import Record
    from atoll.scripts.lab.islands.equal_budgets.jobs import Breeding, Rows, Targets

SEED = 6
"""Of every bootstrap."""
MUST_SHOW = 2.0
"""How many times as fast islands are to be somewhere."""


@dataclass(frozen=True)
class Showing:
    """What one contender showed on one problem.

    Attributes:
        contender: Who.
        rows: Its runs, by seed.
        targets: Of the problem.
    """

    contender: Contender
    rows: Sequence[Record]
    targets: Targets

    @cached_property
    def times(self) -> Times:
        """To the final target."""
        return Times.of(self.rows, self.targets.final)

    @cached_property
    def early(self) -> Times:
        """To the early target."""
        return Times.of(self.rows, self.targets.early)

    @property
    def best(self) -> list[float]:
        """What each run found in the end."""
        return [float(row["best"][-1]) for row in self.rows]

    def column(self, name: str) -> list[float]:
        """Return one figure of each run that has it."""
        return [float(row[name]) for row in self.rows if row.get(name) is not None]


@dataclass(frozen=True)
class Findings:
    """All that was found on one problem.

    Attributes:
        problem: Which.
        breeding: What each family was tuned to.
        targets: What had to be reached.
        seeds: With how many seeds everybody has run.
        showings: Of the contenders, by name.
        tried: Of the tuning runs, each setting's times to the final target, by family in the order of its grid.
    """

    problem: Problem
    breeding: dict[str, Breeding]
    targets: Targets
    seeds: int
    showings: dict[str, Showing]
    tried: dict[str, list[Times]]

    def ratio(self, over: str, under: str) -> Interval:
        """Return how many times as long one takes to the final target as another."""
        return analyse.ratio(self.showings[over].times, self.showings[under].times, seed=SEED)

    def early_ratio(self, over: str, under: str) -> Interval:
        """Return the same for the early target."""
        return analyse.ratio(self.showings[over].early, self.showings[under].early, seed=SEED)

    def restarted_ratio(self, over: str, under: str) -> Interval:
        """Return the same for the final target, each begun anew as often as suits it best."""
        one, other = self.showings[over].times, self.showings[under].times
        return analyse.ratio(one, other, seed=SEED, time=analyse.restarted_time)

    def ranks(self, over: str, under: str) -> Ranks:
        """Return the rank test on evaluations to the final target."""
        return analyse.compare(self.showings[over].times.to_target, self.showings[under].times.to_target)


@dataclass(frozen=True)
class Comparison:
    """Two contenders on one problem.

    Attributes:
        findings: The problem.
        faster: Who is asked to be faster.
        than: Than whom.
        ratio: Evaluations to the final target, of the latter to the former.
        p: Of the rank test, corrected for the number of comparisons of its kind.
    """

    findings: Findings
    faster: str
    than: str
    ratio: Interval
    p: float

    @property
    def verdict(self) -> str:
        """Say which of them is faster, where interval and test agree."""
        if self.p <= 1 - LEVEL and self.ratio.low > 1:
            return f"{self.faster} faster"
        if self.p <= 1 - LEVEL and self.ratio.high < 1:
            return f"{self.than} faster"
        return "undecided"

    @property
    def is_shown(self) -> bool:
        """What the experiment was to show holds here: at least twice as fast, by interval and corrected test."""
        return self.ratio.value >= MUST_SHOW and self.verdict == f"{self.faster} faster"


def found(problem: Problem, rows: Rows) -> Findings | None:
    """Return what the rows say of a problem; nothing until it is tuned, has its targets, and one seed is compared.

    Only seeds with which everybody has run count: nobody has more runs than another.
    """
    if jobs.missing(jobs.tuning(problem), rows):
        return None
    breeding = jobs.tuned(problem, rows)
    if jobs.missing(jobs.targeting(problem, breeding), rows):
        return None
    absent = {job.seed for job in jobs.missing(jobs.testing(problem, breeding), rows)}
    seeds = [seed for seed in problem.test_seeds if seed not in absent]
    if not seeds:
        return None
    targets = jobs.targets(problem, breeding, rows)
    showings = {
        each.name: Showing(each, jobs.found_by(problem, each, breeding[each.family], seeds, rows), targets)
        for each in contenders(problem)
    }
    tried = {
        family: [
            Times.of(jobs.found_by(problem, head, setting, TUNING_SEEDS, rows), targets.final)
            for setting in grid(problem, family)
        ]
        for family, head in heads(problem).items()
    }
    return Findings(problem, breeding, targets, len(seeds), showings, tried)


def primary(findings: Sequence[Findings]) -> list[Comparison]:
    """Return the one comparison that was named first, on every problem."""
    return compared([(each, *PRIMARY) for each in findings])


def secondary(findings: Sequence[Findings]) -> list[Comparison]:
    """Return those that were named beforehand, too."""
    return compared([(each, *pair) for pair in SECONDARY for each in findings])


def exploratory(findings: Sequence[Findings]) -> list[Comparison]:
    """Return the reference islands against each of all that nobody had named."""
    named = {name for pair in (PRIMARY, *SECONDARY) for name in pair}
    return compared([(each, name, ISLANDS) for each in findings for name in each.showings if name not in named])


def compared(pairs: Sequence[tuple[Findings, str, str]]) -> list[Comparison]:
    """Return comparisons whose p-values are corrected for their number."""
    p = holm({place: each.ranks(than, faster).p for place, (each, faster, than) in enumerate(pairs)})
    return [
        Comparison(each, faster, than, each.ratio(than, faster), p[place])
        for place, (each, faster, than) in enumerate(pairs)
    ]
