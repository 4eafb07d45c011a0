"""Everything that needs pygmo: its functions for both sides, and its archipelago."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pygmo

from atoll.evo.genome import Floats, GenomeSpec, Segment
from atoll.scripts.lab.islands.peers.plan import DIMENSIONS, ISLANDS, MIGRANTS, POPULATION, SGA
from atoll.scripts.lab.islands.peers.rounds import Round

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atoll.evo.tasks.task import OptionValue
    from atoll.scripts.lab.islands.peers.plan import Entry, Problem

VERSION: str = pygmo.__version__


def problem_of(problem: Problem) -> Any:  # noqa: ANN401 - pygmo has no types
    """Return pygmo's problem."""
    if problem.number:
        return pygmo.problem(getattr(pygmo, problem.name)(prob_id=problem.number, dim=DIMENSIONS))
    return pygmo.problem(getattr(pygmo, problem.name)(DIMENSIONS))


class PygmoTask:
    """A function of pygmo as a task of Atoll, evaluated by pygmo.

    Implements `atoll.evo.tasks.task.Task`; deterministic.
    """

    backend = "pygmo"

    def __init__(self, problem: Problem) -> None:
        self.name = problem.label
        self.options: Mapping[str, OptionValue] = {"dimensions": DIMENSIONS}
        self._problem = problem_of(problem)
        self._least = problem.least
        self._evaluate = pygmo.bfe(pygmo.thread_bfe())
        low, high = self._problem.get_bounds()
        self.spec = GenomeSpec((Segment("x", DIMENSIONS, float(low[0]), float(high[0])),))

    def evaluate(self, genes: Floats, episode: int) -> Floats:  # noqa: ARG002 - nothing here is left to chance
        """Return how much lower than the least each value is, float32 [P]."""
        values = self._evaluate(self._problem, np.ascontiguousarray(genes, dtype=np.float64).ravel())
        scores: Floats = (self._least - values).astype(np.float32)
        return scores


def live(entry: Entry) -> list[Round]:
    """Evolve pygmo's archipelago, round by round: all islands have lived an interval before any begins the next.

    Its islands are threads that take whatever migrants are there, so equal seeds do not give equal runs.
    """
    # Founders are evaluated as islands are made, and paid for as Atoll's are.
    watches = Watch(time.perf_counter), Watch(time.process_time)
    archipelago = pygmo.archipelago(t=pygmo.ring() if entry.is_connected else pygmo.unconnected(), seed=entry.seed)
    for n in range(ISLANDS):
        archipelago.push_back(
            algo=pygmo.algorithm(_algorithm(entry, seed=entry.seed * ISLANDS + n)),
            prob=problem_of(entry.problem),
            size=POPULATION,
            seed=entry.seed * ISLANDS + n,
            udi=pygmo.thread_island(),
            r_pol=pygmo.fair_replace(MIGRANTS),
            s_pol=pygmo.select_best(MIGRANTS),
        )
    rounds = []
    for _ in range(entry.generations // entry.interval):
        archipelago.evolve(1)
        archipelago.wait_check()
        wall_s, cpu_s = (watch.pause() for watch in watches)
        best = min(float(values[0]) for values in archipelago.get_champions_f())
        evaluations = sum(island.get_population().problem.get_fevals() for island in archipelago)
        rounds.append(Round(evaluations, entry.problem.least - best, wall_s, cpu_s))
        for watch in watches:
            watch.resume()
    return rounds


class Watch:
    """A clock's time since the beginning, but for what was spent on looking at results.

    Args:
        clock: Tells seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counted_s = 0.0
        self._since_s = clock()

    def pause(self) -> float:
        """Return what was counted, in seconds, and count no more."""
        self._counted_s += self._clock() - self._since_s
        return self._counted_s

    def resume(self) -> None:
        """Go on counting."""
        self._since_s = self._clock()


def _algorithm(entry: Entry, *, seed: int) -> Any:  # noqa: ANN401 - see `problem_of`
    kind = pygmo.sga if entry.contender == SGA else pygmo.de
    return kind(gen=entry.interval, seed=seed, **entry.setting)
