"""Who meets whom on what, fixed before it is run. Pure.

All have the same archipelago: as many islands of as many individuals, one migrant along a ring every ten generations,
as pygmo migrates by itself, and as many generations; and each algorithm gets the same number of settings tried on the
same number of seeds. The functions are pygmo's own, evaluated by pygmo for both.

Atoll scores its immigrants anew and pays for that; pygmo takes over what they scored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.config import Value

ISLANDS, POPULATION, GENERATIONS, INTERVAL, MIGRANTS = 8, 50, 100, 10, 1
DIMENSIONS = 10
TUNING_SEEDS, TARGET_SEEDS = range(1001, 1004), range(2001, 2006)
ATOLL, SGA, DE = "Atoll", "pygmo sga", "pygmo de"
CONTENDERS = (ATOLL, SGA, DE)
"""Atoll's genetic algorithm, pygmo's, and the differential evolution that pygmo's users would rather take."""
COST_PROBLEM = "rastrigin"
"""On which the cost of migration is measured, at every generation instead of every tenth."""


@dataclass(frozen=True)
class Problem:
    """A function of pygmo.

    Attributes:
        name: Of pygmo's class.
        number: Which of its functions, 0 where it has but one.
        least: The smallest value that it takes.
    """

    name: str
    number: int = 0
    least: float = 0.0

    @property
    def label(self) -> str:
        """Name it for a table."""
        return f"{self.name} f{self.number}" if self.number else self.name


PROBLEMS = (Problem("rastrigin"), Problem("schwefel"), Problem("cec2014", number=9, least=900.0))
"""The last is Rastrigin's, moved and rotated (Liang, Qu & Suganthan 2013)."""


@dataclass(frozen=True)
class Entry:
    """One archipelago.

    Attributes:
        contender: Which algorithm.
        setting: What it was tuned to.
        problem: On what.
        seed: Of the run.
        generations: In all.
        interval: Between migrations.
        is_connected: Islands exchange migrants at all.
    """

    contender: str
    setting: Mapping[str, Value]
    problem: Problem
    seed: int
    generations: int = GENERATIONS
    interval: int = INTERVAL
    is_connected: bool = True

    def alone(self) -> Entry:
        """Return the same without migration."""
        return replace(self, is_connected=False)


def grid(contender: str) -> list[dict[str, Value]]:
    """Return the settings that a contender is tuned over: sixteen for each."""
    names: dict[str, tuple[tuple[str, tuple[Value, ...]], ...]] = {
        ATOLL: (
            ("mutation_rate", (0.05, 0.15)),
            ("mutation_scale", (0.03, 0.15)),
            ("tournament_size", (2, 5)),
            ("crossover", ("uniform", "sbx")),
        ),
        SGA: (
            ("m", (0.02, 0.1)),
            ("param_m", (1.0, 20.0)),
            ("param_s", (2, 5)),
            ("crossover", ("exponential", "sbx")),
        ),
        DE: (("F", (0.5, 0.8)), ("CR", (0.3, 0.9)), ("variant", (1, 2, 6, 7))),
    }
    choices = names[contender]
    return [dict(zip((name for name, _ in choices), each, strict=True)) for each in product(*(v for _, v in choices))]


def tuning(problem: Problem, contender: str) -> list[list[Entry]]:
    """Return the runs of each setting."""
    return [[Entry(contender, setting, problem, seed) for seed in TUNING_SEEDS] for setting in grid(contender)]


def cost(contender: str, setting: Mapping[str, Value], seed: int) -> tuple[Entry, Entry]:
    """Return two runs that differ in migration at every generation alone: with it, and without."""
    problem = next(each for each in PROBLEMS if each.name == COST_PROBLEM)
    entry = Entry(contender, setting, problem, seed, interval=1)
    return entry, entry.alone()
