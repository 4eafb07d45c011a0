"""Evaluations of creatures by this checkout beside those of another one, in pairs of processor time.

Each checkout has a process of its own that lives as long as the study; the two evaluate the same genomes by turns, so a
noisy minute and the processor's clock hit both alike. Populations are random ones and, since bodies that evolved have
fewer parts, those that an island of the genetic algorithm or of the default algorithm ends with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo.config import island_config
from atoll.evo.errors import AtollError
from atoll.evo.island import evolve
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.kit.study import AT_LEAST_1, DEFAULTS_SHOWN
from atoll.scripts.lab.speed.rounds import Case, Figure, Table, by_round, measure, ratios, values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from atoll.evo.genome import Floats
    from atoll.scripts.lab.kit.rows import Row, Run

HERE = Path(__file__).resolve().parents[3]
ALGORITHMS = ("ga", "snes")
COURSES = (8, 1)
RANDOM = "random"
BENCH = "beside"
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
"""Freed memory is kept, as an island does, in whatever way its checkout does that."""

WORKER = """
import hashlib, importlib, json, sys, time
import numpy as np
root = sys.argv[1]
tasks = importlib.import_module(f"{root}evo.tasks.loader")
populations, made = np.load(sys.argv[2]), {}
print("ready", flush=True)
for name in map(str.strip, sys.stdin):
    courses = name.split()[-1]
    if courses not in made:
        made[courses] = tasks.load_task("creatures", {"courses": courses, **json.loads(sys.argv[3])}, backend="native")
    started_s = time.process_time()
    fitness = made[courses].evaluate(populations[name], 0)
    cpu_s = time.process_time() - started_s
    print(json.dumps({"cpu_s": cpu_s, "fitness": hashlib.sha256(fitness.tobytes()).hexdigest()[:16]}), flush=True)
"""
"""What runs in each process: evaluates the population whose name it reads; old checkouts have no package `atoll`."""


class Evaluator:
    """A process of one checkout that evaluates named populations; a context."""

    def __init__(self, tree: Path, populations: Path, options: Mapping[str, str]) -> None:
        is_packaged = (tree / "src" / "atoll").is_dir()
        path = tree / "src" if is_packaged else tree
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and a checkout that the caller named
            [sys.executable, "-c", WORKER, "atoll." if is_packaged else "", str(populations), json.dumps(options)],
            env={**os.environ, **KEPT_MEMORY, "PYTHONPATH": str(path)},
            cwd=tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._tree = tree

    def __enter__(self) -> Evaluator:
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def evaluate(self, name: str) -> Row:
        """Evaluate the population of that name; return processor time and a hash of the fitness."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe, as asked for
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        row: Row = json.loads(self._answer())
        return row

    def _answer(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, as asked for
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            code = self._process.returncode
            raise AtollError(f"the evaluator of {self._tree} ended with exit code {code}, see above; is it a checkout?")
        return line


def populations(*, size: int, generations: int, seeds: Iterable[int]) -> dict[str, Floats]:
    """Return random and evolved genomes, [P, D] each, by what they are: kind, seed, and the number of courses."""
    found = {}
    for courses in COURSES:
        for seed in seeds:
            task = load_task("creatures", {"courses": str(courses)})
            found[f"{RANDOM} {seed} {courses}"] = task.spec.sample(np.random.default_rng(seed), size)
            for algorithm in ALGORITHMS:
                settings: dict[str, int | float | str] = {"population": size, "generations": generations, "seed": seed}
                config = island_config("beside", {**settings, "algorithm": algorithm}, {"courses": str(courses)})
                found[f"{algorithm} {seed} {courses}"] = evolve(config, task).population.genes
    return found


def table(run: Run) -> Table:
    """Derive how many times as fast this checkout is, by population, and for how many it found the same fitness."""
    found = by_round(run.rows, "tree", "name")
    figures = []
    for name in sorted({row["name"] for row in run.rows}):
        other, here = ("other", name), ("here", name)
        figures.append(Figure(f"{name}: times as fast", ratios(found, other, here, _cpu_s)))
        figures.append(Figure(f"{name}: here (ms)", values(found, here, lambda row: 1000 * _cpu_s(row))))
    fitness = {(row["tree"], row["name"]): row["fitness"] for row in run.rows}
    same = [float(fitness["other", name] == found) for (tree, name), found in fitness.items() if tree == "here"]
    figures.append(Figure("part of the populations that got the same fitness", [sum(same) / len(same)]))
    return Table(f"Evaluation of creatures beside {run.rows[0]['against']}: kind, seed, courses", figures)


@click.command(context_settings=DEFAULTS_SHOWN)
@click.argument("tree", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--rounds", type=AT_LEAST_1, default=10, help="Pairs to measure.")
@click.option("-p", "--population", type=AT_LEAST_1, default=250, help="Genomes in a population.")
@click.option("-g", "--generations", type=AT_LEAST_1, default=100, help="Generations that evolved ones are from.")
@click.option("--seeds", type=AT_LEAST_1, default=3, help="Populations of each kind.")
@click.option("--unbreakable", is_flag=True, help="Bodies do not break here, as in a TREE from before they could.")
@click.option("--out", default=Path("bench"), type=click.Path(path_type=Path), help="Where rows go.")
def main(
    *, tree: Path, rounds: int, population: int, generations: int, seeds: int, unbreakable: bool, out: Path
) -> None:
    """Compare evaluations of creatures here with those of the checkout in TREE."""
    tree = tree.resolve()
    settings = {"against": tree.name, "population": population, "generations": generations, "unbreakable": unbreakable}
    written = rows.Rows(out, BENCH, {**settings, "build": Creatures(CreatureOptions()).build})
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        file = Path(place) / "populations.npz"
        kept = populations(size=population, generations=generations, seeds=range(1, seeds + 1))
        np.savez(file, **kept)  # type: ignore[arg-type]  # numpy's stub takes a name for its own flag
        here = Evaluator(HERE, file, {"breaking_m_s": "0"} if unbreakable else {})
        evaluators = {"here": here, "other": Evaluator(tree, file, {})}
        for evaluator in evaluators.values():
            stack.enter_context(evaluator)
        measure([_case(evaluators, name) for name in kept], rounds=rounds, write=written.write)
    click.echo(page(rows.newest(run for run in rows.read(out) if run.bench == BENCH)))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("bench"))
def report(folder: Path) -> None:
    """Derive the table of every run whose rows lie in FOLDER."""
    click.echo(page(run for run in rows.read(folder) if run.bench == BENCH))


def page(runs: Iterable[Run]) -> str:
    """Return the table of each run under where it was measured."""
    return "\n\n".join(f"{run.provenance}\n\n{table(run).markdown()}" for run in runs)


def _case(evaluators: Mapping[str, Evaluator], name: str) -> Case:
    turns = [0]

    def pair() -> list[Row]:
        turns[0] += 1
        order = list(evaluators)[:: 1 if turns[0] % 2 else -1]  # each goes first every other time
        return [{"tree": tree, "name": name, **evaluators[tree].evaluate(name)} for tree in order]

    return Case(pair)


def _cpu_s(row: Row) -> float:
    return float(row["cpu_s"])
