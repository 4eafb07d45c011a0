"""One generation is a pure function of values, and its champion the best so far."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import ancestry, generation, selection
from atoll.evo.errors import TaskError
from atoll.evo.generation import MigrationSchedule
from atoll.evo.genome import NO_PLACE, Migrants, Population
from atoll.evo.rng import streams
from atoll.evo.tasks.task import score
from tests.problems import MIXED, Hill, Rock, Weather
from tests.strategies import evaluated, painted, seeds, specs

RANDOM = streams(1, "me", 4)


def state_bytes(state):
    """Return everything a state holds, as one comparable value."""
    population, champion = state.population, state.champion
    arrays = (
        population.genes,
        population.ancestry,
        state.fitness,
        champion.individual.genes,
        champion.individual.ancestry,
    )
    rest = population.islands, champion.fitness, champion.generation, state.generation, state.counts, state.schedule
    return [array.tobytes() for array in arrays], rest


def rows(population):
    """Return each individual as one comparable value."""
    both = zip(population.genes, population.ancestry, strict=True)
    return [genes.tobytes() + painted.tobytes() for genes, painted in both]


class Answer(Hill):
    """Returns what it is told to."""

    def __init__(self, answer):
        super().__init__()
        self._answer = answer

    def evaluate(self, genes, episode):  # noqa: ARG002 - the answer is fixed
        return self._answer


@given(specs(), st.integers(2, 20))
def test_founders_fill_the_island_and_are_its_own(spec, n):
    founders = generation.sample_founders(spec, n, island="me", streams=streams(1, "me", 0))
    assert founders.genes.shape == (n, spec.size)
    assert spec.contains(founders.genes)
    assert ancestry.shares(founders) == {"me": 1.0}


def families(seed, *, n=6):
    """Return an evaluated state, and children some of whom are copies of one of it or of each other."""
    task, rng = Hill(), np.random.default_rng(seed)
    state = generation.evaluate(task, painted(MIXED, n, seed=seed), generation=3, before=None)
    new = painted(MIXED, n, seed=seed + 1)
    both = Population(np.concatenate([state.population.genes, new.genes]), np.tile(new.ancestry, (2, 1)), new.islands)
    return state, both.take(rng.integers(2 * n, size=2 * n))


@given(seeds)
def test_a_deterministic_task_scores_each_genome_once_and_the_state_is_as_if_it_had_scored_all(seed):
    state, children = families(seed)
    every, once = Hill(), Rock()
    expected = generation.evaluate(every, children, generation=4, before=state)
    after = generation.evaluate(once, children, generation=4, before=state)
    assert state_bytes(after) == state_bytes(expected)
    asked = [row.tobytes() for genes, _ in once.asked for row in genes]
    new = {row.tobytes() for row in children.genes} - {row.tobytes() for row in state.population.genes}
    assert sorted(asked) == sorted(new)
    assert (expected.scored, after.scored) == (len(children), len(new))


@given(seeds)
def test_what_another_process_scored_is_scored_again_since_the_task_may_have_been_mended(seed):
    state, children = families(seed)
    task = Rock()
    after = generation.evaluate(task, children, generation=4, before=replace(state, scored=None))
    [(asked, _)] = task.asked
    assert len(asked) == after.scored == len({row.tobytes() for row in children.genes})


def test_where_all_are_known_the_task_is_not_asked():
    state, _ = families(1)
    task = Rock()
    after = generation.evaluate(task, state.population, generation=4, before=state)
    assert task.asked == []
    assert after.fitness.tobytes() == state.fitness.tobytes()
    assert after.counts.evaluations == state.counts.evaluations + len(state.population)


@given(seeds)
def test_a_champion_is_the_first_to_reach_the_best_score(seed):
    state = evaluated(MIXED, 6, seed=seed)
    top = int(np.argmax(state.fitness))
    crowned = generation.best_of(state.population, state.fitness, generation=9, reigning=None)
    assert crowned.fitness == state.fitness.max()
    assert rows(crowned.individual) == rows(state.population)[top : top + 1]
    assert generation.best_of(state.population, state.fitness, generation=10, reigning=crowned) is crowned
    better = generation.best_of(state.population, state.fitness + np.float32(1), generation=10, reigning=crowned)
    assert (better.generation, better.fitness) == (10, float((state.fitness + np.float32(1)).max()))
    worse = generation.best_of(state.population, state.fitness - np.float32(1), generation=10, reigning=crowned)
    assert worse is crowned


@given(seeds, st.integers(1, 4))
def test_emigrants_are_copies_with_names_of_their_own(seed, k):
    state = evaluated(MIXED, 6, seed=seed)
    before = state_bytes(state)
    chosen = selection.best(state.fitness, k)
    leaving = generation.emigrants(state, chosen, island="me")
    assert isinstance(leaving, Migrants)
    assert rows(leaving.population) == [rows(state.population)[i] for i in chosen]
    np.testing.assert_array_equal(leaving.fitness, state.fitness[chosen])
    assert leaving.ids == tuple(f"me:4:{i}" for i in chosen)
    leaving.population.genes[:] = 0
    leaving.fitness[:] = 0
    assert state_bytes(state) == before


@given(seeds, st.integers(1, 5), st.floats(-9, 9, width=32))
def test_immigrants_take_the_places_of_the_displaced_and_of_no_other(seed, n, bonus):
    state = evaluated(MIXED, 6, seed=seed)
    before = state_bytes(state)
    immigrants = painted(MIXED, n, seed=seed + 2, islands=("c", "far", "a"))
    fitness = (np.random.default_rng(seed).normal(size=n) + bonus).astype(np.float32)
    displaced = selection.worst(state.fitness, n)
    after = generation.insert_immigrants(state, immigrants, fitness, displaced=displaced)
    assert state_bytes(state) == before
    stay = np.setdiff1d(np.arange(6), displaced)
    np.testing.assert_array_equal(after.population.genes[displaced], immigrants.genes)
    np.testing.assert_array_equal(after.population.genes[stay], state.population.genes[stay])
    np.testing.assert_array_equal(after.fitness[displaced], fitness)
    np.testing.assert_array_equal(after.fitness[stay], state.fitness[stay])
    assert len(after.population) == 6
    assert after.champion.fitness == max(state.champion.fitness, fitness.max())
    assert after.counts == replace(
        state.counts, evaluations=state.counts.evaluations + n, imports=state.counts.imports + n
    )


@given(seeds, st.lists(st.booleans(), min_size=1, max_size=5))
def test_immigrants_without_a_place_are_evaluated_refused_and_change_nothing_else(seed, is_settled):
    state = evaluated(MIXED, 6, seed=seed)
    immigrants = painted(MIXED, len(is_settled), seed=seed + 2, islands=("c", "far", "a"))
    fitness = np.random.default_rng(seed).normal(size=len(is_settled)).astype(np.float32)
    some = np.flatnonzero(is_settled)
    places = selection.worst(state.fitness, len(is_settled))
    after = generation.insert_immigrants(
        state, immigrants, fitness, displaced=np.where(is_settled, places, NO_PLACE).astype(np.int64)
    )
    alone = generation.insert_immigrants(state, immigrants.take(some), fitness[some], displaced=places[some])
    n_refused = len(is_settled) - len(some)
    assert after.counts == replace(
        alone.counts,
        evaluations=alone.counts.evaluations + n_refused,
        refused=alone.counts.refused + n_refused,
    )
    assert state_bytes(replace(after, counts=alone.counts)) == state_bytes(alone)


@given(seeds, st.lists(st.floats(-3, 3, width=32), max_size=4), st.integers(0, 9))
def test_an_adaptive_interval_is_shortest_after_a_leader_twice_as_long_after_others_and_as_it_was_after_nobody(
    seed, scores, doublings
):
    state = replace(evaluated(MIXED, 6, seed=seed), schedule=MigrationSchedule(1, 2**doublings))
    after = generation.next_schedule(state, np.asarray(scores, np.float32))
    assert after.last == state.generation
    if not scores:
        assert after.multiplier == 2**doublings
    else:
        assert after.multiplier == (1 if max(scores) > state.fitness.max() else 2 ** (doublings + 1))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ([0.0] * 6, "list"),
        (None, "NoneType"),
        (np.zeros(6), "float64"),
        (np.zeros(6, np.int32), "int32"),
        (np.zeros(5, np.float32), r"\(5,\)"),
        (np.zeros((6, 1), np.float32), r"\(6, 1\)"),
        (np.float32(0), "float32"),
    ],
)
def test_an_answer_of_another_shape_or_type_is_the_tasks_error(answer, complaint):
    with pytest.raises(TaskError, match=rf"task hill: .*float32 \(6,\), got .*{complaint}"):
        score(Answer(answer), painted(MIXED, 6, seed=0).genes, episode=3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_names_the_individual(bad):
    answer = np.zeros(6, np.float32)
    answer[[2, 5]] = bad
    with pytest.raises(TaskError, match=r"for genome 2 of generation 3 \(2 of 6 are not\)"):
        generation.evaluate(Answer(answer), painted(MIXED, 6, seed=0), generation=3, before=None)


def test_the_generation_is_the_episode():
    task = Weather()
    generation.evaluate(task, painted(MIXED, 3, seed=0), generation=5, before=None)
    assert [episode for _, episode in task.asked] == [5]
