"""Runs of the experiment in worker processes; each is a row as soon as it is known, and none is run twice.

Rows stand in the order of the jobs, whoever of the workers was faster, and hold nothing of the machine: equal seeds
give equal files. Where they were made stands in a file of its own, a line for each start.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic, runlog, strict_json
from atoll.evo.errors import ConfigError
from atoll.evo.rng import stream
from atoll.evo.tasks.loader import load_task, recorded_options
from atoll.scripts.lab.islands import budgeted
from atoll.scripts.lab.islands.equal_budgets import plan
from atoll.scripts.lab.kit.machine import describe
from atoll.scripts.lab.kit.rows import records
from atoll.scripts.lab.kit.study import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from atoll.evo.runlog import Record
    from atoll.scripts.lab.islands.equal_budgets.plan import Job, Problem, Rows


ROWS, STARTS = "rows.jsonl", "starts.jsonl"


def read(folder: Path) -> dict[str, Record]:
    """Return each run's row by the key of its job; a last line that was cut off is left out.

    Raises:
        DamagedFileError: A file is not what its name says, or a line is no row.
    """
    return {row["job"]: row for row in records(folder) if "job" in row}


def read_starts(folder: Path) -> list[Record]:
    """Return the starts of the experiment: where and with what its rows were made."""
    return [row for row in records(folder) if "job" not in row]


ISLAND_GENERATION_S = 0.4e-3
EVALUATION_S = {"creatures": 65e-6}
"""Of one core of a cloud machine of 2026, for a guess at how long all will take; creatures for each course."""
FUNCTION_EVALUATION_S = 1e-6
TOLD_EVERY_S = 15.0


def progress(stage: str, done: int, n: int, *, left_s: float) -> str:
    """Say how many of the runs of a stage are there, and about how long the rest will take, in seconds."""
    left = f", about {left_s / 60:.1f} min left" if done < n else ""
    return f"{stage}: {done} of {n} runs{left}"


def measure(problems: Sequence[Problem], folder: Path, *, workers: int, tell: Callable[[str], None]) -> None:
    """Tune, set targets, compare; whatever has its row already is not run again."""
    with atomic.storage_errors("write the rows of the experiments"):
        atomic.make_directory(folder)
        file = folder / ROWS
        atomic.truncate_torn_line(file)
        found = read(folder)
        atomic.truncate_torn_line(folder / STARTS)
        runlog.append(folder / STARTS, {"problems": [problem.name for problem in problems], **describe()})
        for stage, jobs_of in _stages(problems):
            todo = plan.missing(jobs_of(found), found)
            tell(f"{stage}: {len(todo)} runs, about {estimate_s(todo) / 60 / workers:.0f} min on {workers} cores")
            for row in _run_all(todo, workers=workers, tell=tell, stage=stage):
                runlog.append(file, row)
                found[row["job"]] = row


def _stages(problems: Sequence[Problem]) -> Iterator[tuple[str, Callable[[Rows], list[Job]]]]:
    """Yield each stage with what it asks for, given the rows of those before it."""

    def of_all(jobs_of: Callable[[Problem, Mapping[str, plan.Breeding]], list[Job]]) -> Callable[[Rows], list[Job]]:
        return lambda found: interleaved([jobs_of(each, plan.tuned(each, found)) for each in problems])

    yield "tuning", lambda _: interleaved([plan.tuning(problem) for problem in problems])
    yield "targets", of_all(plan.targeting)
    yield "comparison", of_all(plan.testing)


def interleaved(lists: Sequence[Sequence[Job]]) -> list[Job]:
    """Return the jobs of all lists by seed: a stage that is cut short has compared everything on fewer seeds."""
    seeds = [list(dict.fromkeys(job.seed for job in jobs)) for jobs in lists]
    n = max(map(len, seeds), default=0)
    return [
        job
        for place in range(n)
        for jobs, known in zip(lists, seeds, strict=True)
        for job in jobs
        if place < len(known) and job.seed == known[place]
    ]


def estimate_s(jobs: Iterable[Job]) -> float:
    """Guess how long they take on one core, from what evaluations cost, and generations of an island beside them."""
    guess_s = 0.0
    for job in jobs:
        evaluation_s = EVALUATION_S.get(job.problem.task, FUNCTION_EVALUATION_S)
        evaluation_s *= int(job.problem.options.get("courses", 1))
        guess_s += job.problem.budget // job.arm.population * ISLAND_GENERATION_S + job.problem.budget * evaluation_s
    return guess_s


def repeat(problems: Sequence[Problem], folder: Path, *, n: int, seed: int) -> list[tuple[Job, bool]]:
    """Run some of the jobs that have a row again; return them, and whether the row is the same, byte for byte."""
    known = read(folder)
    done = {job.key: job for job in _all_jobs(problems, known) if job.key in known}
    if not done:
        raise ConfigError(f"{folder} holds no rows of {', '.join(each.name for each in problems)}")
    drawn = stream(seed, "", 0, "rows to repeat").choice(len(done), min(n, len(done)), replace=False)
    chosen = [list(done.values())[place] for place in sorted(drawn)]
    return [(job, strict_json.encode(run_job(job)) == strict_json.encode(known[job.key])) for job in chosen]


def _all_jobs(problems: Sequence[Problem], known: Rows) -> Iterator[Job]:
    """Yield the jobs of all stages that rows tell, those of a stage only if the one before is complete."""
    for _, jobs_of in _stages(problems):
        jobs = jobs_of(known)
        yield from jobs
        if plan.missing(jobs, known):
            return


def run_job(job: Job) -> Record:
    """Run one job; a pure function of it."""
    problem = job.problem
    task: Any = load_task(problem.task, recorded_options(problem.task, problem.options))
    audit = budgeted.walk_unseen(task) if problem.task == "creatures" else lambda _: {}
    row = budgeted.run(job.arm, task, seed=job.seed, budget=problem.budget, audit=audit)
    return {"job": job.key, "problem": problem.name, **budgeted.condensed(row)}


def _run_all(jobs: Sequence[Job], *, workers: int, tell: Callable[[str], None], stage: str) -> Iterator[Record]:
    started_s = told_s = time.monotonic()
    for n, row in enumerate(in_order([partial(run_job, job) for job in jobs], workers=workers), start=1):
        yield row
        now_s = time.monotonic()
        if now_s - told_s >= TOLD_EVERY_S or n == len(jobs):
            told_s = now_s
            left = estimate_s(jobs[n:]) / estimate_s(jobs[:n])
            tell(progress(stage, n, len(jobs), left_s=(now_s - started_s) * left))
