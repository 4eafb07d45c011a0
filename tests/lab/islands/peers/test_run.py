"""pygmo's functions are the ones that both sides are given, and its archipelago spends what Atoll's does."""

from __future__ import annotations

import os

import numpy as np
import pytest

from atoll.evo.config import Migration
from atoll.evo.tasks.loader import load_task
from atoll.migration.exchange import immigration, policy
from atoll.scripts.lab.islands.peers import plan
from atoll.scripts.lab.islands.peers.plan import ATOLL, CONTENDERS, DE, ISLANDS, POPULATION, PROBLEMS, SGA, Entry
from tests.contracts import broken_promises

CONNECTED = Entry(ATOLL, {}, PROBLEMS[0], seed=1)
run = pytest.importorskip(
    "atoll.scripts.lab.islands.peers.run",
    reason="pygmo is an optional dependency of this experiment alone",
    exc_type=ImportError,
)
pygmo = pytest.importorskip("pygmo", reason="see above")


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda each: each.label)
def test_a_function_of_pygmo_is_a_task(problem):
    assert broken_promises(run.PygmoTask(problem)) == []


@pytest.mark.parametrize("name", ["rastrigin", "schwefel"])
def test_it_is_the_function_that_atoll_has_too(name):
    theirs = run.PygmoTask(next(each for each in PROBLEMS if each.name == name))
    ours = load_task(name, {"dimensions": str(plan.DIMENSIONS)})
    genes = ours.spec.sample(np.random.default_rng(1), 50)
    assert theirs.spec.low[0] == ours.spec.low[0]
    np.testing.assert_allclose(theirs.evaluate(genes, 0), ours.evaluate(genes, 0), rtol=1e-5)


@pytest.mark.parametrize("contender", [SGA, DE])
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda each: each.label)
def test_an_archipelago_of_pygmo_evaluates_founders_and_children(contender, problem):
    entry = Entry(contender, plan.grid(contender)[0], problem, seed=1, generations=4, interval=2)
    rounds = run.evolve(entry)
    assert [each.evaluations for each in rounds] == [ISLANDS * POPULATION * 3, ISLANDS * POPULATION * 5]
    assert rounds[0].best <= rounds[1].best <= 0


def test_what_was_spent_on_looking_is_not_counted():
    times_s = iter([10.0, 12.0, 15.0, 16.5])
    watch = run.Watch(lambda: next(times_s))
    assert watch.pause() == 2.0
    watch.resume()
    assert watch.pause() == 3.5


def test_both_sides_are_neighbours_alike():
    """Whom an island of pygmo's ring may take from is whom an island of Atoll's takes from."""
    theirs = pygmo.topology(pygmo.ring(ISLANDS, 1.0))
    names = [f"island-{i}" for i in range(ISLANDS)]
    ours = str(plan.migration(CONNECTED)["topology"])
    for i, name in enumerate(names):
        sources, _ = theirs.get_connections(i)
        assert immigration.topology_sources(ours, name, names, np.random.default_rng(1)) == tuple(
            names[j] for j in sorted(sources)
        )


@pytest.mark.parametrize("fitness", [3.0, 7.0])
def test_both_sides_make_room_for_a_migrant_alike(fitness):
    """The worst leaves if the migrant is better, and nobody if it is not; pygmo minimises."""
    residents = np.asarray([4.0, 9.0, 5.0])
    group = (np.arange(3, dtype=np.uint64), np.zeros((3, 1)), -residents[:, None])
    migrant = (np.asarray([9], dtype=np.uint64), np.zeros((1, 1)), np.asarray([[-fitness]]))
    _, _, theirs = pygmo.r_policy(pygmo.fair_replace(1)).replace(group, 1, 0, 1, 0, 0, np.zeros(0), migrant)
    [place] = policy.displaced(
        np.zeros((3, 2), dtype=np.float32),
        residents.astype(np.float32),
        np.zeros((1, 2), dtype=np.float32),
        np.asarray([fitness], dtype=np.float32),
        migration=Migration(**plan.migration(CONNECTED)),
        spec=load_task("sphere", {"dimensions": "2"}).spec,
        rng=np.random.default_rng(1),
    )
    if place != policy.NO_PLACE:
        residents[place] = fitness
    assert sorted(residents) == sorted(-theirs[:, 0])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot say which cores a process uses")
def test_all_runs_share_one_core_and_afterwards_all_are_there_again():
    before = os.sched_getaffinity(0)
    with run.on_one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_the_setting_with_the_best_median_wins_and_of_equals_the_first():
    rows = [[{"rounds": [(1, best, 0, 0)]} for best in bests] for bests in ((-9, -3, -3), (-2, -2, -90), (-2, -2, -2))]
    assert run.best_setting([{"x": 1}, {"x": 2}, {"x": 3}], rows) == {"x": 2}


@pytest.mark.parametrize("contender", CONTENDERS)
def test_a_row_says_who_ran_what_and_how_long_it_took(contender):
    entry = Entry(contender, plan.grid(contender)[0], PROBLEMS[0], seed=2, generations=2, interval=1)
    row = run.run(entry, stage="comparison")
    assert (row["contender"], row["problem"], row["seed"], row["stage"]) == (contender, "rastrigin", 2, "comparison")
    assert len(row["rounds"]) == 2
    assert row["run_cpu_s"] >= row["rounds"][-1][3] >= 0
    if contender == ATOLL:
        assert run.run(entry, stage="comparison")["rounds"][-1][:2] == row["rounds"][-1][:2]
