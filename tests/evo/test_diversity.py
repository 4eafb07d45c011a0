"""Diversity is 0 for a population of one genome, known for a random one, and has no unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import diversity
from atoll.evo.diversity import distances, distinct, first_alike, fixation_index, gene_deviation, moments
from atoll.evo.genome import GenomeSpec, Kind, Population, Segment
from tests.strategies import painted, seeds, specs


def of(genes, spec):
    return gene_deviation(Population(genes, np.zeros(genes.shape, np.uint16), ("a",)), spec)


@pytest.mark.parametrize("at_a_time", [1, 12, 1 << 18])
@given(specs(), seeds, st.lists(st.integers(0, 9), min_size=1, max_size=20), st.data())
def test_a_genome_is_distinct_if_no_earlier_one_has_its_very_bytes(at_a_time, spec, seed, chosen, data):
    some = painted(spec, 5, seed=seed).genes
    genes = np.concatenate([some, some[:, ::-1]])[chosen]  # turned round, another genome has the same checksum
    genes[genes == 0] *= np.where(np.arange((genes == 0).sum()) % 2, -1, 1)  # -0 and 0 are equal, their bytes are not
    one_by_one = [row.tobytes() for row in genes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diversity, "COMPARED_GENES", at_a_time)
        assert first_alike(genes).tolist() == [one_by_one.index(each) for each in one_by_one]
        assert distinct(genes) == len(set(one_by_one))
        groups = np.split(genes, sorted(data.draw(st.lists(st.integers(0, len(genes)), max_size=2))))
        assert first_alike(*groups).tolist() == first_alike(genes).tolist()


@given(specs(), seeds)
def test_clones_have_none_and_it_is_at_most_half_the_range(spec, seed):
    population = painted(spec, 6, seed=seed)
    assert 0 <= gene_deviation(population, spec) <= 0.5 + 1e-6
    assert gene_deviation(population.take(np.zeros(6, dtype=np.int64)), spec) < 1e-9


def test_random_genes_have_that_of_a_uniform_draw():
    spec = GenomeSpec((Segment("x", 30, -3.0, 9.0),))
    assert abs(gene_deviation(painted(spec, 4000, seed=0), spec) - 12**-0.5) < 0.005


@given(seeds)
def test_order_does_not_matter_and_neither_does_the_unit(seed):
    spec, wide = GenomeSpec((Segment("x", 5, -1.0, 1.0),)), GenomeSpec((Segment("x", 5, -8.0, 8.0),))
    genes = painted(spec, 8, seed=seed).genes
    here = of(genes, spec)
    assert abs(of(genes[::-1].copy(), spec) - here) < 1e-6
    assert abs(of(8 * genes, wide) - here) < 1e-6


def test_the_extremes_are_half_the_range_apart_from_their_mean():
    spec = GenomeSpec((Segment("x", 3, -1.0, 5.0),))
    assert of(np.asarray([[-1] * 3, [5] * 3], dtype=np.float32), spec) == 0.5


# Distance


@given(specs(), seeds)
def test_a_distance_is_symmetric_from_0_to_1_and_a_triangle_has_no_short_cut(spec, seed):
    genes = painted(spec, 6, seed=seed).genes
    apart = distances(genes, genes, spec)
    assert np.all((apart >= 0) & (apart <= 1))
    np.testing.assert_array_equal(apart, apart.T)
    assert np.all(np.diag(apart) == 0)
    assert np.all(apart[:, :, None] <= apart[:, None, :] + apart.T[None, :, :] + 1e-12)


@given(specs(), st.integers(1, 5), st.integers(0, 5), seeds)
def test_a_distance_is_between_two_genomes_whoever_else_is_there(spec, n, m, seed):
    one, other = painted(spec, n, seed=seed).genes, painted(spec, m, seed=seed + 1).genes
    apart = distances(one, other, spec)
    assert apart.shape == (n, m)
    alone = [[distances(one[i : i + 1], other[j : j + 1], spec)[0, 0] for j in range(m)] for i in range(n)]
    np.testing.assert_allclose(apart, np.reshape(alone, (n, m)), rtol=1e-12)


def test_opposite_corners_are_1_apart_and_each_gene_counts_alike():
    spec = GenomeSpec(
        (Segment("x", 2, -5.0, 20.0), Segment("g", 1, kind=Kind.GATE), Segment("n", 1, 0, 4, Kind.INTEGER))
    )
    low, high = spec.low[None], spec.high[None]
    assert distances(low, high, spec) == 1.0
    for gene in range(4):
        one_off = low.copy()
        one_off[0, gene] = high[0, gene]
        assert distances(low, one_off, spec) == 0.25


# F_ST


def islands_of(*seeds_, n=40, spec=None, centre=0.0, spread=1.0):
    spec = spec or GenomeSpec((Segment("x", 30, -10.0, 10.0),))
    draws = [np.random.default_rng(seed).normal(centre, spread, (n, spec.size)).astype(np.float32) for seed in seeds_]
    return draws, spec


@given(specs(), seeds, st.permutations(range(3)))
def test_f_st_does_not_depend_on_the_order_of_islands_or_individuals_and_is_at_most_1(spec, seed, order):
    groups = [painted(spec, 3 + i, seed=seed + i).genes for i in range(3)]
    found = fixation_index(groups, spec)
    assert found is None or -1 <= found <= 1
    again = fixation_index([groups[i][::-1] for i in order], spec)
    assert (found is None) == (again is None)
    assert found is None or abs(found - again) < 1e-9


@given(specs(), seeds)
def test_f_st_is_1_between_clones_and_none_where_all_are_alike_or_alone(spec, seed):
    two = painted(spec, 2, seed=seed).genes
    clones = [np.repeat(two[:1], 4, axis=0), np.repeat(two[1:], 3, axis=0)]
    if np.any(two[0] != two[1]):
        assert fixation_index(clones, spec) == pytest.approx(1.0)
    assert fixation_index([clones[0], np.repeat(two[:1], 3, axis=0)], spec) is None
    assert fixation_index([two], spec) is None
    assert fixation_index([], spec) is None
    assert fixation_index([two[:1], two[1:]], spec) is None, "one each: nothing is known of the variance within"
    assert fixation_index([two, two[:0]], spec) is None


@given(specs(), seeds, st.integers(1, 40), st.integers(1, 5))
def test_moments_are_those_of_all_individuals_however_many_are_taken_at_a_time(spec, seed, n, rows):
    genes = painted(spec, n, seed=seed).genes
    shares = (genes.astype(np.float64) - spec.low) / (spec.high.astype(np.float64) - spec.low)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diversity, "MAX_DOUBLES", rows * spec.size)
        found = moments(genes, spec)
    assert found.individuals == n
    np.testing.assert_allclose(found.mean, shares.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.squares, n * shares.var(axis=0).sum(), atol=1e-9)


@given(specs(), seeds, st.integers(1, 40))
def test_clones_have_no_variance_at_all(spec, seed, n):
    one = painted(spec, 1, seed=seed).genes
    found, alone = moments(np.repeat(one, n, axis=0), spec), moments(one, spec)
    assert found.squares == 0.0
    np.testing.assert_array_equal(found.mean, alone.mean)


def test_f_st_is_0_on_average_between_samples_of_one_population_whatever_their_sizes():
    """Unbiased: the mean over 200 archipelagos of unequal islands lies within four standard errors of 0."""
    found = []
    for i in range(200):
        (genes,), spec = islands_of(i, n=60)
        found.append(fixation_index([genes[:5], genes[5:20], genes[20:]], spec))
    assert min(found) < 0 < max(found)
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))


@pytest.mark.parametrize("expected", [0.1, 0.5, 0.9])
def test_f_st_recovers_the_share_of_variance_between_islands_that_was_put_in(expected):
    """Island means drawn with variance F, individuals around them with 1 - F; 50 loci, 60 islands of unequal size."""
    rng, spec = np.random.default_rng(3), GenomeSpec((Segment("x", 50, -10.0, 10.0),))
    groups = []
    for i in range(60):
        mean = rng.normal(0, np.sqrt(expected), 50)
        groups.append((mean + rng.normal(0, np.sqrt(1 - expected), (5 + i % 7, 50))).astype(np.float32))
    assert fixation_index(groups, spec) == pytest.approx(expected, abs=0.02)


def test_on_gates_f_st_is_the_haploid_theta_of_weir_and_cockerham():
    """By their formulas with frequencies p_i, for haploids: sums over loci of a, and of a + b."""
    rng, spec = np.random.default_rng(5), GenomeSpec((Segment("g", 12, kind=Kind.GATE),))
    sizes = np.asarray([7, 20, 12])
    groups = [(rng.random((n, 12)) < rng.random(12)).astype(np.float32) for n in sizes]
    p, r, n_mean = np.asarray([group.mean(axis=0) for group in groups]), len(sizes), sizes.mean()
    n_c = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (r - 1)
    mean = sizes @ p / sizes.sum()
    s2 = sizes @ (p - mean) ** 2 / ((r - 1) * n_mean)
    msp, msg = n_mean * s2, (sizes @ (p * (1 - p))) / (sizes - 1).sum()
    theta = (msp - msg).sum() / (msp + (n_c - 1) * msg).sum()
    assert fixation_index(groups, spec) == pytest.approx(theta)
