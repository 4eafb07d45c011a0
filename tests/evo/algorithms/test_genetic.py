"""The genetic algorithm breeds by values alone, and never loses its best."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import generation, selection
from atoll.evo.algorithms.genetic import Genetic
from atoll.evo.config import Breeding
from atoll.evo.rng import streams
from tests.evo.test_generation import rows, state_bytes
from tests.problems import MIXED, Hill
from tests.strategies import breedings, evaluated, painted, seeds, specs

RANDOM = streams(1, "me", 4)


def bred(state, spec, breeding, randomness=RANDOM):
    """Return the next generation."""
    children, memory = Genetic(breeding).breed(state, state.memory, spec, streams=randomness)
    assert memory == {}
    return children


@given(specs(), breedings, seeds, st.integers(4, 20))
def test_breeding_is_pure_and_keeps_size_layout_and_islands(spec, breeding, seed, n):
    state = evaluated(spec, n, seed=seed)
    before = state_bytes(state)
    children = bred(state, spec, breeding)
    assert state_bytes(state) == before
    assert children.genes.shape == (n, spec.size)
    assert spec.contains(children.genes)
    assert children.islands == state.population.islands
    assert rows(children) == rows(bred(state, spec, breeding))


@given(breedings, seeds, st.integers(4, 20))
def test_elites_survive_unchanged_best_first(breeding, seed, n):
    state = evaluated(MIXED, n, seed=seed)
    children = bred(state, MIXED, breeding)
    elites = state.population.take(selection.best(state.fitness, breeding.n_elites(n)))
    assert rows(children)[: len(elites)] == rows(elites)


@given(breedings, seeds)
def test_the_best_never_gets_worse_on_a_deterministic_task(breeding, seed):
    task = Hill()
    breeding = replace(breeding, elite_share=0.1)
    founders = painted(MIXED, 8, seed=seed)
    state = generation.evaluate(task, founders, generation=0, before=None)
    for g in range(1, 5):
        children = bred(state, MIXED, breeding, streams(seed, "me", g - 1))
        after = generation.evaluate(task, children, generation=g, before=state)
        assert after.fitness.max() >= state.fitness.max()
        assert after.champion.fitness == after.fitness.max()
        assert after.counts.evaluations == 8 * (g + 1)
        state = after


def test_every_step_draws_from_a_stream_of_its_own():
    """A setting of one step leaves the random numbers of the others alone."""
    drawn = []

    def watched(purpose):
        drawn.append(purpose)
        return RANDOM(purpose)

    bred(evaluated(MIXED, 6, seed=0), MIXED, Breeding(), watched)
    assert sorted(drawn) == sorted(set(drawn))
    assert set(drawn) == {"selection", "crossover", "mutation"}
