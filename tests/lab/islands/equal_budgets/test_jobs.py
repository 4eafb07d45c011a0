"""A run is known by all that decides it; the best settings and the targets follow from rows alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atoll.scripts.lab.islands.equal_budgets import jobs
from atoll.scripts.lab.islands.equal_budgets.arms import DEFAULTS, FAMILIES, POOLED, TARGET_SEEDS, TUNING_SEEDS, heads
from tests.lab.islands.equal_budgets.made import TINY, rows_of

TRAP = TINY[0]
JOB = jobs.tuning(TRAP)[0]


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, seed=7),
        replace(JOB, problem=replace(TRAP, budget=TRAP.budget + 1)),
        replace(JOB, problem=replace(TRAP, options={"dimensions": "40"})),
        replace(JOB, problem=replace(TRAP, task="sphere")),
        replace(JOB, arm=replace(JOB.arm, islands=2)),
        replace(JOB, arm=replace(JOB.arm, population=20)),
        replace(JOB, arm=replace(JOB.arm, is_varied=True)),
        replace(JOB, arm=replace(JOB.arm, settings={"migrants": 1})),
    ],
)
def test_whatever_decides_a_run_is_part_of_its_key(other):
    assert other.key != JOB.key


def test_what_decides_nothing_is_not():
    renamed = replace(JOB, arm=replace(JOB.arm, name="x"), problem=replace(TRAP, name="y", seeds=99))
    assert renamed.key == JOB.key


@pytest.mark.parametrize("problem", TINY, ids=lambda each: each.name)
def test_each_setting_of_each_family_is_tried_with_every_tuning_seed(problem):
    found = jobs.tuning(problem)
    n = len(problem.variations) * 2 * len(FAMILIES)
    assert len(found) == n * len(TUNING_SEEDS)
    assert {job.seed for job in found} == set(TUNING_SEEDS)
    assert len({job.key for job in found}) == len(found)


def test_the_setting_with_the_best_median_wins_and_of_equals_who_found_more_on_the_way():
    problem = replace(TRAP, variations=((0.1, 0.1), (0.2, 0.1)))
    rows = rows_of(problem)
    head = heads(problem)[POOLED]
    wanted = {"mutation_rate": 0.2, "mutation_scale": 0.1, "tournament_size": 2}
    for seed, best in zip(TUNING_SEEDS, (0, 0, 9e9, 9e9, 9e9), strict=True):
        key = jobs.Job(problem, head.arm(wanted), seed).key
        rows[key] = {**rows[key], "best": [0] * 7 + [best]}
    assert jobs.tuned(problem, rows)[POOLED] == wanted
    rival = {**wanted, "tournament_size": 5}
    for seed in TUNING_SEEDS:
        key = jobs.Job(problem, head.arm(rival), seed).key
        rows[key] = {**rows[key], "best": [8e9] * 7 + [9e9]}
    assert jobs.tuned(problem, rows)[POOLED] == rival
    assert jobs.tuned(problem, rows)[DEFAULTS] == {}


def test_targets_are_medians_of_the_tuned_pooled_population_on_seeds_of_their_own():
    rows = rows_of(TRAP)
    breeding = jobs.tuned(TRAP, rows)
    wanted = jobs.targeting(TRAP, breeding)
    assert [job.seed for job in wanted] == list(TARGET_SEEDS)
    found = jobs.targets(TRAP, breeding, rows)
    assert found.final == np.median([rows[job.key]["best"][-1] for job in wanted])
    assert found.early == np.median([rows[job.key]["best"][1] for job in wanted])  # a quarter of eight
    only = {job.key for job in wanted} | {job.key for job in jobs.tuning(TRAP)}
    assert jobs.targets(TRAP, breeding, {key: rows[key] for key in only}) == found


def test_what_has_a_row_is_not_missing_and_equal_runs_are_asked_for_once():
    rows = rows_of(TRAP)
    assert jobs.missing(jobs.tuning(TRAP), rows) == []
    assert jobs.missing([JOB, JOB], {}) == [JOB]
    asked = jobs.testing(TRAP, jobs.tuned(TRAP, rows))
    assert {job.seed for job in asked} == set(TRAP.test_seeds)
