"""Laws of who leaves and who makes room."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from atoll.evo import selection
from atoll.evo.config import Migration
from atoll.evo.diversity import distances
from atoll.evo.genome import NO_PLACE, GenomeSpec, Segment
from atoll.migration.exchange import policy

SPEC = GenomeSpec((Segment("x", 4, -1.0, 3.0), Segment("gate", 2, kind="gate")))
SELECTIONS = ["best", "random", "tournament", "most-different"]
REPLACEMENTS = ["worst", "random", "most-similar", "only-if-better"]
FITNESS = hnp.arrays(np.float32, st.integers(2, 30), elements=st.integers(-5, 5).map(float))
SEEDS = st.integers(0, 2**32 - 1)


def genes_of(n, seed=0):
    return SPEC.sample(np.random.default_rng(seed), n)


def emigrants(fitness, k, how, *, genes=None, seed=0, size=5, duplicates="avoid"):
    genes = genes_of(len(fitness), seed) if genes is None else genes
    ways = {"emigrant_selection": how, "emigrant_tournament_size": size, "duplicates": duplicates}
    migration = Migration(migrants=k, **ways)
    return policy.emigrants(genes, fitness, migration=migration, spec=SPEC, rng=np.random.default_rng(seed))


def displaced(fitness, scores, how, *, genes=None, immigrants=None, seed=0):
    genes = genes_of(len(fitness), seed) if genes is None else genes
    immigrants = genes_of(len(scores), seed + 1) if immigrants is None else immigrants
    migration = Migration(migrants=5, replacement=how)
    rng = np.random.default_rng(seed)
    return policy.displaced(genes, fitness, immigrants, scores, migration=migration, spec=SPEC, rng=rng)


def scores_of(n, seed):
    return np.random.default_rng(seed).integers(-5, 6, size=n).astype(np.float32)


# Who leaves


@pytest.mark.parametrize("how", SELECTIONS)
@given(fitness=FITNESS, k=st.integers(1, 30), seed=SEEDS)
def test_k_different_residents_leave_or_all_there_are(how, fitness, k, seed):
    chosen = emigrants(fitness, k, how, seed=seed)
    assert len(set(chosen)) == len(chosen) == min(k, len(fitness))
    assert chosen.dtype == np.int64
    assert set(chosen) <= set(range(len(fitness)))
    np.testing.assert_array_equal(chosen, emigrants(fitness, k, how, seed=seed))


@given(FITNESS, st.integers(1, 30))
def test_best_nobody_who_stays_is_better_than_one_who_leaves(fitness, k):
    chosen = emigrants(fitness, k, "best")
    stays = np.delete(fitness, chosen)
    assert np.all(np.diff(fitness[chosen]) <= 0)
    assert not len(stays) or fitness[chosen].min() >= stays.max()


@pytest.mark.parametrize("how", ["best", "most-different"])
def test_only_random_selections_draw(how):
    fitness = scores_of(9, 1)
    np.testing.assert_array_equal(
        emigrants(fitness, 3, how, genes=genes_of(9), seed=1), emigrants(fitness, 3, how, genes=genes_of(9), seed=2)
    )


def test_random_prefers_nobody():
    """Of 6, 2 leave 600 times: each expects 200."""
    counts = np.zeros(6)
    for seed in range(600):
        counts[emigrants(np.arange(6, dtype=np.float32), 2, "random", seed=seed)] += 1
    assert np.all((counts > 150) & (counts < 250))


@given(FITNESS, st.integers(1, 30), SEEDS)
def test_a_tournament_of_very_many_is_won_by_the_best(fitness, k, seed):
    np.testing.assert_array_equal(emigrants(fitness, k, "tournament", seed=seed, size=3000), selection.best(fitness, k))


def test_a_tournament_of_one_prefers_nobody_and_a_larger_one_the_better():
    means = {}
    for size in (1, 2, 5):
        chosen = [emigrants(np.arange(20, dtype=np.float32), 3, "tournament", seed=s, size=size) for s in range(400)]
        means[size] = np.mean(chosen)
    assert abs(means[1] - 9.5) < 0.6
    assert means[1] < means[2] - 1 < means[5] - 2


@given(FITNESS, st.integers(1, 6), SEEDS)
def test_who_differs_most_is_of_the_better_half_the_best_first_and_no_other_would_be_further_away(fitness, k, seed):
    genes = genes_of(len(fitness), seed)
    chosen = emigrants(fitness, k, "most-different", genes=genes)
    better = selection.best(fitness, max(len(chosen), (len(fitness) + 1) // 2))
    assert chosen[0] == better[0]
    assert set(chosen) <= set(better)
    for n in range(1, len(chosen)):
        nearest = distances(genes[better], genes[chosen[:n]], SPEC).min(axis=1)
        left = ~np.isin(better, chosen[:n])
        assert nearest[list(better).index(chosen[n])] == nearest[left].max()


def test_of_two_crowds_who_differ_both_are_sent():
    genes = np.repeat(np.asarray([SPEC.low, SPEC.high]), [7, 3], axis=0)
    fitness = np.asarray([9, 8, 7, 6, 5, 1, 1, 4.5, 4, 4], dtype=np.float32)
    accepting = {"genes": genes, "duplicates": "accept"}
    assert list(emigrants(fitness, 2, "best", **accepting)) == [0, 1]
    assert list(emigrants(fitness, 2, "most-different", **accepting)) == [0, 1], "the other crowd is not good enough"
    fitness[7] = 5.5
    assert list(emigrants(fitness, 2, "most-different", **accepting)) == [0, 7]


@pytest.mark.parametrize("how", SELECTIONS)
@given(fitness=FITNESS, k=st.integers(1, 30), n=st.integers(1, 30), seed=SEEDS)
def test_no_two_emigrants_are_alike_and_each_is_the_best_of_its_copies(how, fitness, k, n, seed):
    """Fewer than K leave only where fewer distinct genomes live."""
    copied = np.random.default_rng(seed).integers(n, size=len(fitness))
    chosen = emigrants(fitness, k, how, genes=genes_of(n, seed)[copied], seed=seed)
    assert len(set(copied[chosen])) == len(chosen) == min(k, len(set(copied)))
    assert all(fitness[place] == fitness[copied == copied[place]].max() for place in chosen)


@pytest.mark.parametrize("how", SELECTIONS)
@given(fitness=FITNESS, k=st.integers(1, 30), seed=SEEDS)
def test_where_no_two_residents_are_alike_duplicates_change_nobody_who_leaves(how, fitness, k, seed):
    one, *others = (emigrants(fitness, k, how, seed=seed, duplicates=way) for way in ("avoid", "refuse", "accept"))
    assert all(np.array_equal(one, other) for other in others)


@pytest.mark.parametrize("duplicates", ["accept", "refuse"])
def test_copies_leave_where_they_are_not_avoided(duplicates):
    clones = np.repeat(SPEC.low[None], 6, axis=0)
    for how in SELECTIONS:
        assert len(emigrants(scores_of(6, 1), 4, how, genes=clones, duplicates=duplicates)) == 4


# Who makes room


@pytest.mark.parametrize("how", REPLACEMENTS)
@given(fitness=FITNESS, data=st.data(), seed=SEEDS)
def test_each_immigrant_has_a_place_of_its_own_or_none(how, fitness, data, seed):
    n = data.draw(st.integers(0, len(fitness)))
    places = displaced(fitness, scores_of(n, seed), how, seed=seed)
    settled = places[places != NO_PLACE]
    assert (places.shape, places.dtype) == ((n,), np.int64)
    assert len(set(settled)) == len(settled)
    assert set(settled) <= set(range(len(fitness)))
    assert how == "only-if-better" or len(settled) == n


@given(FITNESS, st.data())
def test_worst_nobody_who_keeps_a_place_is_worse_than_one_who_loses_it(fitness, data):
    n = data.draw(st.integers(0, len(fitness)))
    places = displaced(fitness, scores_of(n, 0), "worst")
    keeps = np.delete(fitness, places)
    assert np.all(np.diff(fitness[places]) >= 0)
    assert not len(keeps) or not n or fitness[places].max() <= keeps.min()


@given(FITNESS, st.data())
def test_the_k_best_are_never_displaced_while_there_are_others(fitness, data):
    """With at most half the population leaving, emigrants survive their own migration, ties or not."""
    k = data.draw(st.integers(1, len(fitness) // 2))
    assert not set(emigrants(fitness, k, "best")) & set(displaced(fitness, scores_of(k, 0), "worst"))


def test_random_spares_nobody():
    """Of 6, 2 make room 600 times: each expects 200."""
    counts = np.zeros(6)
    for seed in range(600):
        counts[displaced(np.arange(6, dtype=np.float32), np.ones(2, np.float32), "random", seed=seed)] += 1
    assert np.all((counts > 150) & (counts < 250))


@given(FITNESS, SEEDS, st.data())
def test_the_most_similar_makes_room_whoever_arrives_first(fitness, seed, data):
    """A copy takes its original's place; and the order of arrival means nothing."""
    n = data.draw(st.integers(0, min(6, len(fitness))))
    genes, immigrants = genes_of(len(fitness), seed), genes_of(n, seed + 1)
    places = displaced(fitness, scores_of(n, 0), "most-similar", genes=genes, immigrants=immigrants)
    apart = distances(immigrants, genes, SPEC)
    for i, place in enumerate(places):
        taken_by_closer = [other for j, other in enumerate(places) if apart[j, other] < apart[i, place]]
        assert apart[i, place] == np.delete(apart[i], taken_by_closer).min()
    order = np.random.default_rng(seed).permutation(n)
    again = displaced(fitness, scores_of(n, 0), "most-similar", genes=genes, immigrants=immigrants[order])
    np.testing.assert_array_equal(again, places[order])
    copies = np.random.default_rng(seed).permutation(len(fitness))[:n]
    into = displaced(fitness, scores_of(n, 0), "most-similar", genes=genes, immigrants=genes[copies])
    np.testing.assert_array_equal(into, copies)


@given(FITNESS, st.data(), SEEDS)
def test_only_if_better_keeps_the_best_of_residents_and_immigrants(fitness, data, seed):
    scores = scores_of(data.draw(st.integers(0, len(fitness))), seed)
    places = displaced(fitness, scores, "only-if-better")
    settled = places != NO_PLACE
    after = fitness.copy()
    after[places[settled]] = scores[settled]
    assert sorted(after) == sorted(np.concatenate([fitness, scores]))[-len(fitness) :]
    assert np.all(after >= fitness)
    assert np.all(scores[settled] > fitness[places[settled]])
    assert np.sum(after != fitness) == settled.sum(), "an equal displaces nobody"
