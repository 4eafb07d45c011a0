"""Throughput of the native evaluator, beside the reference and the machine's peak: `python -m scripts.bench.native`.

Every repetition measures everything once, in a new random order, so that a noisy minute hits all alike; what is
summarised are medians of ratios within a repetition. Every measurement is a row, written before anything is summarised.

`evaluate` is the task's evaluation, decoding and scoring included; `live` is the backend alone. The fraction of the
peak counts 1,000 floating-point operations per creature-step by definition, so that the count cannot be argued with.
"""

from __future__ import annotations

import ctypes
import json
import random
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from evo import compiler
from evo.tasks.creatures import body, native
from evo.tasks.creatures.options import TICKS_PER_S, CreatureOptions
from evo.tasks.creatures.task import Creatures
from scripts.bench.machine import describe

if TYPE_CHECKING:
    from collections.abc import Callable

NOMINAL_FLOP = 1000.0
"""Per creature-step, by definition."""
PEAK_SOURCE = Path(__file__).with_name("peak.cpp")
PEAK_ROUNDS = 1_000_000
SMALL, LARGE = 16, 250
"""Populations that are compared."""

Name = tuple[str, str, int]
"""What is measured: backend or "peak", part, population."""


@click.command()
@click.option("--life", "life_s", default=30.0, show_default=True, help="Length of a life, in seconds.")
@click.option("--controller", default="neural", show_default=True, help="What moves the muscles.")
@click.option("--repetitions", default=11, show_default=True, help="Timed rounds, after one that is not timed.")
@click.option("--out", default=Path("bench/native.jsonl"), show_default=True, type=click.Path(path_type=Path))
def main(*, life_s: float, controller: str, repetitions: int, out: Path) -> None:
    """Measure the native evaluator against the reference and the peak, one course, one thread."""
    options = CreatureOptions(courses=1, life_s=life_s, controller=controller)
    work = {("peak", "", 0): _peak()}
    for backend, populations in (("native", (SMALL, LARGE)), ("reference", (LARGE,))):
        for population in populations:
            work |= _evaluations(Creatures(options, backend=backend), population)
    build = Creatures(options, backend="native").build
    setting = {"life_s": life_s, "controller": controller, "courses": 1, "build": build, **describe()}
    rounds: list[dict[Name, float]] = []
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as rows:
        for repetition in range(-1, repetitions):
            rates = {}
            for name in random.Random(repetition).sample(sorted(work), len(work)):  # noqa: S311 - an order, no secret
                rates[name], times = _measure(work[name])
                row = {"what": name[0], "part": name[1], "population": name[2], "repetition": repetition, **times}
                if repetition >= 0:
                    rows.write(json.dumps({"at": datetime.now(UTC).isoformat(), **row, **setting}) + "\n")
            rounds.append(rates)
    click.echo(f"{setting['cpu']}, {build}, {controller}, n = {repetitions}; rows in {out}")
    for line in _summary(rounds[1:]):
        click.echo(line)


def _peak() -> tuple[Callable[[], object], float]:
    """Return the peak's probe and how many operations it does."""
    target = native.targets_here()[0]
    fused = ("-mfma",) if "avx2" in target.features else ()
    library = compiler.load(PEAK_SOURCE, ("-O3", "-ffp-contract=fast", *target.flags, *fused))
    probe = library.functions.multiply_and_add
    probe.argtypes, probe.restype = [ctypes.c_long], ctypes.c_float
    return lambda: probe(PEAK_ROUNDS), float(library.functions.flop_per_round() * PEAK_ROUNDS)


def _evaluations(creatures: Creatures, population: int) -> dict[Name, tuple[Callable[[], object], float]]:
    """Return the evaluation and its part without decoding, and how many creature-steps each does.

    Small populations are repeated until they have done the work of the large one.
    """
    genes = creatures.spec.sample(np.random.default_rng(0), population)
    repeats = range(LARGE // population)
    steps = float(len(repeats) * population * creatures.steps_per_genome)
    work: dict[Name, tuple[Callable[[], object], float]] = {
        (creatures.backend, "evaluate", population): (lambda: [creatures.evaluate(genes, 0) for _ in repeats], steps)
    }
    if creatures.backend == "native":
        bodies = body.decode(genes, creatures.spec)
        weights = np.ascontiguousarray(genes[:, -creatures.n_weights :].T)
        ticks = round(float(creatures.options["life_s"]) * TICKS_PER_S)

        def live() -> None:
            for _ in repeats:
                native.live(bodies, weights, creatures.pellets, controller=creatures.controller, ticks=ticks)

        work[creatures.backend, "live", population] = (live, steps)
    return work


def _measure(work: tuple[Callable[[], object], float]) -> tuple[float, dict[str, float]]:
    """Return units of work per second of wall time, and the row."""
    do, amount = work
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    do()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return amount / wall_s, {"wall_s": wall_s, "cpu_s": cpu_s, "work": amount, "work_per_s": amount / wall_s}


def _summary(rounds: list[dict[Name, float]]) -> list[str]:
    peak, law = ("peak", "", 0), ("reference", "evaluate", LARGE)
    lines = [f"peak {_spread([each[peak] / 1e9 for each in rounds])} GFLOP/s"]
    lines += [
        f"{' '.join(map(str, name))}: {_spread([each[name] / 1e6 for each in rounds])} M creature-steps/s"
        for name in sorted(rounds[0].keys() - {peak})
    ]
    for part in ("evaluate", "live"):
        large, small = ("native", part, LARGE), ("native", part, SMALL)
        share = [each[large] * NOMINAL_FLOP / each[peak] for each in rounds]
        lines.append(f"{part}: nominal fraction of the peak {_spread(share)}")
        lines.append(f"{part}: population {SMALL} / {LARGE} {_spread([each[small] / each[large] for each in rounds])}")
    ratio = [each["native", "evaluate", LARGE] / each[law] for each in rounds]
    return [*lines, f"native / reference, population {LARGE}: {_spread(ratio)}"]


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


if __name__ == "__main__":
    main()
