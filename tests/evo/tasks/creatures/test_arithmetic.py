"""Our own functions are close to the true ones, and the same numbers in NumPy and PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.tasks.creatures import arithmetic

TURNS = np.concatenate([np.linspace(-2, 2, 40_001), np.linspace(-1000, 1000, 40_001)]).astype(np.float32)
WIDE = np.concatenate([np.linspace(-12, 12, 40_001), [-1e30, 1e30, 1e-30, 0]]).astype(np.float32)


def test_cosine_is_within_its_stated_error_and_never_beyond_one():
    value = arithmetic.cosine(TURNS)
    assert value.dtype == np.float32
    assert np.max(np.abs(value - np.cos(2 * np.pi * TURNS.astype(np.float64)))) < 3e-7
    assert np.max(np.abs(value)) <= 1.0


def test_cosine_is_even_and_repeats_every_turn():
    eighths = np.arange(-64, 64, dtype=np.float32) / 8
    np.testing.assert_array_equal(arithmetic.cosine(eighths), arithmetic.cosine(-eighths))
    np.testing.assert_array_equal(arithmetic.cosine(eighths), arithmetic.cosine(eighths + 3))


def test_tanh_is_within_its_stated_error_odd_and_never_beyond_one():
    value = arithmetic.tanh(WIDE)
    assert value.dtype == np.float32
    assert np.max(np.abs(value - np.tanh(WIDE.astype(np.float64)))) < 1e-4
    assert np.max(np.abs(value)) <= 1.0
    np.testing.assert_array_equal(arithmetic.tanh(-WIDE), -value)


@pytest.mark.parametrize(("function", "points"), [(arithmetic.cosine, TURNS), (arithmetic.tanh, WIDE)])
def test_numpy_and_pytorch_agree_bit_for_bit_at_every_length(function, points):
    expected = function(points)
    for n in (1, 3, 7, 15, 17, 33, 1001, len(points)):
        assert function(torch.from_numpy(points[:n])).numpy().tobytes() == expected[:n].tobytes()


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=9))
def test_terms_are_added_from_the_first_to_the_last(terms):
    total = np.float32(terms[0])
    for term in terms[1:]:
        total = np.float32(total + np.float32(term))
    assert arithmetic.add_in_order(np.array(terms, dtype=np.float32)[:, None])[0] == total


def test_a_library_sum_takes_another_order():
    """The reason for `add_in_order`: were the two equal, it could go."""
    terms = torch.from_numpy(np.random.default_rng(0).normal(size=(28, 1001)).astype(np.float32))
    assert not torch.equal(terms.T.contiguous().sum(dim=1), arithmetic.add_in_order(terms))
