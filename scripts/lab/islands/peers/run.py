"""Tune all alike, set the targets together, then meet: one run after the other on one core, in random order."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.rng import stream
from atoll.scripts.lab.islands.peers import atoll_side, plan, pygmo_side
from atoll.scripts.lab.islands.peers.plan import ATOLL, CONTENDERS, PROBLEMS, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from atoll.evo.config import Value
    from atoll.evo.runlog import Record

Setting = dict[str, "Value"]


def measure(*, seeds: int, write: Callable[[Record], None], tell: Callable[[str], None]) -> None:
    """Run everything; each run is a row as soon as it is known.

    Args:
        seeds: How many test seeds, from 1 on.
        write: Takes a row.
        tell: Takes a line for people.
    """
    with on_one_core():
        chosen = {}
        for problem in PROBLEMS:
            tell(f"{problem.label}: tuning, {len(plan.grid(ATOLL))} settings for each of {len(CONTENDERS)}")
            chosen[problem] = {name: _tune(problem, name, write=write) for name in CONTENDERS}
            for seed in plan.TARGET_SEEDS:
                _block([Entry(name, chosen[problem][name], problem, seed) for name in CONTENDERS], "targets", write)
        for seed in range(1, seeds + 1):
            for problem in PROBLEMS:
                entries = [Entry(name, chosen[problem][name], problem, seed) for name in CONTENDERS]
                _block(entries, "comparison", write)
            _block([each for name in CONTENDERS for each in _cost(chosen, name, seed)], "cost", write)
            tell(f"seed {seed} of {seeds}")


def run(entry: Entry, *, stage: str) -> Record:
    """Run one archipelago; return its row."""
    task = pygmo_side.PygmoTask(entry.problem) if entry.contender == ATOLL else None
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    rounds = pygmo_side.live(entry) if task is None else atoll_side.live(entry, task)
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


def _block(entries: list[Entry], stage: str, write: Callable[[Record], None]) -> None:
    order: Any = stream(entries[0].seed, entries[0].problem.label, 0, f"order of {stage}").permutation(len(entries))
    for place in order:
        write(run(entries[place], stage=stage))


def _cost(chosen: dict[plan.Problem, dict[str, Setting]], contender: str, seed: int) -> tuple[Entry, Entry]:
    problem = next(each for each in chosen if each.name == plan.COST_PROBLEM)
    return plan.cost(contender, chosen[problem][contender], seed)
