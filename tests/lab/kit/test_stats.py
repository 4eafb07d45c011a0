from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atoll.scripts.lab.kit import stats

LOGS = st.lists(st.floats(-3, 3), min_size=1, max_size=12)
P_VALUES = st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0, 1), min_size=1, max_size=8)
TIMES = st.dictionaries(st.integers(0, 20), st.floats(0.1, 100))


@given(TIMES, TIMES)
def test_which_arm_stands_below_changes_the_sign_alone(first, second):
    there, back = stats.log_ratios(first, second), stats.log_ratios(second, first)
    assert there == pytest.approx([-value for value in back])
    assert len(there) == len(first.keys() & second.keys())


@settings(max_examples=25)
@given(LOGS, st.randoms(use_true_random=False))
def test_the_order_of_the_blocks_does_not_matter(values, random):
    shuffled = random.sample(values, len(values))
    assert stats.interval(values, seed=3) == stats.interval(shuffled, seed=3)
    assert stats.sign_test(values) == stats.sign_test(shuffled)


@settings(max_examples=25)
@given(LOGS)
def test_the_interval_holds_the_median_and_nothing_unseen(values):
    found = stats.interval(values, seed=0)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found.median == pytest.approx(statistics.median(values))
    assert found.n == len(values)


@settings(max_examples=25)
@given(LOGS, st.floats(-2, 2))
def test_all_blocks_shifted_shift_the_interval(values, shift):
    one, other = stats.interval(values, seed=1), stats.interval([value + shift for value in values], seed=1)
    assert (other.low, other.median, other.high) == pytest.approx(
        (one.low + shift, one.median + shift, one.high + shift), abs=1e-9
    )


def test_three_blocks_give_their_range_and_decide_nothing():
    found = stats.interval([0.5, 0.6, 0.7], seed=0)
    assert (found.low, found.high) == (0.5, 0.7)
    assert not found.has_enough_blocks
    assert stats.coverage(3) == 0.75
    assert stats.sign_test([0.5, 0.6, 0.7]) == stats.smallest_p(3) == 0.25
    assert stats.judge(found, stats.sign_test([0.5, 0.6, 0.7])) == "undecided"
    same = stats.interval([0.0, 0.001, -0.001], seed=0)
    assert stats.judge(same, 1.0) == "undecided"


@pytest.mark.slow
def test_the_interval_of_ten_blocks_covers_the_truth_as_often_as_it_says():
    """Of normal samples with a true median of zero; 300 of them, so the share is known to about 1.5 %."""
    samples = np.random.default_rng(7).normal(size=(300, 10))
    found = [stats.interval(list(sample), seed=n) for n, sample in enumerate(samples)]
    assert sum(each.low <= 0 <= each.high for each in found) / 300 >= 0.90


@given(st.integers(1, 14))
def test_the_sign_test_is_exact(n):
    """Against the count of all sign patterns that are at least as one-sided."""
    for positive in range(n + 1):
        values = [1.0] * positive + [-1.0] * (n - positive)
        extreme = sum(math.comb(n, k) for k in range(n + 1) if math.comb(n, k) <= math.comb(n, positive))
        assert stats.sign_test(values) == pytest.approx(extreme / 2**n)
    assert stats.sign_test([1.0] * n) == pytest.approx(stats.smallest_p(n))


def test_no_difference_is_no_evidence():
    assert stats.sign_test([0.0, 0.0]) == 1.0


@given(P_VALUES)
def test_correction_never_makes_a_p_value_smaller_and_keeps_the_order(p_values):
    corrected = stats.holm(p_values)
    assert list(corrected) == list(p_values)
    for name in p_values:
        assert p_values[name] <= corrected[name] <= min(1.0, len(p_values) * p_values[name]) + 1e-12
    for one, other in itertools.combinations(p_values, 2):
        if p_values[one] < p_values[other]:
            assert corrected[one] <= corrected[other]


def test_correction_as_published():
    """The example that R's manual of p.adjust computes."""
    assert stats.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})


@given(LOGS)
def test_the_noise_floor_does_not_depend_on_which_of_the_two_came_first(values):
    assert stats.noise_floor(values) == stats.noise_floor([-value for value in values])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5 + n / 100 for n in range(10)], "faster"),
        ([-0.5 - n / 100 for n in range(10)], "slower"),
        ([n / 1000 - 0.005 for n in range(10)], "equal"),
        ([0.02 + n / 1000 for n in range(10)], "equal"),
        ([(-1) ** n * 0.4 for n in range(10)], "undecided"),
        ([0.05 + n / 50 for n in range(3)], "undecided"),
    ],
)
def test_what_is_judged(values, expected):
    assert stats.judge(stats.interval(values, seed=0), stats.sign_test(values)) == expected


@given(LOGS)
def test_the_judgement_of_the_mirrored_arm_is_mirrored(values):
    mirrored = {"faster": "slower", "slower": "faster"}
    one = stats.judge(stats.Interval(0.0, min(values), max(values), len(values)), stats.sign_test(values))
    back = [-value for value in values]
    other = stats.judge(stats.Interval(0.0, min(back), max(back), len(back)), stats.sign_test(back))
    assert other == mirrored.get(one, one)


def test_ratios_are_read_back():
    assert stats.Interval(math.log(2), 0.0, math.log(4), 5).ratios == pytest.approx((2.0, 1.0, 4.0))
