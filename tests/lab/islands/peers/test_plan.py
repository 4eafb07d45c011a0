"""All get the same archipelago and the same effort; Atoll's side has exact rounds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands.peers import plan
from atoll.scripts.lab.islands.peers.plan import (
    ATOLL,
    CONTENDERS,
    ISLANDS,
    MIGRANTS,
    POPULATION,
    PROBLEMS,
    Entry,
    Round,
    Watched,
    by_round,
    times,
)


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


SPHERE = load_task("sphere", {"dimensions": "3"})


def test_a_watched_task_scores_as_before_and_remembers_the_best():
    watched = Watched(SPHERE)
    genes = SPHERE.spec.sample(np.random.default_rng(1), 12)
    found = [watched.evaluate(part, 0) for part in np.split(genes, 3)]
    assert np.array_equal(np.concatenate(found), SPHERE.evaluate(genes, 0))
    assert [each.evaluations for each in watched.seen] == [4, 8, 12]
    assert watched.seen[-1].best == SPHERE.evaluate(genes, 0).max()
    for column in ("best", "wall_s", "cpu_s"):
        values = [getattr(each, column) for each in watched.seen]
        assert values == sorted(values)


def test_a_round_ends_with_a_batch():
    seen = [Round(n, n, n, n) for n in (5, 10, 15)]
    assert by_round(seen, ends=[5, 15]) == [seen[0], seen[2]]
    with pytest.raises(KeyError):
        by_round(seen, ends=[6])


def test_a_run_is_seen_at_the_target_at_the_end_of_a_round_or_never():
    rows = [
        {"rounds": [(10, -5.0, 1.0, 0.5), (20, -1.0, 2.0, 1.0), (30, 0.0, 3.0, 1.5)]},
        {"rounds": [(10, -5.0, 1.0, 0.5), (20, -4.0, 4.0, 2.0)]},
    ]
    found = times(rows, -1.0, lambda each: each.evaluations)
    assert list(found.to_target) == [20, math.inf]
    assert list(found.spent) == [20, 20]
    assert list(times(rows, -1.0, lambda each: each.wall_s).spent) == [2.0, 4.0]


SPHERE = load_task("sphere", {"dimensions": "3"})
ENTRY = Entry(ATOLL, {"mutation_rate": 0.1}, PROBLEMS[0], seed=1, generations=20, interval=5)


def test_every_round_ends_when_all_islands_have_lived_an_interval():
    rounds = plan.evolve(ENTRY, SPHERE)
    assert [each.evaluations for each in rounds] == plan.round_ends(ENTRY)
    assert len(rounds) == 4
    assert rounds[0].evaluations == ISLANDS * POPULATION * 6
    assert rounds[-1].evaluations == ISLANDS * (POPULATION * 21 + MIGRANTS * 4)
    assert [each.best for each in rounds] == sorted(each.best for each in rounds)


def test_equal_seeds_find_the_same():
    one, again = (plan.evolve(ENTRY, SPHERE) for _ in range(2))
    assert [(each.evaluations, each.best) for each in one] == [(each.evaluations, each.best) for each in again]


@pytest.mark.parametrize("interval", [1, 20])
def test_without_migration_it_has_as_many_generations_and_no_immigrants(interval):
    (whole,) = plan.evolve(replace(ENTRY, interval=interval, is_connected=False), SPHERE)
    assert whole.evaluations == ISLANDS * POPULATION * 21
