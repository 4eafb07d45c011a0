"""Throughput of the reference evaluator: `python -m scripts.bench.reference`.

Every repetition is a row, written before anything is summarised. A repetition evaluates one population of random
genomes once, decoding and scoring included; every lane costs the same, whatever lives in it.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np

from evo import atomic, runlog
from evo.tasks.creatures.options import CreatureOptions
from evo.tasks.creatures.task import Creatures
from scripts.bench.machine import describe


@click.command()
@click.option("--population", default=250, show_default=True, help="Genomes evaluated together.")
@click.option("--courses", default=1, show_default=True, help="Courses per genome.")
@click.option("--life", "life_s", default=30.0, show_default=True, help="Length of a life, in seconds.")
@click.option("--threads", default=1, show_default=True, help="Threads of PyTorch.")
@click.option("--repetitions", default=7, show_default=True, help="Timed evaluations, after one that is not timed.")
@click.option("--out", default=Path("bench/reference.jsonl"), show_default=True, type=click.Path(path_type=Path))
def main(*, population: int, courses: int, life_s: float, threads: int, repetitions: int, out: Path) -> None:
    """Measure creature-steps per second of the reference evaluator."""
    creatures = Creatures(CreatureOptions(courses=courses, life_s=life_s), backend="reference", threads=threads)
    genes = creatures.spec.sample(np.random.default_rng(0), population)
    creatures.evaluate(genes, 0)
    setting = {"population": population, "courses": courses, "life_s": life_s, "threads": threads, **describe()}
    rates = []
    atomic.make_directory(out.parent)
    for repetition in range(repetitions):
        wall_s, cpu_s = _time(creatures, genes)
        rates.append(population * creatures.steps_per_genome / wall_s)
        row = {"at": datetime.now(UTC).isoformat(), "repetition": repetition, "wall_s": wall_s, "cpu_s": cpu_s}
        runlog.append(out, {**row, "creature_steps_per_s": rates[-1], **setting})
    million = [rate / 1e6 for rate in rates]
    click.echo(
        f"{setting['cpu']}, {threads} thread(s), population {population}, {courses} course(s): "
        f"median {statistics.median(million):.3f} M creature-steps/s "
        f"(min {min(million):.3f}, max {max(million):.3f}, n = {repetitions}); rows in {out}"
    )


def _time(creatures: Creatures, genes: np.ndarray) -> tuple[float, float]:
    """Return wall and processor seconds of one evaluation."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    creatures.evaluate(genes, 0)
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


if __name__ == "__main__":
    main()
