"""What is known after each round: all islands have lived one interval between migrations. Pure, but for a watch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.scripts.lab.islands.equal_budgets.analyse import Times

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.evo.genome import Floats
    from atoll.evo.runlog import Record
    from atoll.evo.tasks.task import Task


@dataclass(frozen=True)
class Round:
    """How far an archipelago is.

    Attributes:
        evaluations: Of all islands, immigrants included where they are evaluated.
        best: The best fitness that any of them has met; 0 is the optimum.
        wall_s: Seconds since the beginning.
        cpu_s: Processor time of the whole process since then.
    """

    evaluations: int
    best: float
    wall_s: float
    cpu_s: float


class Watched:
    """A task that notes after every batch what was spent and found: it passes everything else on.

    Attributes:
        seen: One line for each batch of genomes.
    """

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
    """Return where an archipelago was at the end of each round.

    Args:
        seen: After every batch, in order.
        ends: Evaluations with which each round ends; a batch ends with each.
    """
    at = {each.evaluations: each for each in seen}
    return [at[end] for end in ends]


def times(rows: Sequence[Record], target: float, of: Callable[[Round], float]) -> Times:
    """Return what each run had spent when it was first seen at the target, looked at after every round.

    Args:
        rows: Of the runs, each with its `rounds`.
        target: A fitness.
        of: What counts as spent.
    """
    reached, spent = [], []
    for row in rows:
        rounds = [Round(*each) for each in row["rounds"]]
        found = next((each for each in rounds if each.best >= target), None)
        reached.append(np.inf if found is None else of(found))
        spent.append(of(rounds[-1] if found is None else found))
    return Times(np.asarray(reached, dtype=np.float64), np.asarray(spent, dtype=np.float64))
