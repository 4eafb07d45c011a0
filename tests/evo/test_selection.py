"""Selection looks at the order of the scores alone; of equals the lower index comes first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import selection
from atoll.evo.config import Breeding
from tests.strategies import fitnesses, seeds

KINDS = [
    Breeding(selection="tournament", tournament_size=1),
    Breeding(selection="tournament", tournament_size=3),
    Breeding(selection="truncation", truncation_share=0.3),
    Breeding(selection="rank", rank_pressure=1.0),
    Breeding(selection="rank", rank_pressure=2.0),
]
TIED = np.zeros(6, dtype=np.float32)
LADDER = np.asarray([2.0, 7.0, -1.0, 4.0, 0.0, 3.0, 6.0, 5.0], dtype=np.float32)
"""Eight scores; `selection.best` puts them in this order: 1, 6, 7, 3, 5, 0, 4, 2."""


def rng(seed=0):
    return np.random.default_rng(seed)


def copies(chosen):
    """Return how often each individual was chosen, best first."""
    return np.bincount(chosen, minlength=8)[selection.best(LADDER, 8)]


def within_noise(counts, expected):
    return np.abs(counts - expected).max() < 5 * np.sqrt(np.max(expected))


@given(fitnesses(1), st.data())
def test_best_and_worst_are_the_two_ends_of_one_order(fitness, data):
    p = len(fitness)
    n = data.draw(st.integers(0, p))
    order = sorted(range(p), key=lambda i: (-fitness[i], i))
    assert selection.best(fitness, n).tolist() == order[:n]
    assert selection.worst(fitness, n).tolist() == order[::-1][:n]


@given(fitnesses(), seeds, st.sampled_from(KINDS), st.integers(0, 60))
def test_parents_are_individuals_and_the_same_stream_chooses_the_same(fitness, seed, breeding, n):
    before = fitness.tobytes()
    chosen = selection.parents(fitness, n, breeding=breeding, rng=rng(seed))
    assert (chosen.shape, chosen.dtype) == ((n,), np.dtype(np.int64))
    assert set(chosen.tolist()) <= set(range(len(fitness)))
    assert fitness.tobytes() == before
    np.testing.assert_array_equal(chosen, selection.parents(fitness, n, breeding=breeding, rng=rng(seed)))


@given(fitnesses(), seeds, st.sampled_from(KINDS))
def test_only_the_order_of_the_scores_matters(fitness, seed, breeding):
    """Any increasing transform chooses the same parents: here each score becomes the number of scores below it."""
    ranks = np.searchsorted(np.unique(fitness), fitness)
    for increasing in (ranks, 3 * ranks - 1000, np.exp2(np.minimum(ranks, 100))):
        chosen = selection.parents(increasing.astype(np.float32), 40, breeding=breeding, rng=rng(seed))
        np.testing.assert_array_equal(chosen, selection.parents(fitness, 40, breeding=breeding, rng=rng(seed)))


def test_a_tournament_of_one_is_a_uniform_draw():
    assert within_noise(copies(selection.tournament(LADDER, 8000, size=1, rng=rng())), np.full(8, 1000))


@pytest.mark.parametrize("size", [2, 5])
def test_a_tournament_is_won_by_rank(size):
    """The i-th best wins if all contestants are at most as good, less if all are worse: (1-i/P)^s - (1-(i+1)/P)^s."""
    n, p = 8000, len(LADDER)
    above = 1 - np.arange(p + 1) / p
    expected = n * (above[:-1] ** size - above[1:] ** size)
    assert within_noise(copies(selection.tournament(LADDER, n, size=size, rng=rng())), expected)


def test_a_large_tournament_is_won_by_the_best():
    assert set(selection.tournament(LADDER, 50, size=500, rng=rng()).tolist()) == {1}
    assert set(selection.tournament(TIED, 50, size=500, rng=rng()).tolist()) == {0}


@given(seeds, st.integers(1, 5))
def test_a_larger_tournament_is_never_won_by_a_worse_one(seed, size):
    """Contestants are drawn in rows; the first ones of a larger tournament need not be those of a smaller one."""
    mean = [copies(selection.tournament(LADDER, 3000, size=s, rng=rng(seed))) @ np.arange(8) for s in (size, size + 2)]
    assert mean[1] < mean[0]


@given(fitnesses(), seeds, st.floats(0, 1))
def test_truncation_lets_only_the_best_breed(fitness, seed, share):
    survivors = selection.best(fitness, max(1, round(share * len(fitness))))
    chosen = selection.truncation(fitness, 30, share=share, rng=rng(seed))
    assert set(chosen.tolist()) <= set(survivors.tolist())


def test_survivors_of_truncation_breed_alike():
    assert within_noise(copies(selection.truncation(LADDER, 8000, share=0.5, rng=rng()))[:4], np.full(4, 2000))


@given(fitnesses(), seeds, st.floats(1, 2), st.integers(1, 100))
def test_ranking_gives_each_its_expected_children_to_within_one(fitness, seed, pressure, n):
    p = len(fitness)
    chosen = selection.rank(fitness, n, pressure=pressure, rng=rng(seed))
    counts = np.bincount(chosen, minlength=p)[selection.best(fitness, p)]
    expected = np.linspace(pressure, 2 - pressure, p) * n / p
    assert np.abs(counts - expected).max() < 1 + 1e-6


def test_ranked_parents_come_in_random_order():
    """Neighbours mate; sorted parents would mate with their like."""
    chosen = selection.rank(LADDER, 4000, pressure=1.5, rng=rng())
    place = np.empty(8)
    place[selection.best(LADDER, 8)] = np.arange(8)
    assert abs(np.corrcoef(place[chosen[:-1]], place[chosen[1:]])[0, 1]) < 0.1
    assert abs(np.corrcoef(place[chosen], np.arange(4000))[0, 1]) < 0.1


@pytest.mark.parametrize("kind", ["tournament", "truncation", "rank"])
def test_ties_go_to_the_lower_index(kind):
    breeding = Breeding(selection=kind, tournament_size=2, truncation_share=0.5)
    counts = np.bincount(selection.parents(TIED, 6000, breeding=breeding, rng=rng()), minlength=6)
    assert counts[0] > counts[-1]
    assert counts[:3].sum() > 1.3 * counts[3:].sum()


@pytest.mark.parametrize(
    ("kind", "by_hand"),
    [
        ("tournament", lambda: selection.tournament(LADDER, 20, size=4, rng=rng(9))),
        ("truncation", lambda: selection.truncation(LADDER, 20, share=0.4, rng=rng(9))),
        ("rank", lambda: selection.rank(LADDER, 20, pressure=1.2, rng=rng(9))),
    ],
)
def test_the_settings_reach_the_method_they_name(kind, by_hand):
    breeding = Breeding(selection=kind, tournament_size=4, truncation_share=0.4, rank_pressure=1.2)
    np.testing.assert_array_equal(selection.parents(LADDER, 20, breeding=breeding, rng=rng(9)), by_hand())
