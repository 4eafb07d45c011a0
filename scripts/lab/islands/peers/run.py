"""Runs beside pygmo, and everything that needs it: its functions for both sides, and its archipelago.

All are tuned alike, the targets are set together, then they meet: one run after the other on one core, in random order.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Any

import numpy as np
import pygmo

from atoll.evo.genome import Floats, GenomeSpec, Segment
from atoll.evo.rng import stream
from atoll.scripts.lab.islands.peers import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from atoll.evo.runlog import Record
    from atoll.evo.settings import Value
    from atoll.evo.tasks.task import OptionValue
    from atoll.scripts.lab.islands.peers.plan import Problem


VERSION: str = pygmo.__version__


def problem_of(problem: Problem) -> Any:  # noqa: ANN401 - pygmo has no types
    """Return pygmo's problem."""
    if problem.number:
        return pygmo.problem(getattr(pygmo, problem.name)(prob_id=problem.number, dim=plan.DIMENSIONS))
    return pygmo.problem(getattr(pygmo, problem.name)(plan.DIMENSIONS))


class PygmoTask:
    """A function of pygmo as a task of Atoll, evaluated by pygmo.

    Implements `atoll.evo.tasks.task.Task`; deterministic.
    """

    backend = "pygmo"
    is_deterministic = True

    def __init__(self, problem: Problem) -> None:
        self.name = problem.label
        self.options: Mapping[str, OptionValue] = {"dimensions": plan.DIMENSIONS}
        self._problem = problem_of(problem)
        self._least = problem.least
        self._evaluate = pygmo.bfe(pygmo.thread_bfe())
        low, high = self._problem.get_bounds()
        self.spec = GenomeSpec((Segment("x", plan.DIMENSIONS, float(low[0]), float(high[0])),))

    def evaluate(self, genes: Floats, episode: int) -> Floats:  # noqa: ARG002 - nothing here is left to chance
        """Return how much lower than the least each value is, float32 [P]."""
        values = self._evaluate(self._problem, np.ascontiguousarray(genes, dtype=np.float64).ravel())
        scores: Floats = (self._least - values).astype(np.float32)
        return scores


def evolve(entry: plan.Entry) -> list[plan.Round]:
    """Evolve pygmo's archipelago, round by round: all islands have evolved an interval before any begins the next.

    Its islands are threads that take whatever migrants are there, so equal seeds do not give equal runs.
    """
    # Founders are evaluated as islands are made, and paid for as Atoll's are.
    watches = Watch(time.perf_counter), Watch(time.process_time)
    archipelago = pygmo.archipelago(t=pygmo.ring() if entry.is_connected else pygmo.unconnected(), seed=entry.seed)
    kind = pygmo.sga if entry.contender == plan.SGA else pygmo.de
    for n in range(plan.ISLANDS):
        archipelago.push_back(
            algo=pygmo.algorithm(kind(gen=entry.interval, seed=entry.seed * plan.ISLANDS + n, **entry.setting)),
            prob=problem_of(entry.problem),
            size=plan.POPULATION,
            seed=entry.seed * plan.ISLANDS + n,
            udi=pygmo.thread_island(),
            r_pol=pygmo.fair_replace(plan.MIGRANTS),
            s_pol=pygmo.select_best(plan.MIGRANTS),
        )
    rounds = []
    for _ in range(entry.generations // entry.interval):
        archipelago.evolve(1)
        archipelago.wait_check()
        wall_s, cpu_s = (watch.pause() for watch in watches)
        best = min(float(values[0]) for values in archipelago.get_champions_f())
        evaluations = sum(island.get_population().problem.get_fevals() for island in archipelago)
        rounds.append(plan.Round(evaluations, entry.problem.least - best, wall_s, cpu_s))
        for watch in watches:
            watch.resume()
    return rounds


def evolve_alone(
    algorithm: str, problem: Problem, *, seed: int, population: int, generations: int, interval: int
) -> list[plan.Round]:
    """Evolve one population of pygmo's, interval by interval; what it has adapted to, it keeps from one to the next."""
    settings: dict[str, Value | bool] = {"memory": True, "ftol": 0.0, "xtol": 0.0}
    if algorithm == "cmaes":
        settings["force_bounds"] = True
    watches = Watch(time.perf_counter), Watch(time.process_time)
    individuals = pygmo.population(problem_of(problem), size=population, seed=seed)
    method = pygmo.algorithm(getattr(pygmo, algorithm)(gen=interval, seed=seed, **settings))
    rounds = []
    for _ in range(generations // interval):
        individuals = method.evolve(individuals)
        wall_s, cpu_s = (watch.pause() for watch in watches)
        best = problem.least - float(individuals.champion_f[0])
        rounds.append(plan.Round(individuals.problem.get_fevals(), best, wall_s, cpu_s))
        for watch in watches:
            watch.resume()
    return rounds


class Watch:
    """A clock's time since the beginning, but for what was spent on looking at results."""

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


Setting = dict[str, "Value"]


def measure(*, seeds: int, write: Callable[[Record], None], tell: Callable[[str], None]) -> None:
    """Run everything; each run is a row as soon as it is known."""
    with on_one_core():
        chosen = {}
        for problem in plan.PROBLEMS:
            tell(f"{problem.label}: tuning, {len(plan.grid(plan.ATOLL))} settings for each of {len(plan.CONTENDERS)}")
            chosen[problem] = {name: _tune(problem, name, write=write) for name in plan.CONTENDERS}
            for seed in plan.TARGET_SEEDS:
                _block(
                    [plan.Entry(name, chosen[problem][name], problem, seed) for name in plan.CONTENDERS],
                    "targets",
                    write,
                )
        for seed in range(1, seeds + 1):
            for problem in plan.PROBLEMS:
                entries = [plan.Entry(name, chosen[problem][name], problem, seed) for name in plan.CONTENDERS]
                _block(entries, "comparison", write)
            of_cost = next(each for each in plan.PROBLEMS if each.name == plan.COST_PROBLEM)
            costs = [each for name in plan.CONTENDERS for each in plan.cost(name, chosen[of_cost][name], seed)]
            _block(costs, "cost", write)
            tell(f"seed {seed} of {seeds}")


def run(entry: plan.Entry, *, stage: str) -> Record:
    """Run one archipelago; return its row."""
    task = PygmoTask(entry.problem) if entry.contender == plan.ATOLL else None
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    rounds = evolve(entry) if task is None else plan.evolve(entry, task)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return {
        **asdict(entry),
        "problem": entry.problem.label,
        "stage": stage,
        "rounds": [astuple(each) for each in rounds],
        "run_wall_s": wall_s,
        "run_cpu_s": cpu_s,
    }


def best_setting(settings: list[Setting], rows: list[list[Record]]) -> Setting:
    """Return the setting whose median run found the best in the end; the first of equals."""
    merits = [float(np.median([row["rounds"][-1][1] for row in of_one])) for of_one in rows]
    return settings[int(np.argmax(merits))]


@contextlib.contextmanager
def on_one_core() -> Iterator[None]:
    """Let this process and all its threads use one core alone meanwhile, where the system can be told so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _tune(problem: plan.Problem, contender: str, *, write: Callable[[Record], None]) -> Setting:
    rows = [[run(entry, stage="tuning") for entry in of_one] for of_one in plan.tuning(problem, contender)]
    for of_one in rows:
        for row in of_one:
            write(row)
    return best_setting(plan.grid(contender), rows)


def _block(entries: list[plan.Entry], stage: str, write: Callable[[Record], None]) -> None:
    order: Any = stream(entries[0].seed, entries[0].problem.label, 0, f"order of {stage}").permutation(len(entries))
    for place in order:
        write(run(entries[place], stage=stage))
