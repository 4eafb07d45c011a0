"""What a trial may try out: six settings of the genetic algorithm, each with its range."""

from __future__ import annotations

import math
from dataclasses import dataclass

Choice = int | float | str


@dataclass(frozen=True)
class Real:
    """A number between `low` and `high`; even in its logarithm if `is_log`."""

    low: float
    high: float
    is_log: bool = False

    def at(self, share: float) -> float:
        """Return the value at a share of the range, from 0 to 1."""
        if self.is_log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
            return min(max(value, self.low), self.high)  # the library may round it out of the range
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`."""

    low: int
    high: int

    def at(self, share: float) -> int:
        """Return the value at a share of the range, from 0 up to but not including 1."""
        return self.low + int(share * (self.high - self.low + 1))


@dataclass(frozen=True)
class OneOf:
    """One of several words."""

    words: tuple[str, ...]

    def at(self, share: float) -> str:
        """Return the word at a share of the list, from 0 up to but not including 1."""
        return self.words[int(share * len(self.words))]


SEARCH_SPACE: dict[str, Real | Whole | OneOf] = {
    "mutation_rate": Real(0.001, 0.1, is_log=True),
    "mutation_scale": Real(0.02, 0.5, is_log=True),
    "crossover": OneOf(("uniform", "blend", "sbx", "none")),
    "crossover_rate": Real(0.3, 1.0),
    "tournament_size": Whole(2, 10),
    "elite_share": Real(0.0, 0.2),
}


@dataclass(frozen=True)
class TrialConfig:
    """The settings of one trial, as `atoll.evo.config.Breeding` describes them."""

    mutation_rate: float
    mutation_scale: float
    crossover: str
    crossover_rate: float
    tournament_size: int
    elite_share: float
