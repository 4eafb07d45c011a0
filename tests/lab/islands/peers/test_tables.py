"""Wins, losses and what is undecided are named as such, and what was skipped as well."""

from __future__ import annotations

import pytest

from atoll.scripts.lab.islands.equal_budgets.findings import Interval, verdict
from atoll.scripts.lab.islands.peers import tables
from atoll.scripts.lab.islands.peers.plan import ATOLL, CONTENDERS, DE, SGA, TARGET_SEEDS

START = {
    "stage": "start", "pygmo": "2", "cpu": "a cpu", "cores": 2, "python": "3", "numpy": "2", "commit": "c",
    "dirty": False,
}  # fmt: skip
SKIPPED = {"stage": "skipped", "reason": "pygmo is not installed"}
PACE = {ATOLL: 2.0, SGA: 1.0, DE: 4.0}


def row(stage, contender, seed, *, is_connected=True, cost_s=0.0):
    pace = PACE[contender] * (1 + 0.01 * (seed % 7))
    rounds = [(100 * n, -100.0 + pace * n, 0.1 * n, 0.05 * n) for n in range(1, 101)]
    return {
        "stage": stage, "contender": contender, "problem": "rastrigin", "seed": seed, "is_connected": is_connected,
        "setting": {"x": 1}, "generations": 100, "rounds": rounds,
        "run_cpu_s": 1.0 + cost_s, "run_wall_s": 2.0 + cost_s,
    }  # fmt: skip


ROWS = [
    START,
    *(row("targets", name, seed) for name in CONTENDERS for seed in TARGET_SEEDS),
    *(row("comparison", name, seed) for name in CONTENDERS for seed in range(1, 21)),
    *(row("cost", name, seed, is_connected=True, cost_s=0.008) for name in CONTENDERS for seed in range(1, 4)),
    *(row("cost", name, seed, is_connected=False) for name in CONTENDERS for seed in range(1, 4)),
]


def lines(text, *words):
    return [line for line in text.splitlines() if all(word in line for word in words)]


def test_wins_and_losses_are_both_named():
    found = tables.meetings(ROWS)
    assert len(lines(found, SGA, "Atoll faster")) == 3
    assert len(lines(found, DE, "pygmo de faster")) == 3


@pytest.mark.parametrize(
    ("interval", "p", "expected"),
    [
        (Interval(3.0, 1.1, 9.0), 0.01, "Atoll faster"),
        (Interval(3.0, 1.1, 9.0), 0.06, "undecided"),
        (Interval(0.3, 0.1, 0.9), 0.01, "pygmo de faster"),
        (Interval(0.3, 0.1, 1.9), 0.01, "undecided"),
    ],
)
def test_what_is_not_shown_is_undecided(interval, p, expected):
    assert verdict(interval, p, faster=ATOLL, than=DE) == expected


def test_the_target_is_the_median_of_all_contenders_together():
    found = sorted(each["rounds"][-1][1] for each in ROWS if each["stage"] == "targets")
    assert tables.target(ROWS, "rastrigin") == found[len(found) // 2]


def test_migration_costs_what_runs_with_it_take_longer_for_each_import():
    (line,) = lines(tables.costs(ROWS), f"| {SGA}")
    assert "10.0 [10.0, 10.0]" in line  # 8 ms for 800 imports


def test_only_the_newest_measurement_counts():
    assert tables.newest([SKIPPED, *ROWS]) == ROWS
    assert tables.blocks([*ROWS, SKIPPED])["peers"] == "*Skipped: pygmo is not installed.*"
    assert set(tables.blocks([]).values()) == {""}
    assert all(tables.blocks(ROWS).values())
