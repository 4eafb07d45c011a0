"""The comparison of algorithms is fixed beforehand: a run is known by all that decides it, and budgets suffice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.evo.config import CMA, GA, SNES
from atoll.evo.errors import ConfigError
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands import budgeted
from atoll.scripts.lab.islands.algorithms import plan
from atoll.scripts.lab.islands.algorithms.plan import PROBLEMS
from atoll.scripts.lab.kit.former import BEFORE, former_config
from tests.lab.islands.algorithms.made import BOWL, job_of

EACH = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
JOB = job_of(SNES)


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, seed=7),
        replace(JOB, marks=(100, 400)),
        replace(JOB, problem=replace(BOWL, options={"dimensions": "4"})),
        replace(JOB, problem=replace(BOWL, task="ackley")),
        replace(JOB, arm=replace(JOB.arm, islands=2)),
        replace(JOB, arm=replace(JOB.arm, population=20)),
        replace(JOB, arm=replace(JOB.arm, settings={"algorithm": GA})),
        replace(JOB, arm=replace(JOB.arm, settings={"algorithm": SNES, "sigma": 0.2})),
    ],
)
def test_whatever_decides_a_run_is_part_of_its_key(other):
    assert other.key != JOB.key


def test_what_decides_nothing_is_not_part_of_it():
    renamed = replace(JOB, arm=replace(JOB.arm, name="x"), problem=replace(BOWL, name="y", has_islands=False))
    assert renamed.key == JOB.key


@EACH
def test_all_runs_of_a_problem_differ_and_only_the_ga_and_snes_have_the_long_budget(problem):
    jobs = plan.jobs([problem], range(2))
    assert len({job.key for job in jobs}) == len(jobs)
    assert len({(job.arm.name, job.seed) for job in jobs}) == len(jobs)
    is_long = {job.arm.name for job in jobs if job.marks[-1] > problem.short}
    assert is_long == ({GA, SNES} if problem.marks[-1] > problem.short else set())


@EACH
def test_the_genes_of_a_problem_are_those_of_its_task(problem):
    assert load_task(problem.task, problem.options).spec.size == problem.genes
    assert (CMA in {arm.name for arm in plan.contenders(problem)}) == (problem.genes <= plan.MOST_GENES_OF_CMA)


@EACH
def test_no_island_of_a_contender_can_overspend_its_share(problem):
    for arm in plan.contenders(problem):
        if arm.islands > 1:
            configs = budgeted.plan(arm, seed=1, budget=plan.marks(problem, arm)[-1])
            assert len(configs) == plan.ISLANDS
            assert {config.strategy.restart_growth for config in configs if "cma" in config.algorithm} <= {1}
            assert {config.migration.is_off for config in configs} == {"isolated" in arm.name}


def test_the_ga_has_the_settings_of_before_and_the_others_those_of_a_user():
    ga, snes = (budgeted.alone(job_of(name).arm, seed=1, generations=5) for name in (GA, SNES))
    given = {"seed": 1, "generations": 5, "topology": "none", "migrants": 1}
    assert ga == former_config(ga.island, given, {})
    assert ga.breeding.mutation_rate == BEFORE["mutation_rate"]
    assert snes.migration.duplicates != BEFORE["duplicates"]


def test_problems_are_found_by_name_and_a_wrong_one_is_explained():
    assert [each.name for each in plan.named(["Schwefel", "neural, 1 course"])] == ["neural, 1 course", "Schwefel"]
    assert plan.named([]) == PROBLEMS
    with pytest.raises(ConfigError, match=r"no problem is called sphere; known are neural, 8 courses; .*; Pendulum$"):
        plan.named(["sphere"])
