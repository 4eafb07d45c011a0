"""Time to the solution of CartPole: how soon do two islands balance a pole?

Two islands start at the same moment, each a process of `cli.py evolve --task gym:CartPole-v1` as a user would start it.
It counts from there until the first moment at which the champion of one balances for 500 steps in 5 of 5 episodes that
it was never evaluated on, and until both have ended. Each run is a row. Exit code: 0 if all were in time, 12 if not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atoll.evo.errors import AtollError
from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.gym import GymOptions, GymTask
from atoll.scripts.lab.islands.criteria import NOT_MET
from atoll.scripts.lab.kit.machine import ROOT
from atoll.scripts.lab.kit.study import DEFAULTS_SHOWN, out_option, seed_options, write_rows
from atoll.scripts.report.champion import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.runlog import Record

ENVIRONMENT = "CartPole-v1"
SOLVED_STEPS = 500
UNSEEN = range(1000, 1005)
"""Seeds of five episodes; those of the generations are drawn from 2^31."""
ISLANDS = ("one", "two")
LOOK_EVERY_S = 0.5

GENETIC = "--algorithm ga --mutation-rate 0.01 --duplicates accept --champion-episodes 0 --checkpoint-every 10"
"""What islands did when this was measured first."""


@click.command(context_settings=DEFAULTS_SHOWN)
@seed_options(5, first=1, what="Runs.")
@click.option("--population", default=48, help="Individuals of each island.")
@click.option("--generations", default=6, help="Generations after the founders.")
@click.option("--episodes", default=10, help="Episodes that an evaluation is the mean of.")
@click.option("--limit-s", default=60.0, help="Seconds that a run may take until it is solved.")
@out_option("bench/cartpole.jsonl")
def main(*, seeds: range, population: int, generations: int, episodes: int, limit_s: float, out: Path) -> None:
    """Time two islands from their start to the first champion that balances, and to their end."""
    sizes = {"population": population, "generations": generations, "episodes": episodes}

    def measure(seed: int) -> Record:
        with tempfile.TemporaryDirectory() as place:
            found = _run(Path(place) / "shared", seed=seed, **sizes)
        return {"seed": seed, **sizes, **found, "limit_s": limit_s}

    rows = write_rows(map(measure, seeds), out, line=_line)
    in_time = sum(row["solved_s"] is not None and row["solved_s"] <= limit_s for row in rows)
    click.echo(f"solved within {limit_s:g} s: {in_time} of {len(rows)}")
    sys.exit(0 if in_time == len(rows) else NOT_MET)


def _run(root: Path, *, seed: int, population: int, generations: int, episodes: int) -> Record:
    sizes = f"-o episodes={episodes} -p {population} -g {generations} --migrate-every 2 --seed {seed} {GENETIC}"
    flags = ["--task", f"gym:{ENVIRONMENT}", *sizes.split(), "--migration-dir", str(root)]
    task = GymTask(ENVIRONMENT, GymOptions())
    started_s = time.perf_counter()
    processes = [
        subprocess.Popen([sys.executable, "cli.py", "evolve", name, *flags], cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        for name in ISLANDS
    ]
    steps: dict[str, list[float]] = {}
    solved_s, is_over = None, False
    while not is_over:
        time.sleep(LOOK_EVERY_S)
        is_over = all(process.poll() is not None for process in processes)
        steps |= _balanced(root, task, tried=steps)
        now_s = time.perf_counter() - started_s
        if solved_s is None and any(map(is_solved, steps.values())):
            solved_s = now_s
    return {
        "solved_s": solved_s,
        "ended_s": now_s,
        "exit_codes": [process.returncode for process in processes],
        "steps": steps,
    }


def _balanced(root: Path, task: GymTask, *, tried: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Return the steps of each champion that has not been tried yet, by island and generation."""
    found = {}
    for name in ISLANDS:
        try:
            champion = read(SharedPaths(root).island(name).champion)
        except AtollError:
            continue  # not yet
        key = f"{name}:{champion.generation}"
        if key not in tried:
            found[key] = [float(steps) for steps in task.rewards(champion.genome[None], UNSEEN)[0]]
    return found


def is_solved(steps: list[float]) -> bool:
    """Say whether a pole was balanced to the end of every episode."""
    return bool(steps) and min(steps) >= SOLVED_STEPS


def _line(row: Record) -> str:
    when = "not solved" if row["solved_s"] is None else f"solved after {row['solved_s']:.1f} s"
    last = {name.partition(":")[0]: steps for name, steps in row["steps"].items()}
    steps = "; ".join(f"{name} {' '.join(f'{n:g}' for n in found)}" for name, found in last.items())
    return f"seed {row['seed']}: {when}, both ended after {row['ended_s']:.1f} s; unseen episodes at the end: {steps}"
