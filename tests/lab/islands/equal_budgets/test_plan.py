"""The plan is fixed beforehand and favours nobody; a run is known by all that decides it; targets follow from rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atoll.evo.errors import ConfigError
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands import budgeted
from atoll.scripts.lab.islands.equal_budgets import plan
from atoll.scripts.lab.islands.equal_budgets.plan import (
    DEFAULTS,
    FAMILIES,
    ISLANDS,
    POOLED,
    PROBLEMS,
    STRONG,
    TARGET_SEEDS,
    TUNING_SEEDS,
    heads,
)
from tests.lab.islands.equal_budgets.made import TINY, rows_of

EACH = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)


def test_no_seed_tunes_sets_targets_and_is_compared():
    for problem in PROBLEMS:
        sets = [set(plan.TUNING_SEEDS), set(plan.TARGET_SEEDS), set(problem.test_seeds)]
        assert len(set.union(*sets)) == sum(map(len, sets))
        assert len(problem.test_seeds) >= 20
    assert len(plan.TARGET_SEEDS) % 2 == 1


@EACH
def test_every_family_is_tuned_with_the_same_effort(problem):
    grids = {family: plan.grid(problem, family) for family in FAMILIES}
    assert len({len(grid) for grid in grids.values()}) == 1
    for grid in grids.values():
        assert len({tuple(each.items()) for each in grid}) == len(grid)
    weakest = min(each["tournament_size"] for each in grids[STRONG])
    assert all(each["tournament_size"] < weakest for each in grids[plan.POOLED])


@EACH
def test_all_have_names_of_their_own_and_budgets_that_suffice(problem):
    found = plan.contenders(problem)
    assert len({each.name for each in found}) == len(found)
    assert [each.name for each in found[: len(FAMILIES)]] == list(FAMILIES)
    for each in found:
        configs = budgeted.plan(each.arm(plan.grid(problem, ISLANDS)[0]), seed=1, budget=problem.budget)
        assert len(configs) == each.islands


@EACH
def test_whoever_is_split_has_as_many_individuals_as_the_pooled_population(problem):
    for each in plan.contenders(problem):
        is_longer_or_shorter = each.question == "size" and each.islands == problem.islands
        if each.name != plan.SMALL and not is_longer_or_shorter:
            assert each.islands * each.population == problem.population


@EACH
def test_what_departs_from_the_reference_departs_in_one_respect(problem):
    heads = plan.heads(problem)
    reference = heads[ISLANDS].settings
    for each in plan.contenders(problem):
        if each.question in {"rate", "topology"} and each.name != "never":
            changed = {name for name in reference if each.settings[name] != reference[name]}
            assert changed == {"topology"} if each.question == "topology" else changed <= {"migrants", "migrate_every"}
            assert changed
            assert (each.islands, each.population, each.family) == (problem.islands, problem.share, ISLANDS)


@EACH
def test_rate_and_topology_are_crossed_on_every_problem(problem):
    found = {each.name: each.settings for each in plan.contenders(problem)}
    crossed = [found[name] for name in (ISLANDS, "5 every 10", "full", plan.PROMISCUOUS)]
    paces = [(each["topology"], each["migrants"], each["migrate_every"]) for each in crossed]
    assert paces == [("ring", 1, 10), ("ring", 5, 10), ("full", 1, 10), ("full", 5, 10)]


def test_the_problems_are_of_the_kinds_asked_for():
    kinds = " ".join(problem.kind for problem in PROBLEMS)
    assert all(kind in kinds for kind in ("rotated", "deceptive", "multimodal"))
    for problem in PROBLEMS:
        assert load_task(problem.task, problem.options).name == problem.task


def test_the_primary_comparison_is_one_and_not_among_the_others():
    assert plan.PRIMARY not in plan.SECONDARY
    assert len(set(plan.SECONDARY)) == len(plan.SECONDARY)


def test_a_contender_takes_the_breeding_it_is_given_unless_it_is_varied():
    found = {each.name: each for each in plan.contenders(PROBLEMS[0])}
    breeding = {"mutation_rate": 0.5}
    assert found["5 every 1"].arm(breeding).settings == {
        "mutation_rate": 0.5, "topology": "ring", "migrants": 5, "migrate_every": 1,
    }  # fmt: skip
    varied = found["islands, varied"].arm(breeding)
    assert varied.is_varied
    assert "mutation_rate" not in varied.settings


def test_problems_are_found_by_name_and_a_wrong_one_is_explained():
    assert [each.name for each in plan.named(["Schwefel", "trap"])] == ["trap", "Schwefel"]
    assert plan.named([]) == PROBLEMS
    with pytest.raises(ConfigError, match=r"no problem is called sphere; known are .*trap"):
        plan.named(["sphere"])


TRAP = TINY[0]
JOB = plan.tuning(TRAP)[0]


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
    found = plan.tuning(problem)
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
        key = plan.Job(problem, head.arm(wanted), seed).key
        rows[key] = {**rows[key], "best": [0] * 7 + [best]}
    assert plan.tuned(problem, rows)[POOLED] == wanted
    rival = {**wanted, "tournament_size": 5}
    for seed in TUNING_SEEDS:
        key = plan.Job(problem, head.arm(rival), seed).key
        rows[key] = {**rows[key], "best": [8e9] * 7 + [9e9]}
    assert plan.tuned(problem, rows)[POOLED] == rival
    assert plan.tuned(problem, rows)[DEFAULTS] == {}


def test_targets_are_medians_of_the_tuned_pooled_population_on_seeds_of_their_own():
    rows = rows_of(TRAP)
    breeding = plan.tuned(TRAP, rows)
    wanted = plan.targeting(TRAP, breeding)
    assert [job.seed for job in wanted] == list(TARGET_SEEDS)
    found = plan.targets(TRAP, breeding, rows)
    assert found.final == np.median([rows[job.key]["best"][-1] for job in wanted])
    assert found.early == np.median([rows[job.key]["best"][1] for job in wanted])  # a quarter of eight
    only = {job.key for job in wanted} | {job.key for job in plan.tuning(TRAP)}
    assert plan.targets(TRAP, breeding, {key: rows[key] for key in only}) == found


def test_what_has_a_row_is_not_missing_and_equal_runs_are_asked_for_once():
    rows = rows_of(TRAP)
    assert plan.missing(plan.tuning(TRAP), rows) == []
    assert plan.missing([JOB, JOB], {}) == [JOB]
    asked = plan.testing(TRAP, plan.tuned(TRAP, rows))
    assert {job.seed for job in asked} == set(TRAP.test_seeds)
