"""Processes are measured from exec to exit, and held against the evaluation of the same round."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from atoll.scripts.lab.kit.rows import Run
from atoll.scripts.lab.speed import island
from atoll.scripts.lab.speed.island import run_together
from atoll.scripts.lab.speed.plan import QUICK
from tests.processes import UNTIL_LOOKED_AT


def test_processes_run_at_the_same_time_and_are_all_waited_for(tmp_path: Path) -> None:
    """Each waits for what the other leaves behind, so neither ends alone."""
    meet = (
        "import pathlib, sys, time\n"
        "mine, other = map(pathlib.Path, sys.argv[1:])\n"
        "mine.touch()\n"
        "while not other.exists(): time.sleep(0.01)\n"
        "print('met')\n"
    )
    places = [str(tmp_path / "a"), str(tmp_path / "b")]
    before_s = time.time()
    ended = run_together([["-c", meet, *places], ["-c", meet, *reversed(places)]])
    assert [each.output for each in ended] == ["met\n"] * 2
    for each in ended:
        assert before_s <= each.started_unix_s <= time.time()
        assert each.cpu_s > 0
        assert 0 < each.wall_s <= time.time() - before_s


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="not permitted to see a process's memory")
def test_the_peak_of_memory_is_seen() -> None:
    hold = UNTIL_LOOKED_AT + "data = bytearray({}); data[::4096] = b'x' * len(data[::4096]); wait_for_looks()"
    small, large = run_together([["-c", hold.replace("{}", str(1 << 12))], ["-c", hold.replace("{}", str(1 << 26))]])
    assert 1 << 25 < large.peak_pss_bytes - small.peak_pss_bytes < 1 << 27


def test_one_failure_ends_all_and_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)expected 0.*too bad"):
        run_together([["-c", "raise SystemExit('too bad')"], ["-c", "import time; time.sleep(3000)"]])
    children = psutil.Process(os.getpid()).children()
    assert not [child for child in children if "time.sleep(3000)" in child.cmdline()]


@pytest.mark.slow
def test_a_real_island_and_its_evaluations_alone_are_each_a_row(tmp_path: Path) -> None:
    whole, bare = (row for case in island.cases(QUICK, tmp_path) for row in case.measure())
    expected = QUICK.population * (QUICK.generations + 1)
    assert (whole["what"], bare["what"]) == ("island", "bare")
    assert whole["imports"] > 0
    assert whole["evaluations"] == expected + whole["imports"]
    assert QUICK.population <= whole["scored"] < expected, "elites are known"
    assert bare["evaluations"] == expected
    for row in (whole, bare):
        assert 0 < row["evaluate_s"] < row["wall_s"]
        assert row["cpu_s"] > 0
    assert 0 < whole["startup_s"] < whole["wall_s"]


def test_exec_to_exit_is_held_against_the_evaluation_of_the_same_round() -> None:
    def pair(repetition: int, wall_s: float, evaluate_s: float, **more: int) -> list[dict]:
        own = {**more, "startup_s": 0.4, "peak_pss_bytes": 50_000_000, "evaluate_s": 2.0, "cpu_s": 3.0}
        return [
            {"repetition": repetition, "what": "island", "wall_s": wall_s, **own},
            {"repetition": repetition, "what": "bare", "wall_s": 9.0, "evaluate_s": evaluate_s, "cpu_s": 2.0, **more},
        ]

    half = pair(1, 6.1, 8.0, scored=50, evaluations=100)
    rows = (*pair(0, 3.1, 2.0), *half, {"repetition": 2, "what": "bare", "wall_s": 1.0, "evaluate_s": 9.0})
    [table] = island.tables(Run("island", "now", rows))
    found = {figure.what: figure for figure in table.figures}
    assert list(found["wall / evaluation alone"].values) == pytest.approx([1.55, 1.525])
    assert list(found["wall - 1.3 evaluation alone (s)"].values) == pytest.approx([0.5, 0.9])
    assert not found["wall - 1.3 evaluation alone (s)"].is_held
    assert list(found["evaluation logged / alone"].values) == pytest.approx([1.0, 0.5])
    assert list(found["processor time / that of evaluation alone"].values) == [1.5, 3.0]
    assert found["exec to the founders' line in the log (s)"].is_held
    assert list(found["peak memory (MB PSS)"].values) == [50, 50]


def test_memory_that_nobody_tells_is_no_figure() -> None:
    row = {"wall_s": 1.0, "evaluate_s": 1.0, "startup_s": 0.4, "peak_pss_bytes": 0, "cpu_s": 1.0}
    [table] = island.tables(Run("island", "now", ({"repetition": 0, "what": "island", **row},)))
    assert "peak memory" not in table.markdown()
