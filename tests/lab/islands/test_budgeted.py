"""An archipelago spends what it may, immigrants counted; what it reached is exact, and the same again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import ConfigError
from atoll.evo.rng import stream
from atoll.evo.tasks.creatures.audit import examine
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands.budgeted import Arm, best_after, condensed, evaluations_to, plan, run, walk_unseen

TASK = load_task("rastrigin", {"dimensions": "4"})
POOLED = Arm("pooled", 1, 40)
ISOLATED = Arm("isolated", 4, 10, {"topology": "none", "migrants": 2})
MIGRATING = Arm("migrating", 4, 10, {"migrate_every": 5, "migrants": 2})
VARIED = Arm("varied", 4, 10, {"migrate_every": 5, "migrants": 2}, is_varied=True)
STRATEGIES = Arm("strategies", 4, 10, {"algorithm": "snes", "migrants": 2})


@pytest.mark.parametrize("arm", [POOLED, ISOLATED, MIGRATING, VARIED, STRATEGIES], ids=lambda arm: arm.name)
def test_every_arm_spends_the_budget_but_for_less_than_a_generation(arm):
    row = run(arm, TASK, seed=3, budget=2000)
    spent, n = row["evaluations"][-1], arm.islands
    assert spent <= 2000
    unused = 2000 - spent
    assert unused < n * arm.population + n + (n * arm.settings.get("migrants", 0))
    steps = {after - before for before, after in zip(row["evaluations"], row["evaluations"][1:], strict=False)}
    assert min(steps) == n * arm.population
    assert spent == (row["generations"] + 1) * n * arm.population + row["imports"]
    assert (row["imports"] > 0) == (arm.name in {"migrating", "varied", "strategies"})


SETTINGS = st.fixed_dictionaries(
    {"migrate_every": st.integers(1, 12), "migrants": st.integers(1, 5)}, optional={"topology": st.just("none")}
)


@given(st.integers(1, 5), st.integers(6, 30), SETTINGS, st.integers(1, 40), st.booleans())
def test_the_plan_is_the_longest_that_cannot_overspend(islands, population, settings, generations, is_enough):
    """With just what some generations may cost it has these; with one evaluation less, one less."""
    every, migrants = settings["migrate_every"], settings["migrants"]
    is_isolated = "topology" in settings or islands == 1
    immigrants = 0 if is_isolated else migrants * (generations // every)
    budget = islands * ((generations + 1) * population + immigrants) - (not is_enough)
    arm = Arm("arm", islands, population, settings)
    expected = generations if is_enough else generations - 1
    if not expected:
        with pytest.raises(ConfigError, match="not enough"):
            plan(arm, seed=1, budget=budget)
    else:
        assert {config.generations for config in plan(arm, seed=1, budget=budget)} == {expected}


def test_equal_seeds_give_equal_rows_and_others_others():
    one, again, other = (run(MIGRATING, TASK, seed=seed, budget=1000) for seed in (1, 1, 2))
    assert one == again
    assert one["best"] != other["best"]


def test_the_best_of_all_never_gets_worse_and_isolated_islands_have_one_ancestor_each():
    row = run(ISOLATED, TASK, seed=1, budget=1500)
    assert row["best"] == sorted(row["best"])
    assert row["origins"] == pytest.approx(4.0)
    assert len(row["champion_ancestry"]) == 1
    assert row["f_st"] > run(MIGRATING, TASK, seed=1, budget=1500)["f_st"]
    assert run(POOLED, TASK, seed=1, budget=1500)["f_st"] is None


def test_varied_islands_differ_in_breeding_alone():
    configs = plan(VARIED, seed=1, budget=2000)
    assert len({config.breeding for config in configs}) == 4
    assert len({config.migration for config in configs}) == 1


@pytest.mark.parametrize("islands", [0, 1000])
def test_an_arm_has_a_number_of_islands_that_can_be(islands):
    with pytest.raises(ConfigError, match="1 to 999 islands"):
        plan(Arm("x", islands, 10), seed=1, budget=10**9)


def row_of(evaluations, best):
    return {"evaluations": evaluations, "best": best}


def test_what_was_spent_until_the_target_is_of_the_first_generation_that_has_it():
    row = row_of([10, 20, 30], [1.0, 2.0, 2.0])
    assert [evaluations_to(row, target) for target in (0.5, 1.5, 2.0, 2.1)] == [10, 20, 20, None]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=20), st.integers(-1, 21))
def test_a_condensed_row_says_the_same_in_fewer_words(found, target):
    best = [float(max(found[: n + 1])) for n in range(len(found))]
    row = row_of([10 * (n + 1) for n in range(len(found))], best)
    short = condensed(row)
    assert evaluations_to(short, target) == evaluations_to(row, target)
    assert short["evaluations"][-1] == row["evaluations"][-1]
    for spent in row["evaluations"]:
        assert best_after(short, spent) == best_after(row, spent)
    assert len(short["best"]) <= len(set(best)) + 1
    assert condensed(short) == short


def test_the_best_after_so_many_evaluations_is_of_the_last_generation_within_them():
    row = row_of([10, 20, 30], [1.0, 2.0, 3.0])
    assert [best_after(row, spent) for spent in (10, 19, 20, 99)] == [1.0, 1.0, 2.0, 3.0]
    with pytest.raises(ConfigError, match="nothing is known after 9 evaluations"):
        best_after(row, 9)


def test_an_audit_sees_the_champion_and_adds_to_the_row():
    row = run(
        MIGRATING, TASK, seed=1, budget=1000, audit=lambda genome: {"again": float(TASK.evaluate(genome[None], 0)[0])}
    )
    assert row["again"] == row["best"][-1]


def test_it_is_what_the_audit_finds() -> None:
    creatures = Creatures(CreatureOptions(courses=1, life_s=2.0))
    genome = creatures.spec.sample(stream(3, "", 0, "unseen"), 1)[0]
    audit = examine(creatures, genome)
    found = walk_unseen(creatures)(genome)
    assert found["unseen_fitness"] == pytest.approx(audit.unseen_fitness, abs=0)
    assert found["unseen_pellets"] == pytest.approx(audit.unseen_pellets, abs=0)
