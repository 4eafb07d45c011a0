"""One core for all, and the best setting by its median."""

from __future__ import annotations

import os

import pytest

from atoll.scripts.lab.islands.peers import plan
from atoll.scripts.lab.islands.peers.plan import ATOLL, CONTENDERS, PROBLEMS, Entry

run = pytest.importorskip(
    "atoll.scripts.lab.islands.peers.run",
    reason="pygmo is an optional dependency of this experiment alone",
    exc_type=ImportError,
)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot say which cores a process uses")
def test_all_runs_share_one_core_and_afterwards_all_are_there_again():
    before = os.sched_getaffinity(0)
    with run.on_one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_the_setting_with_the_best_median_wins_and_of_equals_the_first():
    rows = [[{"rounds": [(1, best, 0, 0)]} for best in bests] for bests in ((-9, -3, -3), (-2, -2, -90), (-2, -2, -2))]
    assert run.best_setting([{"x": 1}, {"x": 2}, {"x": 3}], rows) == {"x": 2}


@pytest.mark.parametrize("contender", CONTENDERS)
def test_a_row_says_who_ran_what_and_how_long_it_took(contender):
    entry = Entry(contender, plan.grid(contender)[0], PROBLEMS[0], seed=2, generations=2, interval=1)
    row = run.run(entry, stage="comparison")
    assert (row["contender"], row["problem"], row["seed"], row["stage"]) == (contender, "rastrigin", 2, "comparison")
    assert len(row["rounds"]) == 2
    assert row["run_cpu_s"] >= row["rounds"][-1][3] >= 0
    if contender == ATOLL:
        assert run.run(entry, stage="comparison")["rounds"][-1][:2] == row["rounds"][-1][:2]
