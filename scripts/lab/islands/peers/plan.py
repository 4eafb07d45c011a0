"""Plan of the comparison with pygmo, fixed before it is run, Atoll's side of it, and what is known after each round.

All have the same archipelago: as many islands of as many individuals, one migrant along a ring every ten generations,
as pygmo migrates by itself, and as many generations; and each algorithm gets the same number of settings tried on the
same number of seeds. The functions are pygmo's own, evaluated by pygmo for both.

Atoll scores its immigrants anew and pays for that; pygmo takes over what they scored. Atoll's archipelago evolves in
lockstep, in this process. A round ends when all islands have evolved one interval between migrations.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.recorder import MemoryRecorder
from atoll.scripts.lab.islands import budgeted
from atoll.scripts.lab.islands.budgeted import Arm
from atoll.scripts.lab.islands.equal_budgets.findings import Times
from atoll.scripts.run.archipelago import evolve_together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from atoll.evo.genome import Floats
    from atoll.evo.runlog import Record
    from atoll.evo.settings import Value
    from atoll.evo.tasks.task import Task


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
    """One archipelago."""

    contender: str
    setting: Mapping[str, Value]
    problem: Problem
    seed: int
    generations: int = GENERATIONS
    interval: int = INTERVAL
    is_connected: bool = True


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
    return entry, replace(entry, is_connected=False)


@dataclass(frozen=True)
class Round:
    """Progress of an archipelago: evaluations, best fitness, time.

    Attributes:
        evaluations: Of all islands, immigrants included where they are evaluated.
        best: The best fitness that any of them has met; 0 is the optimum.
        cpu_s: Processor time of the whole process since then.
    """

    evaluations: int
    best: float
    wall_s: float
    cpu_s: float


class Watched:
    """A task that notes after every batch what was spent and found: it passes everything else on.

    Copies are evaluated too, as pygmo does and as Atoll did when this was measured first.
    """

    is_deterministic = False

    def __init__(self, task: Task) -> None:
        self.name, self.backend, self.options, self.spec = task.name, task.backend, task.options, task.spec
        self.seen: list[Round] = []
        self._task = task
        self._start_s = time.perf_counter(), time.process_time()

    def evaluate(self, genes: Floats, episode: int) -> Floats:
        """See `Task.evaluate`."""
        fitness = self._task.evaluate(genes, episode)
        before = self.seen[-1] if self.seen else Round(0, -np.inf, 0.0, 0.0)
        spent_s = time.perf_counter() - self._start_s[0], time.process_time() - self._start_s[1]
        best = max(before.best, float(fitness.max()))
        self.seen.append(Round(before.evaluations + len(genes), best, *spent_s))
        return fitness


def by_round(seen: Sequence[Round], *, ends: Sequence[int]) -> list[Round]:
    """Return where an archipelago was when so many had been evaluated; a batch ends with each."""
    at = {each.evaluations: each for each in seen}
    return [at[end] for end in ends]


def times(rows: Sequence[Record], target: float, of: Callable[[Round], float]) -> Times:
    """Return what each run had spent when it was first seen at the target, looked at after every round."""
    reached, spent = [], []
    for row in rows:
        rounds = [Round(*each) for each in row["rounds"]]
        found = next((each for each in rounds if each.best >= target), None)
        reached.append(np.inf if found is None else of(found))
        spent.append(of(rounds[-1] if found is None else found))
    return Times(np.asarray(reached, dtype=np.float64), np.asarray(spent, dtype=np.float64))


def evolve(entry: Entry, task: Task) -> list[Round]:
    """Evolve it round by round; without migration islands evolve one after the other, and all is one round."""
    arm = Arm(ATOLL, ISLANDS, POPULATION, {**entry.setting, **migration(entry)})
    ends = round_ends(entry)
    watched = Watched(task)
    evolve_together(
        budgeted.plan(arm, seed=entry.seed, budget=ends[-1]), watched, recorder_of=lambda _: MemoryRecorder()
    )
    return by_round(watched.seen, ends=ends)


def migration(entry: Entry) -> dict[str, Value]:
    """Return the settings with which islands migrate as pygmo's do: a neighbour's best replaces who is worse."""
    return {
        "topology": "two-way-ring" if entry.is_connected else "none",
        "migrants": MIGRANTS,
        "replacement": "only-if-better",
        "duplicates": "accept",
        "migrate_every": entry.interval,
    }


def round_ends(entry: Entry) -> list[int]:
    """Return what all islands have evaluated at the end of each round: their immigrants come with the next one."""
    founders_and_children = POPULATION * (entry.generations + 1)
    if not entry.is_connected:
        return [ISLANDS * founders_and_children]
    n = entry.generations // entry.interval
    ends = [ISLANDS * (POPULATION * (k * entry.interval + 1) + MIGRANTS * (k - 1)) for k in range(1, n + 1)]
    return [*ends[:-1], ISLANDS * (founders_and_children + MIGRANTS * n)]
