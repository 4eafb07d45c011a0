"""Archipelagos of equal seeds beside each other: measured seed by seed, kept as rows, compared in pairs."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo import atomic, runlog, strict_json
from atoll.evo.config import island_config
from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands.lifespans import Scene, run
from atoll.scripts.lab.kit.machine import describe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from atoll.evo.config import Value
    from atoll.evo.runlog import Record
    from atoll.scripts.lab.islands.lifespans import Cast

RESAMPLES = 9999
LEVEL = 0.95

FEW_GENES: dict[str, Value] = {"mutation_rate": 0.05}
"""The default is made for the 500 genes of a creature: of twenty it would leave most children without any mutation."""
TASKS: dict[str, tuple[dict[str, str], dict[str, Value]]] = {
    "creatures": ({"courses": "2"}, {}),
    "rastrigin": ({"dimensions": "20", "rotated": "true", "offset": "0.3"}, FEW_GENES),
    "schwefel": ({"dimensions": "20"}, FEW_GENES),
    "trap": ({}, FEW_GENES),
}
"""Each task with its options and the settings of its islands: creatures, a rotated, a deceptive function, a trap."""


def measure(
    casts: Sequence[Cast],
    *,
    islands: int,
    population: int,
    generations: int,
    seeds: range,
    tasks: Sequence[str],
    out: Path,
    settings: Mapping[str, Value] | None = None,
) -> None:
    """Evolve an archipelago of each cast for each seed and task, and write each one's row as soon as it is known.

    Raises:
        click.UsageError: A task is none of `TASKS`, or a setting is not allowed.
    """
    unknown = sorted(set(tasks) - TASKS.keys())
    if unknown:
        raise click.UsageError(f"no task here is called {', '.join(unknown)}; known are {', '.join(TASKS)}")
    try:
        for name in tasks or TASKS:
            island_config("a", {**TASKS[name][1], **(settings or {}), "population": population}, {})
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    atomic.make_directory(out.parent)
    made = {name: load_task(name, TASKS[name][0]) for name in tasks or TASKS}
    for seed in seeds:  # seed by seed: a run cut short has compared all
        for name, task in made.items():
            scene = Scene(islands, population, generations, {**TASKS[name][1], **(settings or {})})
            for cast in casts:
                row = run(cast, scene, task, seed=seed)
                runlog.append(out, {**row, **describe()})
        click.echo(f"seed {seed} done")


def read_rows(path: Path) -> list[Record]:
    """Return the rows of a file of JSON lines, which is compressed by gzip if its name ends in `.gz`.

    Raises:
        click.ClickException: It is not what its name says.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return [strict_json.parse(line) for line in data.splitlines()]
    except (DamagedFileError, EOFError, OSError, zlib.error) as error:
        raise click.ClickException(f"{path} holds no rows that can be read: {error}") from error


def pairs(rows: Sequence[Record], one: str, other: str) -> dict[str, list[tuple[Record, Record]]]:
    """Return for each task the rows of two casts with equal seeds, by seed; of equal rows the later one."""
    found: dict[str, list[tuple[Record, Record]]] = {}
    for task in dict.fromkeys(row["task"] for row in rows):
        of = {(row["cast"], row["seed"]): row for row in rows if row["task"] == task}
        seeds = sorted({seed for cast, seed in of if cast == one} & {seed for cast, seed in of if cast == other})
        found[task] = [(of[one, seed], of[other, seed]) for seed in seeds]
    return found


def mean_interval(values: Sequence[float], *, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean, and both ends of its 95 % percentile bootstrap interval.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    found = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).choice(found, size=(RESAMPLES, len(found))).mean(axis=1)
    low, high = np.percentile(drawn, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(found.mean()), float(low), float(high)
