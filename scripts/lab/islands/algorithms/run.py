"""Runs of the comparison in worker processes: a row for each, as soon as it is known, and none is run twice.

Rows hold nothing of the machine, so equal seeds give equal rows; where they were made stands in a file of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic, runlog
from atoll.evo.island import evolve
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.tasks.creatures.audit import examine
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import FIRST_FRESH_EPISODE, is_deterministic
from atoll.scripts.lab.islands import budgeted
from atoll.scripts.lab.kit.machine import describe
from atoll.scripts.lab.kit.rows import records
from atoll.scripts.lab.kit.study import in_order
from atoll.scripts.run.archipelago import evolve_together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from atoll.evo.generation import Champion, State
    from atoll.evo.runlog import Record
    from atoll.scripts.lab.islands.algorithms.plan import Job

ROWS, STARTS = "rows.jsonl", "starts.jsonl"
ENDLESS = 1_000_000
UNSEEN_EPISODES = range(FIRST_FRESH_EPISODE + 10**9, FIRST_FRESH_EPISODE + 10**9 + 8)
"""In which no champion was ever scored; five of an environment's each."""


@dataclass
class Course:
    """One island's way: what it had spent and found after each generation, and its champion at each mark.

    Attributes:
        marks: Evaluations of this island at which its champion is kept.
    """

    marks: Sequence[float]
    spent: list[int] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    champions: dict[int, Champion] = field(default_factory=dict)

    def note(self, state: State) -> None:
        """Note a generation."""
        self.spent.append(state.counts.evaluations)
        self.best.append(state.champion.fitness)
        for place, mark in enumerate(self.marks):
            if self.spent[-1] <= mark:
                self.champions[place] = state.champion


def read(folder: Path) -> dict[str, Record]:
    """Return each run's row by the key of its job; a last line that was cut off is left out."""
    return {row["job"]: row for row in records(folder) if "job" in row}


def measure(jobs: Sequence[Job], folder: Path, *, workers: int, tell: Callable[[str], None]) -> None:
    """Run what has no row yet, and append each row."""
    with atomic.storage_errors("write the rows of the comparison"):
        atomic.make_directory(folder)
        found = read(folder)
        todo = list({job.key: job for job in jobs if job.key not in found}.values())
        atomic.truncate_torn_line(folder / STARTS)
        runlog.append(folder / STARTS, describe())
        atomic.truncate_torn_line(folder / ROWS)
        calls = [partial(run_job, job) for job in todo]
        for n, row in enumerate(in_order(calls, workers=workers), start=1):
            runlog.append(folder / ROWS, row)
            tell(f"{n} of {len(todo)}: {row['problem']}, {row['arm']}, seed {row['seed']}: {row['best'][-1]:.6g}")


def run_job(job: Job) -> Record:
    """Run one job; a pure function of it."""
    task: Any = load_task(job.problem.task, job.problem.options)
    shares = [mark / job.arm.islands for mark in job.marks]
    courses = _alone(job, task, shares) if job.arm.islands == 1 else _together(job, task, shares)
    row = budgeted.condensed(
        {
            "evaluations": [sum(each) for each in zip(*(course.spent for course in courses.values()), strict=True)],
            "best": [max(each) for each in zip(*(course.best for course in courses.values()), strict=True)],
        }
    )
    marked = {str(mark): _audited(task, list(courses.values()), place) for place, mark in enumerate(job.marks)}
    named = {"problem": job.problem.name, "arm": job.arm.name, "seed": job.seed}
    return {"job": job.key, **named, "islands": job.arm.islands, "population": job.arm.population, **row, "at": marked}


def _alone(job: Job, task: Any, shares: Sequence[float]) -> Mapping[str, Course]:  # noqa: ANN401 - any task
    """Live one island until it has spent all: a sample may grow, so generations say nothing."""
    course = Course(shares)
    config = budgeted.alone(job.arm, seed=job.seed, generations=ENDLESS)

    def is_spent() -> bool:
        return course.spent[-1] >= shares[-1]

    evolve(config, task, recorder=MemoryRecorder(course.note), is_stopping=lambda: bool(course.spent) and is_spent())
    return {config.island: course}


def _together(job: Job, task: Any, shares: Sequence[float]) -> Mapping[str, Course]:  # noqa: ANN401 - any task
    configs = budgeted.plan(job.arm, seed=job.seed, budget=job.marks[-1])
    courses = {config.island: Course(shares) for config in configs}
    evolve_together(configs, task, recorder_of=lambda config: MemoryRecorder(courses[config.island].note))
    return courses


def _audited(task: Any, courses: Sequence[Course], place: int) -> Record:  # noqa: ANN401 - any task
    """Return the best champion of a mark, audited if it walks, in fresh episodes if chance has a part."""
    champion = max((course.champions[place] for course in courses), key=lambda each: each.fitness)
    found: Record = {"best": champion.fitness, "generation": champion.generation}
    if not is_deterministic(task):
        paid = [float(task.evaluate(champion.individual.genes, episode)[0]) for episode in UNSEEN_EPISODES]
        return {**found, "unseen_fitness": sum(paid) / len(paid)}
    if task.name != "creatures":
        return found
    audit = examine(task, champion.individual.genes[0])
    return {**found, **{name: getattr(audit, name) for name in AUDITED}, "is_sound": audit.is_sound}


AUDITED = (
    *("unseen_fitness", "unseen_pellets", "speed_m_s", "max_stretch", "max_node_m_s", "airborne_share"),
    "retained_share",
)
