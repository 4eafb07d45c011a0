"""Expected running times, ratios and ranks; rows become findings, and a verdict needs interval and test alike."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from atoll.scripts.lab.islands.equal_budgets import findings, plan
from atoll.scripts.lab.islands.equal_budgets.findings import Comparison, Interval, Times, found
from atoll.scripts.lab.islands.equal_budgets.plan import (
    ISLANDS,
    POOLED,
    PRIMARY,
    SECONDARY,
    TUNING_SEEDS,
    contenders,
    grid,
    heads,
)
from tests.lab.islands.equal_budgets.made import TINY, rows_of

BUDGET = 100.0
REACHED = st.one_of(st.integers(1, 100).map(float), st.just(math.inf))
RUNS = st.lists(REACHED, min_size=2, max_size=12)


def times(to_target):
    reached = np.asarray(to_target, dtype=np.float64)
    return Times(reached, np.where(np.isfinite(reached), reached, BUDGET))


def time_of(found, of=findings.running_time):
    return float(of(found.to_target, found.spent))


def row_of(evaluations, best):
    return {"evaluations": evaluations, "best": best}


def test_runs_that_miss_the_target_are_paid_for_by_those_that_reach_it():
    hit, miss = row_of([10, 20], [0.0, 1.0]), row_of([10, 20, 50], [0.0, 0.0, 0.5])
    assert time_of(Times.of([hit, hit], 1.0)) == 20
    assert time_of(Times.of([hit, miss], 1.0)) == 20 + 50
    assert time_of(Times.of([miss], 1.0)) == math.inf


@given(RUNS)
def test_the_expected_running_time_is_all_that_was_spent_for_each_run_that_reached_the_target(to_target):
    rows = [row_of([int(t if math.isfinite(t) else BUDGET)], [float(math.isfinite(t))]) for t in to_target]
    found = Times.of(rows, 1.0)
    spent, n_reached = sum(row["evaluations"][-1] for row in rows), sum(map(math.isfinite, to_target))
    assert time_of(found) == (pytest.approx(spent / n_reached) if n_reached else math.inf)
    assert found.n_reached == n_reached
    assert len(found) == len(to_target)


@given(RUNS)
def test_restarts_at_the_best_time_never_cost_more_and_are_found_by_trying_all(to_target):
    found = times(to_target)
    best = time_of(found, findings.restarted_time)
    assert best <= time_of(found)
    cuts = [cut for cut in to_target if math.isfinite(cut)]
    tried = [sum(min(t, cut) for t in to_target) / sum(t <= cut for t in to_target) for cut in cuts]
    assert best == (pytest.approx(min(tried)) if tried else math.inf)


def test_a_population_that_stagnates_gains_from_restarts():
    found = times([10, math.inf, math.inf, math.inf])
    assert time_of(found) == 310
    assert time_of(found, findings.restarted_time) == 40


def test_a_ratio_says_how_many_times_as_long_the_first_takes():
    slow, fast = times([80, 90, 100, 90, 85]), times([20, 25, 22, 18, 21])
    found = findings.ratio(slow, fast, seed=1)
    assert found.value == pytest.approx(89 / 21.2)
    assert 1 < found.low <= found.value <= found.high
    assert findings.ratio(slow, fast, seed=1) == found


@pytest.mark.slow
@given(RUNS, RUNS)
def test_a_ratio_turned_round_is_its_inverse(one, other):
    forth, back = findings.ratio(times(one), times(other), seed=1), findings.ratio(times(other), times(one), seed=1)
    if math.isnan(forth.value):
        assert math.isnan(back.value)
    elif {forth.value, back.value} != {0.0, math.inf}:
        assert forth.value * back.value == pytest.approx(1.0)
    assert forth.low <= forth.high


def test_whoever_never_reaches_the_target_is_infinitely_slower():
    never, some = times([math.inf] * 4), times([10, 20, math.inf, 30])
    assert findings.ratio(never, some, seed=1).value == math.inf
    assert findings.ratio(some, never, seed=1).value == 0


def test_nothing_is_known_of_two_that_never_reach_the_target():
    never, rarely = times([math.inf] * 20), times([10.0, *[math.inf] * 19])
    found = findings.ratio(never, never, seed=1)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0, math.inf)
    assert findings.ratio(never, rarely, seed=1).low == 0  # a third of the resamples has neither


@pytest.mark.slow
def test_an_interval_covers_what_it_claims_to_cover():
    """Of samples from one distribution, the ratio's interval holds 1 about as often as it says."""
    rng = np.random.default_rng(1)
    n = 200
    held = 0
    for seed in range(n):
        one, other = (times(rng.exponential(30, 25).clip(1, 99)) for _ in range(2))
        found = findings.ratio(one, other, seed=seed)
        held += found.low <= 1 <= found.high
    assert 0.88 <= held / n <= 0.99


def test_a_median_lies_in_its_interval_and_equal_values_leave_no_doubt():
    found = findings.median([1.0, 2.0, 3.0, 4.0, 50.0], seed=1)
    assert found.value == 3.0
    assert 1.0 <= found.low <= 3.0 <= found.high <= 50.0
    assert findings.median([2.0, 2.0], seed=1) == findings.Interval(2.0, 2.0, 2.0)


@given(RUNS, RUNS)
def test_ranks_are_those_of_the_textbook_with_misses_behind_all(one, other):
    found = findings.compare(one, other)
    wins = np.mean([(a > b) + 0.5 * (a == b) for a in one for b in other])
    assert found.superiority == pytest.approx(wins)
    assert findings.compare(other, one).p == pytest.approx(found.p)
    if len({*one, *other}) > 1:
        finite = [[min(value, 1000.0) for value in each] for each in (one, other)]
        assert found.p == pytest.approx(scipy_stats.mannwhitneyu(*finite, method="asymptotic").pvalue)
    else:
        assert found.p == 1.0


TRAP = TINY[0]
ROWS = rows_of(TRAP, gain=3.0)
FOUND = found(TRAP, ROWS)


def test_everybody_is_there_with_every_seed():
    assert list(FOUND.showings) == [each.name for each in contenders(TRAP)]
    assert {len(each.rows) for each in FOUND.showings.values()} == {TRAP.seeds}
    assert FOUND.seeds == TRAP.seeds


@pytest.mark.parametrize("stage", [plan.tuning(TRAP), plan.targeting(TRAP, FOUND.breeding)])
def test_nothing_is_found_before_tuning_and_targets_are_complete(stage):
    assert found(TRAP, {key: row for key, row in ROWS.items() if key != stage[-1].key}) is None


def test_a_seed_that_not_everybody_has_run_counts_for_nobody():
    last = plan.testing(TRAP, FOUND.breeding)[-1]
    without = found(TRAP, {key: row for key, row in ROWS.items() if key != last.key})
    assert without.seeds == TRAP.seeds - 1
    assert {len(each.rows) for each in without.showings.values()} == {TRAP.seeds - 1}


def test_every_setting_that_was_tried_has_its_times_on_the_tuning_seeds():
    problem = replace(TRAP, variations=((0.1, 0.1), (0.2, 0.1)))
    known = rows_of(problem)
    tried = found(problem, known).tried
    for family, head in heads(problem).items():
        targets = plan.targets(problem, plan.tuned(problem, known), known)
        of_one = [plan.found_by(problem, head, each, TUNING_SEEDS, known) for each in grid(problem, family)]
        expected = [list(Times.of(rows, targets.final).to_target) for rows in of_one]
        assert [list(each.to_target) for each in tried[family]] == expected


def test_rows_of_another_plan_count_for_nothing():
    assert found(replace(TRAP, budget=TRAP.budget + 1), ROWS) is None


def test_islands_that_were_invented_to_be_faster_are_and_the_claim_holds():
    (primary,) = findings.primary([FOUND])
    assert (primary.faster, primary.than) == PRIMARY
    assert primary.verdict == f"{ISLANDS} faster"
    assert primary.is_shown
    (turned,) = findings.compared([(FOUND, POOLED, ISLANDS)])
    assert turned.verdict == f"{ISLANDS} faster"
    assert not turned.is_shown


def comparison(value, low, high, p):
    return Comparison(FOUND, "a", "b", Interval(value, low, high), p)


@pytest.mark.parametrize(
    ("one", "verdict", "is_shown"),
    [
        (comparison(3.0, 1.1, math.inf, 0.01), "a faster", True),
        (comparison(3.0, 1.1, 9.0, 0.06), "undecided", False),
        (comparison(3.0, 0.9, 9.0, 0.01), "undecided", False),
        (comparison(1.9, 1.1, 9.0, 0.01), "a faster", False),
        (comparison(0.2, 0.1, 0.9, 0.01), "b faster", False),
        (comparison(0.2, 0.1, 1.1, 0.01), "undecided", False),
    ],
)
def test_a_verdict_needs_the_whole_interval_and_the_test(one, verdict, is_shown):
    assert one.verdict == verdict
    assert one.is_shown is is_shown


def test_every_comparison_is_made_once_and_corrected_with_its_kind():
    both = [FOUND, found(TINY[1], rows_of(TINY[1]))]
    assert len(findings.secondary(both)) == len(SECONDARY) * 2
    explored = findings.exploratory(both)
    named = {name for pair in (PRIMARY, *SECONDARY) for name in pair}
    assert {each.faster for each in explored} == set(FOUND.showings) - named
    assert {each.than for each in explored} == {ISLANDS}
    alone = [findings.compared([(each.findings, each.faster, each.than)])[0].p for each in explored]
    assert all(each.p >= p for each, p in zip(explored, alone, strict=True))
    assert min(each.p for each in explored) == pytest.approx(min(1.0, min(alone) * len(alone)))


def test_a_figure_that_some_runs_lack_is_that_of_the_others():
    assert FOUND.showings[POOLED].column("f_st") == []
    assert FOUND.showings[ISLANDS].column("f_st") == [0.5] * TRAP.seeds
