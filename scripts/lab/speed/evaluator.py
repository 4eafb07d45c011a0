"""Throughput of the evaluators against the population, beside each other and the machine's peak.

`evaluate` is the task's evaluation, decoding and scoring included; `live` is the backend alone. The fraction of the
peak counts 1,000 floating-point operations per creature-step by definition, so that the count cannot be argued with.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import compiler
from atoll.evo.resources import keep_freed_memory
from atoll.evo.tasks.creatures import body, native
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.speed.rounds import Case, Figure, Table, by_round, ratios, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.scripts.lab.kit.rows import Row, Run
    from atoll.scripts.lab.speed.plan import Plan
    from atoll.scripts.lab.speed.rounds import Key

NOMINAL_FLOP = 1000.0
"""Per creature-step, by definition."""
PEAK_SOURCE = Path(__file__).with_name("peak.cpp")
PEAK_ROUNDS = 1_000_000
PEAK: Key = ("peak", "", 0)
SMALL, USUAL = 16, 250
"""Populations that the figures to hold speak of."""


def cases(plan: Plan, place: Path) -> list[Case]:  # noqa: ARG001 - nothing here touches a file
    """Return the peak and every backend at every population; without a compiler, the reference alone."""
    keep_freed_memory()  # as every island does
    options = CreatureOptions(courses=plan.courses, life_s=plan.life_s, controller=plan.controller)
    law = Creatures(options, backend="reference")
    found = [_evaluation(law, population, repeats=1) for population in plan.reference_populations]
    if compiler.find() is None:
        return found
    fast = Creatures(options, backend="native")
    for population in plan.populations:
        repeats = max(1, plan.least_lives // population)
        found += [_evaluation(fast, population, repeats=repeats), _lives(fast, options, population, repeats)]
    return [*found, _peak()]


def tables(run: Run) -> list[Table]:
    """Derive throughput, the fraction of the peak and the ratios that are to be held."""
    rounds = by_round(run.rows, "what", "part", "population")
    keys = sorted({key for each in rounds for key in each if key != PEAK})
    throughput = [
        Figure(
            f"{_name(key)} (M creature-steps/s)",
            values(rounds, key, lambda row: row["work_per_s"] / 1e6),
            at_least=0.4 if key == ("reference", "evaluate", USUAL) else None,
        )
        for key in keys
    ]
    peak = Figure("peak multiply-add rate, one core (GFLOP/s)", values(rounds, PEAK, lambda row: _rate(row) / 1e9))
    fractions = [
        Figure(
            f"{_name(key)} / peak",
            [NOMINAL_FLOP * ratio for ratio in ratios(rounds, key, PEAK, _rate)],
            at_least=0.25 if key == ("native", "evaluate", USUAL) else None,
        )
        for key in keys
        if key[0] == "native"
    ]
    usual, small = (("native", "evaluate", population) for population in (USUAL, SMALL))
    held = [
        Figure(f"native: population {SMALL} / {USUAL}", ratios(rounds, small, usual, _rate), at_least=0.8),
        Figure(f"native: evaluate / live, population {USUAL}", ratios(rounds, usual, ("native", "live", USUAL), _rate)),
        Figure(f"native / reference, population {USUAL}", ratios(rounds, usual, ("reference", *usual[1:]), _rate)),
    ]
    return [
        Table("Throughput of the evaluators, one thread", throughput),
        Table("Nominal fraction of the peak, 1,000 flop per creature-step", [peak, *fractions]),
        Table("Ratios of the evaluators' throughput", held),
    ]


def _peak() -> Case:
    target = native.targets_here()[0]
    fused = ("-mfma",) if "avx2" in target.features else ()
    library = compiler.load(PEAK_SOURCE, ("-O3", "-ffp-contract=fast", *target.flags, *fused))
    probe = library.functions.multiply_and_add
    probe.argtypes, probe.restype = [ctypes.c_long], ctypes.c_float
    return _case(PEAK, lambda: probe(PEAK_ROUNDS), work=float(library.functions.flop_per_round() * PEAK_ROUNDS))


def _evaluation(creatures: Creatures, population: int, *, repeats: int) -> Case:
    genes = creatures.spec.sample(np.random.default_rng(0), population)
    work = float(repeats * population * creatures.steps_per_genome)
    key = (creatures.backend, "evaluate", population)
    return _case(key, lambda: [creatures.evaluate(genes, 0) for _ in range(repeats)], work=work)


def _lives(creatures: Creatures, options: CreatureOptions, population: int, repeats: int) -> Case:
    genes = creatures.spec.sample(np.random.default_rng(0), population)
    bodies = body.decode(genes, creatures.spec)
    weights = np.ascontiguousarray(genes[:, -creatures.n_weights :].T)

    def live() -> None:
        for _ in range(repeats):
            native.simulate(bodies, weights, creatures.pellets, controller=creatures.controller, ticks=options.ticks)

    work = float(repeats * population * creatures.steps_per_genome)
    return _case((creatures.backend, "live", population), live, work=work)


def _case(key: Key, do: Callable[[], object], *, work: float) -> Case:
    """Return a case that does something once, worth so many creature-steps or operations."""
    what, part, population = key

    def measure() -> list[Row]:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        do()
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        found = {"wall_s": wall_s, "cpu_s": cpu_s, "work": work, "work_per_s": work / wall_s}
        return [{"what": what, "part": part, "population": population, **found}]

    return Case(measure)


def _rate(row: Row) -> float:
    return float(row["work_per_s"])


def _name(key: Key) -> str:
    what, part, population = key
    return f"{what} {part}, population {population}"
