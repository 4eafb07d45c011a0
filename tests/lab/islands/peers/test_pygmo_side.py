"""pygmo's functions are the ones that both sides are given, and its archipelago spends what Atoll's does."""

from __future__ import annotations

import numpy as np
import pytest

from atoll.evo.config import Migration
from atoll.evo.tasks.loader import load_task
from atoll.migration.exchange import policy, topology
from atoll.scripts.lab.islands.peers import atoll_side, plan
from atoll.scripts.lab.islands.peers.plan import ATOLL, DE, ISLANDS, POPULATION, PROBLEMS, SGA, Entry
from tests.contracts import broken_promises

CONNECTED = Entry(ATOLL, {}, PROBLEMS[0], seed=1)
pygmo_side = pytest.importorskip(
    "atoll.scripts.lab.islands.peers.pygmo_side",
    reason="pygmo is an optional dependency of this experiment alone",
    exc_type=ImportError,
)
pygmo = pytest.importorskip("pygmo", reason="see above")


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda each: each.label)
def test_a_function_of_pygmo_is_a_task(problem):
    assert broken_promises(pygmo_side.PygmoTask(problem)) == []


@pytest.mark.parametrize("name", ["rastrigin", "schwefel"])
def test_it_is_the_function_that_atoll_has_too(name):
    theirs = pygmo_side.PygmoTask(next(each for each in PROBLEMS if each.name == name))
    ours = load_task(name, {"dimensions": str(plan.DIMENSIONS)})
    genes = ours.spec.sample(np.random.default_rng(1), 50)
    assert theirs.spec.low[0] == ours.spec.low[0]
    np.testing.assert_allclose(theirs.evaluate(genes, 0), ours.evaluate(genes, 0), rtol=1e-5)


@pytest.mark.parametrize("contender", [SGA, DE])
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda each: each.label)
def test_an_archipelago_of_pygmo_evaluates_founders_and_children(contender, problem):
    entry = Entry(contender, plan.grid(contender)[0], problem, seed=1, generations=4, interval=2)
    rounds = pygmo_side.live(entry)
    assert [each.evaluations for each in rounds] == [ISLANDS * POPULATION * 3, ISLANDS * POPULATION * 5]
    assert rounds[0].best <= rounds[1].best <= 0


def test_what_was_spent_on_looking_is_not_counted():
    times_s = iter([10.0, 12.0, 15.0, 16.5])
    watch = pygmo_side.Watch(lambda: next(times_s))
    assert watch.pause() == 2.0
    watch.resume()
    assert watch.pause() == 3.5


def test_both_sides_are_neighbours_alike():
    """Whom an island of pygmo's ring may take from is whom an island of Atoll's takes from."""
    theirs = pygmo.topology(pygmo.ring(ISLANDS, 1.0))
    names = [f"island-{i}" for i in range(ISLANDS)]
    ours = str(atoll_side.migration(CONNECTED)["topology"])
    for i, name in enumerate(names):
        sources, _ = theirs.get_connections(i)
        assert topology.sources(ours, name, names, np.random.default_rng(1)) == tuple(names[j] for j in sorted(sources))


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
        migration=Migration(**atoll_side.migration(CONNECTED)),
        spec=load_task("sphere", {"dimensions": "2"}).spec,
        rng=np.random.default_rng(1),
    )
    if place != policy.NO_PLACE:
        residents[place] = fitness
    assert sorted(residents) == sorted(-theirs[:, 0])
