"""Statistics of a few noisy blocks: paired log ratios, bootstrap intervals, corrected p-values, a noise floor. Pure.

The unit is a block, in which every arm ran once in random order. What is compared was measured in the same block; a
ratio is taken as its logarithm, so that twice as fast and half as fast are equally far from equal, and so that it does
not matter which of the two arms stands below.

Three blocks show little, whatever the arithmetic: their interval is the range of three values, which covers the true
median three times in four (`coverage`), and the smallest p-value of a two-sided sign test is 0.25. So three blocks
can never make a difference significant, nor two arms equal; they describe. From six blocks on the interval deserves its
95 %, and ten reach p = 0.002.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from scipy import stats as scipy_stats

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

Name = TypeVar("Name", bound="Hashable")

LEVEL = 0.95
RESAMPLES = 9999
EQUIVALENCE = math.log(1.10)
"""Equal means within 10 % in either direction: a ratio between 1/1.1 and 1.1."""

Judgement = Literal["faster", "slower", "equal", "undecided"]


@dataclass(frozen=True)
class Interval:
    """A median of log ratios with its bootstrap interval."""

    median: float
    low: float
    high: float
    n: int

    @property
    def ratios(self) -> tuple[float, float, float]:
        """The median and both ends as ratios."""
        return math.exp(self.median), math.exp(self.low), math.exp(self.high)

    @property
    def has_enough_blocks(self) -> bool:
        """Whether so many blocks can cover the true median as often as the interval claims."""
        return coverage(self.n) >= LEVEL


def coverage(n: int) -> float:
    """Return how often at best an interval made of `n` values covers the median of what they are drawn from.

    It misses when all values lie on one side, which happens with probability 2 * 2^-n.
    """
    return 1.0 - 2.0 ** (1 - n) if n > 0 else 0.0


def log_ratios(over: Mapping[int, float], under: Mapping[int, float]) -> list[float]:
    """Return log(over / under) for each block that has both, in the order of the blocks."""
    return [math.log(over[block] / under[block]) for block in sorted(over.keys() & under.keys())]


def interval(values: Sequence[float], *, seed: int) -> Interval:
    """Return the median and its percentile bootstrap interval.

    The percentile method stays within what was seen, which others, made for smooth statistics, do not for a median of
    few values.
    """
    found = np.sort(np.asarray(values, dtype=np.float64))
    median = float(np.median(found))
    if len(found) == 1 or found[0] == found[-1]:
        return Interval(median, float(found[0]), float(found[-1]), len(found))
    resampled = scipy_stats.bootstrap(
        (found,),
        np.median,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = resampled.confidence_interval
    return Interval(median, float(low), float(high), len(found))


def sign_test(values: Sequence[float]) -> float:
    """Return the exact two-sided p-value for a median of zero.

    The sign test asks nothing of the values' distribution, and a run that missed its deadline, of which only the sign
    is known, can take part. Values of zero are left out, as usual.
    """
    signs = [value > 0 for value in values if value != 0]
    return float(scipy_stats.binomtest(sum(signs), len(signs)).pvalue) if signs else 1.0


def smallest_p(n: int) -> float:
    """Return the smallest p-value that a sign test over `n` blocks can give."""
    return min(1.0, 2.0 ** (1 - n))


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """Return p-values corrected for their number, in the order given. Source: Holm 1979."""
    corrected: dict[Name, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = highest
    return {name: corrected[name] for name in p_values}


def noise_floor(values: Sequence[float]) -> float:
    """Return the largest log ratio, without its sign, between two runs that were the same: what is smaller is noise."""
    return max(abs(value) for value in values)


def judge(found: Interval, p_corrected: float) -> Judgement:
    """Say what is shown, and nothing where too few blocks can show it.

    Equal is a finding, not the absence of one: the whole interval has to lie within 10 %. A difference that is real and
    that small is called equal, since nobody would choose by it.
    """
    if found.has_enough_blocks and found.low >= -EQUIVALENCE and found.high <= EQUIVALENCE:
        return "equal"
    if p_corrected <= 1 - LEVEL and found.low > 0:
        return "faster"
    if p_corrected <= 1 - LEVEL and found.high < 0:
        return "slower"
    return "undecided"
