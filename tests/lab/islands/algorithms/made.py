"""A small problem of the comparison of algorithms, and rows that were invented, so that tables need no run."""

from __future__ import annotations

from atoll.evo.config import GA
from atoll.scripts.lab.islands.algorithms import plan
from atoll.scripts.lab.islands.algorithms.plan import Problem

BOWL = Problem("bowl", "sphere", {"dimensions": "3", "offset": "0.3"}, 3, (200, 400), 400, has_islands=True)
WALK, FUNCTION, ENVIRONMENT = plan.PROBLEMS[0], plan.PROBLEMS[5], plan.PROBLEMS[-1]


def job_of(arm_name, *, problem=BOWL, number=1):
    """Return the run of a contender."""
    (job,) = [job for job in plan.jobs([problem], [number]) if job.arm.name == arm_name]
    return job


def rows_of(*jobs, gain=1.0):
    """Return a row for each run; who is not the GA finds `gain` times as much, as fast."""
    return {job.key: row(job, gain=1.0 if job.arm.name == GA else gain) for job in jobs}


def row(job, *, gain):
    pace = gain * (1 + job.seed % 10 / 100)
    spent = [job.marks[-1] * n // 8 for n in range(1, 9)]
    target = plan.TARGETS.get(job.problem.name, 0.0)
    return {
        "job": job.key,
        "problem": job.problem.name,
        "arm": job.arm.name,
        "seed": job.seed,
        "evaluations": spent,
        "best": [target + pace * n - 4 for n in range(1, 9)],
        "at": {str(mark): marked(job, 100 * pace * mark / job.marks[-1]) for mark in job.marks},
    }


def marked(job, fitness):
    audit = {
        "unseen_fitness": fitness, "unseen_pellets": fitness / 100, "speed_m_s": 1.0, "max_stretch": 1.5,
        "max_node_m_s": 12.0, "airborne_share": 0.25, "retained_share": 0.75, "is_sound": job.seed % 2 == 0,
    }  # fmt: skip
    if job.problem.is_environment:
        audit = {"unseen_fitness": fitness}
    return {"best": fitness, "generation": 3, **({} if job.problem.is_function else audit)}
