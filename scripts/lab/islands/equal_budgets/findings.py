"""Statistics of the rows: expected running time with intervals, rank tests, corrected p-values, comparisons. Pure.

Runs of two arms are taken as unpaired. They are not quite: with equal seeds a large population's first founders are
those of a small one, and arms that differ in migration alone are the same until the first migrants come. What runs have
in common makes them differ less, so if anything intervals and p-values are on the careful side. An arm is described by
its expected running time (all evaluations spent, by runs that miss the target too, for each one that reached it), two
arms by the ratio of theirs, with the percentile interval of a bootstrap that resamples the runs of each, and by a rank
test on evaluations to the target in which a run that misses it ranks behind all that reach it.

Source: Auger & Hansen 2005, Hansen et al. 2010 (expected running time); Mann & Whitney 1947; Vargha & Delaney 2000 (the
probability of superiority); Luby, Sinclair & Zuckerman 1993 (the best fixed time after which to start anew).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats as scipy_stats

from atoll.scripts.lab.islands.budgeted import evaluations_to
from atoll.scripts.lab.islands.equal_budgets import plan
from atoll.scripts.lab.kit.stats import LEVEL, RESAMPLES, holm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from atoll.evo.runlog import Record
    from atoll.scripts.lab.islands.equal_budgets.plan import Breeding, Rows, Targets

    Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A statistic with its bootstrap interval.

    Attributes:
        value: Of the runs; not a number where they do not tell.
        high: Its upper end, infinite where a resample may miss everything.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Times:
    """Evaluations that the runs of one arm took to a target.

    Attributes:
        to_target: Evaluations to it, infinite for a run that missed it, [R].
        spent: Evaluations until then, or all of a run that missed it, [R].
    """

    to_target: Doubles
    spent: Doubles

    @classmethod
    def of(cls, rows: Sequence[Record], target: float) -> Times:
        """Read them from rows."""
        found = [evaluations_to(row, target) for row in rows]
        ends = [row["evaluations"][-1] for row in rows]
        return cls(
            np.asarray([math.inf if each is None else each for each in found], dtype=np.float64),
            np.asarray([end if each is None else each for each, end in zip(found, ends, strict=True)], np.float64),
        )

    @property
    def n_reached(self) -> int:
        """How many runs reached the target."""
        return int(np.isfinite(self.to_target).sum())

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.spent)


def running_time(to_target: Doubles, spent: Doubles) -> Doubles:
    """Return the expected running time of each sample [..., R] -> [...], infinite where no run reached the target."""
    reached = np.isfinite(to_target).sum(axis=-1)
    with np.errstate(divide="ignore"):
        time: Doubles = np.where(reached > 0, spent.sum(axis=-1) / reached, math.inf)
    return time


def restarted_time(to_target: Doubles, _spent: Doubles) -> Doubles:
    """Return the same if every run were ended, and begun anew, after the number of evaluations that suits it best.

    The best is chosen with hindsight: it is one of the times at which a run reached the target; [..., R] -> [...].
    """
    times = np.sort(to_target, axis=-1)
    n = times.shape[-1]
    reached = np.arange(1, n + 1)
    with np.errstate(invalid="ignore"):
        cost = (np.cumsum(times, axis=-1) + (n - reached) * times) / reached
    best: Doubles = np.where(np.isfinite(times), cost, math.inf).min(axis=-1)
    return best


def ratio(
    over: Times, under: Times, *, seed: int, time: Callable[[Doubles, Doubles], Doubles] = running_time
) -> Interval:
    """Return how many times as long `over` takes as `under`, with its interval.

    If one of them never reaches the target, the ratio is infinite or 0; if neither does it is unknown, and so not a
    number. A resample in which neither does may be anything: it lies below the lower end and above the upper one.
    """
    rng = np.random.default_rng(seed)
    resampled = [
        time(each.to_target[drawn], each.spent[drawn])
        for each in (over, under)
        for drawn in (rng.integers(len(each), size=(RESAMPLES, len(each))),)
    ]
    value = _over(time(over.to_target, over.spent), time(under.to_target, under.spent))
    ratios = _over(*resampled)
    low, _ = _quantiles(np.nan_to_num(ratios, nan=0.0, posinf=math.inf))
    _, high = _quantiles(np.nan_to_num(ratios, nan=math.inf, posinf=math.inf))
    return Interval(float(value), low, high)


def _over(over: Doubles, under: Doubles) -> Doubles:
    with np.errstate(invalid="ignore"):
        found: Doubles = over / under
    return found


def median(values: Sequence[float], *, seed: int) -> Interval:
    """Return the median with its interval."""
    known = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(len(known), size=(RESAMPLES, len(known)))
    return Interval(float(np.median(known)), *_quantiles(np.median(known[drawn], axis=1)))


def _quantiles(resampled: Doubles) -> tuple[float, float]:
    """Return the ends of the middle 95 %, each a value that occurred: infinite ones cannot be averaged."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)


@dataclass(frozen=True)
class Ranks:
    """Two arms by rank.

    Attributes:
        p: Of the two-sided Mann-Whitney test, not corrected.
        superiority: Probability that a run of the first has the larger value, ties counted half.
    """

    p: float
    superiority: float


def compare(one: Sequence[float] | Doubles, other: Sequence[float] | Doubles) -> Ranks:
    """Rank the runs of two arms, infinite values as the largest, all alike."""
    first, second = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    ranks = scipy_stats.rankdata(np.concatenate([first, second]))
    n, m = len(first), len(second)
    superiority = (ranks[:n].sum() - n * (n + 1) / 2) / (n * m)
    if np.ptp(ranks) == 0:
        return Ranks(1.0, float(superiority))
    p = scipy_stats.mannwhitneyu(ranks[:n], ranks[n:], method="asymptotic").pvalue
    return Ranks(float(p), float(superiority))


SEED = 6
"""Of every bootstrap."""
MUST_SHOW = 2.0
"""How many times as fast islands are to be somewhere."""


@dataclass(frozen=True)
class Showing:
    """Runs of one contender on one problem."""

    contender: plan.Contender
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
        seeds: With how many seeds everybody has run.
        tried: Of the tuning runs, each setting's times to the final target, by family in the order of its grid.
    """

    problem: plan.Problem
    breeding: dict[str, Breeding]
    targets: Targets
    seeds: int
    showings: dict[str, Showing]
    tried: dict[str, list[Times]]

    def ratio(self, over: str, under: str) -> Interval:
        """Return how many times as long one takes to the final target as another."""
        return ratio(self.showings[over].times, self.showings[under].times, seed=SEED)

    def early_ratio(self, over: str, under: str) -> Interval:
        """Return the same for the early target."""
        return ratio(self.showings[over].early, self.showings[under].early, seed=SEED)

    def restarted_ratio(self, over: str, under: str) -> Interval:
        """Return the same for the final target, each begun anew as often as suits it best."""
        one, other = self.showings[over].times, self.showings[under].times
        return ratio(one, other, seed=SEED, time=restarted_time)

    def ranks(self, over: str, under: str) -> Ranks:
        """Return the rank test on evaluations to the final target."""
        return compare(self.showings[over].times.to_target, self.showings[under].times.to_target)


def verdict(found: Interval, p: float, *, faster: str, than: str) -> str:
    """Say who is faster, where interval and test agree; what is not shown is undecided, not equal.

    Args:
        found: Evaluations of the latter to those of the former.
        p: Of the rank test, corrected.
        faster: Who is asked to be faster.
        than: Than whom.
    """
    if p <= 1 - LEVEL and found.low > 1:
        return f"{faster} faster"
    if p <= 1 - LEVEL and found.high < 1:
        return f"{than} faster"
    return "undecided"


@dataclass(frozen=True)
class Comparison:
    """Two contenders on one problem.

    Attributes:
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
        """The verdict on both."""
        return verdict(self.ratio, self.p, faster=self.faster, than=self.than)

    @property
    def is_shown(self) -> bool:
        """What the experiment was to show holds here: at least twice as fast, by interval and corrected test."""
        return self.ratio.value >= MUST_SHOW and self.verdict == f"{self.faster} faster"


def found(problem: plan.Problem, rows: Rows) -> Findings | None:
    """Return what the rows say of a problem; nothing until it is tuned, has its targets, and one seed is compared.

    Only seeds with which everybody has run count: nobody has more runs than another.
    """
    if plan.missing(plan.tuning(problem), rows):
        return None
    breeding = plan.tuned(problem, rows)
    if plan.missing(plan.targeting(problem, breeding), rows):
        return None
    absent = {job.seed for job in plan.missing(plan.testing(problem, breeding), rows)}
    seeds = [seed for seed in problem.test_seeds if seed not in absent]
    if not seeds:
        return None
    targets = plan.targets(problem, breeding, rows)
    showings = {
        each.name: Showing(each, plan.found_by(problem, each, breeding[each.family], seeds, rows), targets)
        for each in plan.contenders(problem)
    }
    tried = {
        family: [
            Times.of(plan.found_by(problem, head, setting, plan.TUNING_SEEDS, rows), targets.final)
            for setting in plan.grid(problem, family)
        ]
        for family, head in plan.heads(problem).items()
    }
    return Findings(problem, breeding, targets, len(seeds), showings, tried)


def primary(findings: Sequence[Findings]) -> list[Comparison]:
    """Return the one comparison that was named first, on every problem."""
    return compared([(each, *plan.PRIMARY) for each in findings])


def secondary(findings: Sequence[Findings]) -> list[Comparison]:
    """Return those that were named beforehand, too."""
    return compared([(each, *pair) for pair in plan.SECONDARY for each in findings])


def exploratory(findings: Sequence[Findings]) -> list[Comparison]:
    """Return the reference islands against each of all that nobody had named."""
    named = {name for pair in (plan.PRIMARY, *plan.SECONDARY) for name in pair}
    return compared([(each, name, plan.ISLANDS) for each in findings for name in each.showings if name not in named])


def compared(pairs: Sequence[tuple[Findings, str, str]]) -> list[Comparison]:
    """Return comparisons whose p-values are corrected for their number."""
    p = holm({place: each.ranks(than, faster).p for place, (each, faster, than) in enumerate(pairs)})
    return [
        Comparison(each, faster, than, each.ratio(than, faster), p[place])
        for place, (each, faster, than) in enumerate(pairs)
    ]
