"""Intervals say what they should, and only equal seeds are compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.lab.islands.paired import mean_interval, pairs


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_an_interval_holds_its_mean_and_moves_with_the_values(values: list[float]) -> None:
    mean, low, high = mean_interval(values)
    assert min(values) - 1e-9 <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= max(values) + 1e-9
    moved = mean_interval([value + 5 for value in values])
    assert np.allclose(moved, [mean + 5, low + 5, high + 5])


def test_an_interval_is_about_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(size=400)
    _, low, high = mean_interval(list(values))
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_only_equal_seeds_make_a_pair() -> None:
    rows = [{"task": "t", "cast": cast, "seed": seed} for cast, seed in [("x", 1), ("x", 2), ("y", 2), ("y", 3)]]
    assert pairs(rows, "x", "y") == {"t": [(rows[1], rows[2])]}
