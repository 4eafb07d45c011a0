"""All get the same archipelago and the same effort."""

from __future__ import annotations

from dataclasses import replace

from atoll.scripts.lab.islands.peers import plan
from atoll.scripts.lab.islands.peers.plan import CONTENDERS, PROBLEMS, Entry


def test_every_contender_is_tuned_with_the_same_effort():
    grids = [plan.grid(name) for name in CONTENDERS]
    assert {len(grid) for grid in grids} == {16}
    for grid in grids:
        assert len({tuple(each.items()) for each in grid}) == 16
    sizes = {len(plan.tuning(PROBLEMS[0], name)) for name in CONTENDERS}
    assert sizes == {16}


def test_no_seed_serves_two_purposes():
    tested = set(range(1, 1000))
    assert not tested & set(plan.TUNING_SEEDS)
    assert not tested & set(plan.TARGET_SEEDS)
    assert not set(plan.TUNING_SEEDS) & set(plan.TARGET_SEEDS)


def test_a_median_of_all_contenders_is_what_one_of_them_found():
    assert len(CONTENDERS) * len(plan.TARGET_SEEDS) % 2 == 1


def test_the_cost_of_migration_is_the_difference_that_migration_alone_makes():
    one, other = plan.cost(plan.DE, {"F": 0.5}, 3)
    assert replace(one, is_connected=False) == other
    assert one.interval == 1


def test_a_number_is_part_of_a_name():
    assert [problem.label for problem in PROBLEMS] == ["rastrigin", "schwefel", "cec2014 f9"]
    assert Entry("x", {}, PROBLEMS[0], 1).alone().is_connected is False
