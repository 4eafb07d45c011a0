"""Rows become findings, and a verdict needs interval and test alike."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from atoll.scripts.lab.islands.equal_budgets import findings, jobs
from atoll.scripts.lab.islands.equal_budgets.analyse import Interval, Times
from atoll.scripts.lab.islands.equal_budgets.arms import (
    ISLANDS,
    POOLED,
    PRIMARY,
    SECONDARY,
    TUNING_SEEDS,
    contenders,
    grid,
    heads,
)
from atoll.scripts.lab.islands.equal_budgets.findings import Comparison, found
from tests.lab.islands.equal_budgets.made import TINY, rows_of

TRAP = TINY[0]
ROWS = rows_of(TRAP, gain=3.0)
FOUND = found(TRAP, ROWS)


def test_everybody_is_there_with_every_seed():
    assert list(FOUND.showings) == [each.name for each in contenders(TRAP)]
    assert {len(each.rows) for each in FOUND.showings.values()} == {TRAP.seeds}
    assert FOUND.seeds == TRAP.seeds


@pytest.mark.parametrize("stage", [jobs.tuning(TRAP), jobs.targeting(TRAP, FOUND.breeding)])
def test_nothing_is_found_before_tuning_and_targets_are_complete(stage):
    assert found(TRAP, {key: row for key, row in ROWS.items() if key != stage[-1].key}) is None


def test_a_seed_that_not_everybody_has_run_counts_for_nobody():
    last = jobs.testing(TRAP, FOUND.breeding)[-1]
    without = found(TRAP, {key: row for key, row in ROWS.items() if key != last.key})
    assert without.seeds == TRAP.seeds - 1
    assert {len(each.rows) for each in without.showings.values()} == {TRAP.seeds - 1}


def test_every_setting_that_was_tried_has_its_times_on_the_tuning_seeds():
    problem = replace(TRAP, variations=((0.1, 0.1), (0.2, 0.1)))
    known = rows_of(problem)
    tried = found(problem, known).tried
    for family, head in heads(problem).items():
        targets = jobs.targets(problem, jobs.tuned(problem, known), known)
        of_one = [jobs.found_by(problem, head, each, TUNING_SEEDS, known) for each in grid(problem, family)]
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
