"""Tables say what was found, what was not, and how many runs that rests on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from atoll.scripts.lab.islands.equal_budgets import tables
from atoll.scripts.lab.islands.equal_budgets.analyse import Interval, Times
from atoll.scripts.lab.islands.equal_budgets.arms import FAMILIES, ISLANDS, POOLED, PROBLEMS, STRONG, grid
from atoll.scripts.lab.islands.equal_budgets.findings import found
from tests.lab.islands.equal_budgets.made import TINY, rows_of

FAST = [found(each, rows_of(each, gain=3.0)) for each in TINY]
TRAP = replace(TINY[0], variations=PROBLEMS[0].variations)
SEARCHED = found(TRAP, rows_of(TRAP))
EQUAL = [found(each, rows_of(each)) for each in TINY]
START = {"cpu": "a cpu", "cores": 2, "python": "3", "numpy": "2", "commit": "c" * 40, "dirty": True}


@pytest.mark.slow
def test_every_block_has_every_problem():
    blocks = tables.blocks(FAST, [START, START])
    assert all(blocks.values())
    for name in ("problems", "tuning", "primary", "controls", "hindsight", "secondary", "contenders"):
        assert all(each.problem.name in blocks[name] for each in FAST)
    assert blocks["provenance"] == "a cpu, 2 cores; python 3, numpy 2; commit cccccccccc and changes; 2 starts"


def test_nothing_was_measured_is_no_text():
    blocks = tables.blocks([], [])
    assert blocks.pop("claim").endswith("**not held**.")
    assert set(blocks.values()) == {""}


def test_the_claim_names_what_it_rests_on_or_says_that_it_does_not_hold():
    assert "**held**, by trap (" in tables.claim(FAST)
    for ratio in (FAST[0].restarted_ratio(POOLED, ISLANDS), FAST[0].ratio(STRONG, ISLANDS)):
        assert tables.spread(ratio) in tables.claim(FAST)
    assert "ellipsoid" not in tables.claim(FAST)
    assert "**not held**" in tables.claim(EQUAL)


@pytest.mark.slow
def test_the_primary_table_counts_who_reached_the_target():
    line = next(line for line in tables.blocks(FAST, [])["primary"].splitlines() if line.startswith("| trap"))
    assert "islands / pooled" in line
    assert "6/6" in line
    assert "islands faster" in line


def test_with_hindsight_each_family_has_the_setting_that_was_fastest_to_the_target():
    never, soon = Times(np.full(5, math.inf), np.full(5, 800.0)), Times(np.full(5, 100.0), np.full(5, 100.0))
    tried = {family: [never] * len(SEARCHED.tried[family]) for family in FAMILIES}
    tried[POOLED][1] = soon
    line = tables.hindsight([replace(SEARCHED, tried=tried)]).splitlines()[2]
    second = grid(SEARCHED.problem, POOLED)[1]
    assert f"5/5, 100 ({second['mutation_rate']:g}† / 0.15 / {second['tournament_size']})" in line
    assert line.count("0/5, ∞") == len(FAMILIES) - 1


def test_a_rate_at_the_edge_of_those_tried_is_marked():
    rates = {rate for rate, _ in SEARCHED.problem.variations}
    for rate in rates:
        breeding = {family: {**SEARCHED.breeding[family], "mutation_rate": rate} for family in FAMILIES}
        is_marked = f"{rate:g}{tables.EDGE}" in tables.tuning([replace(SEARCHED, breeding=breeding)])
        assert is_marked == (rate in {min(rates), max(rates)})


def test_only_creatures_walk_unseen_courses():
    assert tables.unseen(FAST[:-1]) == ""
    assert tables.unseen(FAST).count("\n") == 1 + len(FAST[-1].showings)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(2.0, 1.5, math.inf), "2.00 [1.50, ∞]"),
        (Interval(0.25, 0.0, 1.0), "0.250 [0.00, 1.00]"),
        (Interval(math.inf, 12.0, math.inf), "∞ [12.0, ∞]"),
        (Interval(math.nan, 0.0, math.inf), "- [0.00, ∞]"),
    ],
)
def test_an_infinite_end_is_shown_as_such(interval, text):
    assert tables.spread(interval) == text


def test_a_small_chance_is_not_called_none():
    assert tables.chance(1e-9) == "< 0.001"
    assert tables.chance(0.0123) == "0.012"


def test_answers_to_one_question_stand_in_the_order_of_their_mean_rank():
    lines = tables.ranked(FAST, "rate").splitlines()[2:]
    assert lines[0].startswith("| islands (the reference)")
    ranks = [float(line.split("|")[-2]) for line in lines]
    assert ranks == sorted(ranks)
    assert sum(ranks) == pytest.approx(len(ranks) * (len(ranks) + 1) / 2, abs=0.8)
    assert len(lines) == 1 + sum(each.contender.question == "rate" for each in FAST[0].showings.values())
    assert tables.ranked(FAST[-1:], "rate") == ""
