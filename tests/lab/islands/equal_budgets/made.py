"""Rows that were invented: of every job of a tiny problem, so that tables and figures can be seen without a run."""

from __future__ import annotations

from dataclasses import replace

from atoll.evo.rng import stream
from atoll.scripts.lab.islands.equal_budgets import plan
from atoll.scripts.lab.islands.equal_budgets.plan import ISLANDS, PROBLEMS, quick

TINY = tuple(replace(quick(each), seeds=6) for each in PROBLEMS)


def rows_of(problem, *, gain=1.0):
    """Return a row for every job of a problem; islands improve `gain` times as fast as the rest."""
    known = {}
    for job in plan.tuning(problem):
        known[job.key] = row(job, gain=gain)
    breeding = plan.tuned(problem, known)
    for job in (*plan.targeting(problem, breeding), *plan.testing(problem, breeding)):
        known[job.key] = row(job, gain=gain)
    return known


def row(job, *, gain):
    rng = stream(job.seed, job.key, 0, "made")
    pace = (gain if job.arm.name == ISLANDS else 1.0) * rng.uniform(0.8, 1.2)
    spent = [job.problem.budget * n // 8 for n in range(1, 9)]
    walked = {"unseen_fitness": pace, "unseen_pellets": pace / 2} if job.problem.task == "creatures" else {}
    return {
        "job": job.key,
        "problem": job.problem.name,
        "arm": job.arm.name,
        "evaluations": spent,
        "best": [pace * each for each in spent],
        "f_st": None if job.arm.islands == 1 else 0.5,
        "origins": float(job.arm.islands),
        **walked,
    }
