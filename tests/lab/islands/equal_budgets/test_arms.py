"""What is compared is fixed beforehand, and nobody has an advantage but for what is asked about."""

from __future__ import annotations

import pytest

from atoll.evo.errors import ConfigError
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands.budgeted import plan
from atoll.scripts.lab.islands.equal_budgets import arms
from atoll.scripts.lab.islands.equal_budgets.arms import FAMILIES, ISLANDS, PROBLEMS, STRONG

EACH = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)


def test_no_seed_tunes_sets_targets_and_is_compared():
    for problem in PROBLEMS:
        sets = [set(arms.TUNING_SEEDS), set(arms.TARGET_SEEDS), set(problem.test_seeds)]
        assert len(set.union(*sets)) == sum(map(len, sets))
        assert len(problem.test_seeds) >= 20
    assert len(arms.TARGET_SEEDS) % 2 == 1


@EACH
def test_every_family_is_tuned_with_the_same_effort(problem):
    grids = {family: arms.grid(problem, family) for family in FAMILIES}
    assert len({len(grid) for grid in grids.values()}) == 1
    for grid in grids.values():
        assert len({tuple(each.items()) for each in grid}) == len(grid)
    weakest = min(each["tournament_size"] for each in grids[STRONG])
    assert all(each["tournament_size"] < weakest for each in grids[arms.POOLED])


@EACH
def test_all_have_names_of_their_own_and_budgets_that_suffice(problem):
    found = arms.contenders(problem)
    assert len({each.name for each in found}) == len(found)
    assert [each.name for each in found[: len(FAMILIES)]] == list(FAMILIES)
    for each in found:
        configs = plan(each.arm(arms.grid(problem, ISLANDS)[0]), seed=1, budget=problem.budget)
        assert len(configs) == each.islands


@EACH
def test_whoever_is_split_has_as_many_individuals_as_the_pooled_population(problem):
    for each in arms.contenders(problem):
        is_longer_or_shorter = each.question == "size" and each.islands == problem.islands
        if each.name != arms.SMALL and not is_longer_or_shorter:
            assert each.islands * each.population == problem.population


@EACH
def test_what_departs_from_the_reference_departs_in_one_respect(problem):
    heads = arms.heads(problem)
    reference = heads[ISLANDS].settings
    for each in arms.contenders(problem):
        if each.question in {"rate", "topology"} and each.name != "never":
            changed = {name for name in reference if each.settings[name] != reference[name]}
            assert changed == {"topology"} if each.question == "topology" else changed <= {"migrants", "migrate_every"}
            assert changed
            assert (each.islands, each.population, each.family) == (problem.islands, problem.share, ISLANDS)


@EACH
def test_rate_and_topology_are_crossed_on_every_problem(problem):
    found = {each.name: each.settings for each in arms.contenders(problem)}
    crossed = [found[name] for name in (ISLANDS, "5 every 10", "full", arms.PROMISCUOUS)]
    paces = [(each["topology"], each["migrants"], each["migrate_every"]) for each in crossed]
    assert paces == [("ring", 1, 10), ("ring", 5, 10), ("full", 1, 10), ("full", 5, 10)]


def test_the_problems_are_of_the_kinds_asked_for():
    kinds = " ".join(problem.kind for problem in PROBLEMS)
    assert all(kind in kinds for kind in ("rotated", "deceptive", "multimodal"))
    for problem in PROBLEMS:
        assert load_task(problem.task, problem.options).name == problem.task


def test_the_primary_comparison_is_one_and_not_among_the_others():
    assert arms.PRIMARY not in arms.SECONDARY
    assert len(set(arms.SECONDARY)) == len(arms.SECONDARY)


def test_a_contender_takes_the_breeding_it_is_given_unless_it_is_varied():
    found = {each.name: each for each in arms.contenders(PROBLEMS[0])}
    breeding = {"mutation_rate": 0.5}
    assert found["5 every 1"].arm(breeding).settings == {
        "mutation_rate": 0.5, "topology": "ring", "migrants": 5, "migrate_every": 1,
    }  # fmt: skip
    varied = found["islands, varied"].arm(breeding)
    assert varied.is_varied
    assert "mutation_rate" not in varied.settings


def test_problems_are_found_by_name_and_a_wrong_one_is_explained():
    assert [each.name for each in arms.named(["Schwefel", "trap"])] == ["trap", "Schwefel"]
    assert arms.named([]) == PROBLEMS
    with pytest.raises(ConfigError, match=r"no problem is called sphere; known are .*trap"):
        arms.named(["sphere"])
