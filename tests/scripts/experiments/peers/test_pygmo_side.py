"""pygmo's functions are the ones that both sides are given, and its archipelago spends what Atoll's does."""

from __future__ import annotations

import numpy as np
import pytest

from evo.tasks.loader import load_task
from scripts.experiments.peers import plan
from scripts.experiments.peers.plan import DE, ISLANDS, POPULATION, PROBLEMS, SGA, Entry
from tests.contracts import check_task

pygmo_side = pytest.importorskip(
    "scripts.experiments.peers.pygmo_side",
    reason="pygmo is an optional dependency of this experiment alone",
    exc_type=ImportError,
)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda each: each.label)
def test_a_function_of_pygmo_is_a_task(problem):
    check_task(pygmo_side.PygmoTask(problem))


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
