"""The workload that every arm gets: an ordered list of trials, each a whole evolution run over its seeds.

A trial is the island loop with nobody to exchange with, and a pure function of its arguments: whatever runs it, the
result and its hash are the same. It tries out six settings of the genetic algorithm, each with its range.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.config import island_config
from atoll.evo.errors import ConfigError
from atoll.evo.island import evolve
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.rng import stream
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.kit.former import BEFORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import State


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


@dataclass(frozen=True)
class Tier:
    """Size of a trial.

    Attributes:
        life_s: How long a creature lives on its one course, in seconds.
    """

    population: int
    generations: int
    seeds: int
    life_s: float = 30.0


TIERS = {
    "tiny": Tier(400, 6, 1, life_s=5.0),
    "small": Tier(200, 20, 2),
    "medium": Tier(300, 50, 3),
    "production": Tier(500, 150, 3),
}
"""`tiny` is for tests and for many repetitions: a population at which PyTorch uses several threads, and short lives."""

COURSES = 1
FIRST_SEED = 1


@dataclass(frozen=True)
class TrialResult:
    """Result of a trial.

    Attributes:
        sha256: Over the last genes, their fitness and the champion of every seed.
    """

    fitness: tuple[float, ...]
    evaluations: int
    sha256: str


NO_RESULT = TrialResult((), 0, "")
"""Of a trial that raised."""


def tier_named(name: str) -> Tier:
    """Return the tier of that name."""
    if name not in TIERS:
        raise ConfigError(f"--tier must be one of {', '.join(TIERS)}; got {name!r}")
    return TIERS[name]


def sample_configs(n: int, *, seed: int) -> tuple[TrialConfig, ...]:
    """Draw the first `n` configurations of an endless list that `seed` fixes."""
    return tuple(_sample(seed, index) for index in range(n))


def _sample(seed: int, index: int) -> TrialConfig:
    rng = stream(seed, "compare", index, "configuration")
    return strict.from_json(TrialConfig, {name: domain.at(rng.random()) for name, domain in SEARCH_SPACE.items()})


def seeds_of(tier: Tier) -> tuple[int, ...]:
    """Return the seeds of every trial of a tier."""
    return tuple(range(FIRST_SEED, FIRST_SEED + tier.seeds))


def island_name(index: int) -> str:
    """Name the island of a trial; it decides its random numbers."""
    return f"trial-{index}"


def settings_of(config: TrialConfig, tier: Tier) -> dict[str, int | float | str]:
    """Return a trial's settings as an island's, seed and evaluator left out."""
    sizes = {"population": tier.population, "generations": tier.generations}
    return {**BEFORE, **asdict(config), **sizes, "topology": "none"}


def plan(index: int, config: TrialConfig, tier: Tier, *, seed: int) -> IslandConfig:
    """Return the settings of one seed of a trial."""
    return island_config(island_name(index), {**settings_of(config, tier), "seed": seed}, {})


def creatures(tier: Tier, evaluator: str) -> Creatures:
    """Return the problem; the reference evaluator takes as many threads as PyTorch likes in this process."""
    return Creatures(CreatureOptions(courses=COURSES, life_s=tier.life_s), backend=evaluator, threads=None)


def run_trial(
    index: int,
    config: TrialConfig,
    seeds: Sequence[int],
    *,
    budget: Tier,
    evaluator: str,
    observe: Callable[[State], None] = lambda _: None,
) -> TrialResult:
    """Evolve once for each seed."""
    task = creatures(budget, evaluator)
    return summarise(
        evolve(
            plan(index, config, budget, seed=seed),
            task,
            exchange=None,
            recorder=MemoryRecorder(observe),
            resumed=None,
            is_stopping=lambda: False,
        )
        for seed in seeds
    )


def summarise(states: Iterable[State]) -> TrialResult:
    """Return the result of a trial whose seeds ended in these states."""
    states = list(states)
    digest = hashlib.sha256()
    for state in states:
        champion = state.champion
        for array in (state.population.genes, state.fitness, champion.individual.genes, np.float64(champion.fitness)):
            digest.update(np.ascontiguousarray(array).tobytes())
    fitness = tuple(float(state.champion.fitness) for state in states)
    return TrialResult(fitness, sum(state.counts.evaluations for state in states), digest.hexdigest())
