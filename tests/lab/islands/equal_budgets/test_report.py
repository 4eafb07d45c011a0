"""Tables say what was found, what was not, and how many runs that rests on; each has a file, from rows alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atoll.evo import runlog
from atoll.evo.errors import ConfigError
from atoll.scripts.lab.islands.equal_budgets import report
from atoll.scripts.lab.islands.equal_budgets.figures import PAINTERS
from atoll.scripts.lab.islands.equal_budgets.findings import Interval, Times, found
from atoll.scripts.lab.islands.equal_budgets.plan import FAMILIES, ISLANDS, POOLED, PROBLEMS, STRONG, grid
from atoll.scripts.lab.islands.equal_budgets.run import ROWS
from tests.lab.islands.equal_budgets.made import TINY, rows_of
from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path


FAST = [found(each, rows_of(each, gain=3.0)) for each in TINY]
TRAP = replace(TINY[0], variations=PROBLEMS[0].variations)
SEARCHED = found(TRAP, rows_of(TRAP))
EQUAL = [found(each, rows_of(each)) for each in TINY]
START = {"cpu": "a cpu", "cores": 2, "python": "3", "numpy": "2", "commit": "c" * 40, "dirty": True}


@pytest.mark.slow
def test_every_block_has_every_problem():
    blocks = report.blocks(FAST, [START, START])
    assert all(blocks.values())
    for name in ("problems", "tuning", "primary", "controls", "hindsight", "secondary", "contenders"):
        assert all(each.problem.name in blocks[name] for each in FAST)
    assert blocks["provenance"] == "a cpu, 2 cores; python 3, numpy 2; commit cccccccccc and changes; 2 starts"


def test_nothing_was_measured_is_no_text():
    blocks = report.blocks([], [])
    assert blocks.pop("claim").endswith("**not held**.")
    assert set(blocks.values()) == {""}


def test_the_claim_names_what_it_rests_on_or_says_that_it_does_not_hold():
    assert "**held**, by trap (" in report.claim(FAST)
    for ratio in (FAST[0].restarted_ratio(POOLED, ISLANDS), FAST[0].ratio(STRONG, ISLANDS)):
        assert report.spread(ratio) in report.claim(FAST)
    assert "ellipsoid" not in report.claim(FAST)
    assert "**not held**" in report.claim(EQUAL)


@pytest.mark.slow
def test_the_primary_table_counts_who_reached_the_target():
    line = next(line for line in report.blocks(FAST, [])["primary"].splitlines() if line.startswith("| trap"))
    assert "islands / pooled" in line
    assert "6/6" in line
    assert "islands faster" in line


def test_with_hindsight_each_family_has_the_setting_that_was_fastest_to_the_target():
    never, soon = Times(np.full(5, math.inf), np.full(5, 800.0)), Times(np.full(5, 100.0), np.full(5, 100.0))
    tried = {family: [never] * len(SEARCHED.tried[family]) for family in FAMILIES}
    tried[POOLED][1] = soon
    line = report.hindsight([replace(SEARCHED, tried=tried)]).splitlines()[2]
    second = grid(SEARCHED.problem, POOLED)[1]
    assert f"5/5, 100 ({second['mutation_rate']:g}† / 0.15 / {second['tournament_size']})" in line
    assert line.count("0/5, ∞") == len(FAMILIES) - 1


def test_a_rate_at_the_edge_of_those_tried_is_marked():
    rates = {rate for rate, _ in SEARCHED.problem.variations}
    for rate in rates:
        breeding = {family: {**SEARCHED.breeding[family], "mutation_rate": rate} for family in FAMILIES}
        is_marked = f"{rate:g}{report.EDGE}" in report.tuning([replace(SEARCHED, breeding=breeding)])
        assert is_marked == (rate in {min(rates), max(rates)})


def test_only_creatures_walk_unseen_courses():
    assert report.unseen(FAST[:-1]) == ""
    assert report.unseen(FAST).count("\n") == 1 + len(FAST[-1].showings)


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
    assert report.spread(interval) == text


def test_a_small_chance_is_not_called_none():
    assert report.chance(1e-9) == "< 0.001"
    assert report.chance(0.0123) == "0.012"


def test_answers_to_one_question_stand_in_the_order_of_their_mean_rank():
    lines = report.ranked(FAST, "rate").splitlines()[2:]
    assert lines[0].startswith("| islands (the reference)")
    ranks = [float(line.split("|")[-2]) for line in lines]
    assert ranks == sorted(ranks)
    assert sum(ranks) == pytest.approx(len(ranks) * (len(ranks) + 1) / 2, abs=0.8)
    assert len(lines) == 1 + sum(each.contender.question == "rate" for each in FAST[0].showings.values())
    assert report.ranked(FAST[-1:], "rate") == ""


TRAP = TINY[0]


PRINTED = {"exchanging", "exchanging-20", "killed", "killed-ring", "joining"}
"""Tables that a study prints with `--table`."""


@pytest.mark.slow
def test_every_table_has_a_file_of_its_own_and_what_is_written_by_hand_stays(tmp_path: Path) -> None:
    runlog.append_all(tmp_path / ROWS, rows_of(TRAP, gain=3.0).values())
    folder = tmp_path / "tables"
    folder.mkdir()
    for name in ("hand", "primary"):
        (folder / f"{name}.md").write_text("old\n")
    text = report.write(TINY, tmp_path, plots=tmp_path / "plots", tables_folder=folder)
    assert (folder / "hand.md").read_text() == "old\n"
    assert "islands faster" in (folder / "primary.md").read_text()
    assert "old" not in (folder / "primary.md").read_text()
    assert f"![{report.WORDS['ratios']}](../plots/ratios.svg)" in (folder / "figures.md").read_text()
    assert (tmp_path / report.PAGE).read_text() == text


def test_no_rows_are_a_mistake_that_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds 0 rows, and no problem that was compared"):
        report.write(TINY, tmp_path, plots=tmp_path / "plots", tables_folder=None)


def test_every_table_of_the_finding_is_one_that_a_command_writes() -> None:
    names = {file.stem for file in (ROOT / "docs" / "findings" / "tables" / "islands").iterdir()}
    ours = {*report.blocks([], []), report.FIGURES}
    assert ours <= names
    assert names - ours == {"peers", "peers-cost", "peers-tuning", "peers-where", "peer-algorithms", *PRINTED}


def test_every_figure_has_words_for_who_cannot_see_it() -> None:
    assert set(report.WORDS) == set(PAINTERS)
