"""What strategies share gives the bits of its plain definition, however it comes by them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.algorithms import sampling
from atoll.evo.genome import GenomeSpec, Segment
from atoll.evo.rng import streams
from tests.strategies import painted, seeds

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def plainly_bounded(z):
    """Shorten whoever is longer than the limit, each length summed in the stated order."""
    limit = z.dtype.type(np.sqrt(z.shape[1]) + 2.0)
    length = np.sqrt(sampling.ordered_sum((z * z).T.copy()))
    return np.stack([row * (limit / own) if own > limit else row for row, own in zip(z, length, strict=True)])


@FLOATS
@given(seed=seeds, d=st.integers(1, 600), scale=st.sampled_from([0.5, 1.0, 1.1, 30.0]))
def test_whoever_is_longer_than_a_sample_may_be_is_shortened_and_nobody_else(dtype, seed, d, scale):
    z = (scale * np.random.default_rng(seed).standard_normal((20, d))).astype(dtype)
    before = z.copy()
    assert sampling.bounded(z).tobytes() == plainly_bounded(z).tobytes()
    assert z.tobytes() == before.tobytes()


@FLOATS
@pytest.mark.parametrize("d", [1, 2, 9, 64, 521])
def test_a_length_within_the_last_bits_of_the_limit_counts_as_the_stated_order_has_it(dtype, d):
    z = np.random.default_rng(d).standard_normal((2000, d))
    z *= (np.sqrt(d) + 2.0) / np.linalg.norm(z, axis=1)[:, None]
    z *= 1.0 + np.finfo(dtype).eps * np.linspace(-2.0, 2.0, len(z))[:, None]
    z = z.astype(dtype)
    shortened = sampling.bounded(z)
    assert shortened.tobytes() == plainly_bounded(z).tobytes()
    assert (shortened != z).any()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 250])
def test_a_sum_goes_by_halves_from_the_first(n):
    values = np.random.default_rng(n).standard_normal((n, 3)).astype(np.float32)

    def by_halves(rows):
        if len(rows) == 1:
            return rows[0]
        half = 1 << (len(rows) - 1).bit_length() - 1
        folded = [rows[i] + rows[half + i] if half + i < len(rows) else rows[i] for i in range(half)]
        return by_halves(folded)

    assert sampling.ordered_sum(values).tobytes() == by_halves(list(values)).tobytes()


@given(seed=seeds, k=st.integers(1, 5), d=st.integers(1, 12))
def test_shares_of_a_mean_are_the_weights_of_parents_added_in_their_order(seed, k, d):
    population = painted(GenomeSpec((Segment("x", d),)), 9, seed=seed, islands=tuple("abcde"[:k]))
    weights = np.random.default_rng(seed).random(9)
    weights[seed % 9] = 0.0
    weights /= weights.sum()
    expected = np.zeros((k, d))
    for origins, weight in zip(population.ancestry, weights, strict=True):
        expected[origins, np.arange(d)] += weight
    shares = sampling.recombined_shares(population, weights)
    assert shares.flags.c_contiguous
    if k > 1:
        assert shares.tobytes() == expected.tobytes()
    np.testing.assert_allclose(shares, expected, rtol=1e-12)


@given(seed=seeds, n=st.integers(1, 7), d=st.integers(1, 9))
def test_normal_numbers_are_quantiles_of_sixteen_bits_each(seed, n, d):
    words = np.frombuffer(streams(seed, "a", 0)("x").bytes(2 * n * d + 8), dtype="<u2")[: n * d].reshape(n, d)
    assert sampling.normal(streams(seed, "a", 0)("x"), (n, d)).tobytes() == sampling._quantiles()[words].tobytes()


def test_nothing_is_drawn_for_genes_that_all_have_one_origin():
    shares = np.zeros((3, 4))
    shares[1] = 1.0

    def unwanted(purpose):
        raise AssertionError(purpose)

    assert (sampling.painted(shares, 5, unwanted) == 1).all()


@given(seed=seeds)
def test_children_are_painted_by_the_shares_and_with_no_island_that_has_none(seed):
    shares = np.zeros((5, 3))
    shares[[1, 2, 4]] = np.random.default_rng(seed).dirichlet([1.0, 1.0, 1.0], size=3).T
    ancestry = sampling.painted(shares, 20_000, streams(seed, "a", 0))
    counted = (ancestry == np.arange(5)[:, None, None]).mean(axis=1)
    np.testing.assert_allclose(counted, shares, atol=0.02)
    assert set(np.unique(ancestry)) <= {1, 2, 4}
