"""Expected running times, ratios and ranks: known values, symmetries, and what infinite times do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from atoll.scripts.lab.islands.budgeted import expected_evaluations
from atoll.scripts.lab.islands.equal_budgets import analyse
from atoll.scripts.lab.islands.equal_budgets.analyse import Times

BUDGET = 100.0
REACHED = st.one_of(st.integers(1, 100).map(float), st.just(math.inf))
RUNS = st.lists(REACHED, min_size=2, max_size=12)


def times(to_target):
    reached = np.asarray(to_target, dtype=np.float64)
    return Times(reached, np.where(np.isfinite(reached), reached, BUDGET))


def time_of(found, of=analyse.running_time):
    return float(of(found.to_target, found.spent))


@given(RUNS)
def test_the_expected_running_time_is_the_one_that_rows_have(to_target):
    rows = [
        {"evaluations": [int(t if math.isfinite(t) else BUDGET)], "best": [float(math.isfinite(t))]} for t in to_target
    ]
    found = Times.of(rows, 1.0)
    expected = expected_evaluations(rows, 1.0)
    assert time_of(found) == (math.inf if expected is None else pytest.approx(expected))
    assert found.n_reached == sum(map(math.isfinite, to_target))
    assert len(found) == len(to_target)


@given(RUNS)
def test_restarts_at_the_best_time_never_cost_more_and_are_found_by_trying_all(to_target):
    found = times(to_target)
    best = time_of(found, analyse.restarted_time)
    assert best <= time_of(found)
    cuts = [cut for cut in to_target if math.isfinite(cut)]
    tried = [sum(min(t, cut) for t in to_target) / sum(t <= cut for t in to_target) for cut in cuts]
    assert best == (pytest.approx(min(tried)) if tried else math.inf)


def test_a_population_that_stagnates_gains_from_restarts():
    found = times([10, math.inf, math.inf, math.inf])
    assert time_of(found) == 310
    assert time_of(found, analyse.restarted_time) == 40


def test_a_ratio_says_how_many_times_as_long_the_first_takes():
    slow, fast = times([80, 90, 100, 90, 85]), times([20, 25, 22, 18, 21])
    found = analyse.ratio(slow, fast, seed=1)
    assert found.value == pytest.approx(89 / 21.2)
    assert 1 < found.low <= found.value <= found.high
    assert analyse.ratio(slow, fast, seed=1) == found


@pytest.mark.slow
@given(RUNS, RUNS)
def test_a_ratio_turned_round_is_its_inverse(one, other):
    forth, back = analyse.ratio(times(one), times(other), seed=1), analyse.ratio(times(other), times(one), seed=1)
    if math.isnan(forth.value):
        assert math.isnan(back.value)
    elif {forth.value, back.value} != {0.0, math.inf}:
        assert forth.value * back.value == pytest.approx(1.0)
    assert forth.low <= forth.high


def test_whoever_never_reaches_the_target_is_infinitely_slower():
    never, some = times([math.inf] * 4), times([10, 20, math.inf, 30])
    assert analyse.ratio(never, some, seed=1).value == math.inf
    assert analyse.ratio(some, never, seed=1).value == 0


def test_nothing_is_known_of_two_that_never_reach_the_target():
    never, rarely = times([math.inf] * 20), times([10.0, *[math.inf] * 19])
    found = analyse.ratio(never, never, seed=1)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0, math.inf)
    assert analyse.ratio(never, rarely, seed=1).low == 0  # a third of the resamples has neither


@pytest.mark.slow
def test_an_interval_covers_what_it_claims_to_cover():
    """Of samples from one distribution, the ratio's interval holds 1 about as often as it says."""
    rng = np.random.default_rng(1)
    n = 200
    held = 0
    for seed in range(n):
        one, other = (times(rng.exponential(30, 25).clip(1, 99)) for _ in range(2))
        found = analyse.ratio(one, other, seed=seed)
        held += found.low <= 1 <= found.high
    assert 0.88 <= held / n <= 0.99


def test_a_median_lies_in_its_interval_and_equal_values_leave_no_doubt():
    found = analyse.median([1.0, 2.0, 3.0, 4.0, 50.0], seed=1)
    assert found.value == 3.0
    assert 1.0 <= found.low <= 3.0 <= found.high <= 50.0
    assert analyse.median([2.0, 2.0], seed=1) == analyse.Interval(2.0, 2.0, 2.0)


@given(RUNS, RUNS)
def test_ranks_are_those_of_the_textbook_with_misses_behind_all(one, other):
    found = analyse.compare(one, other)
    wins = np.mean([(a > b) + 0.5 * (a == b) for a in one for b in other])
    assert found.superiority == pytest.approx(wins)
    assert analyse.compare(other, one).p == pytest.approx(found.p)
    if len({*one, *other}) > 1:
        finite = [[min(value, 1000.0) for value in each] for each in (one, other)]
        assert found.p == pytest.approx(scipy_stats.mannwhitneyu(*finite, method="asymptotic").pvalue)
    else:
        assert found.p == 1.0
