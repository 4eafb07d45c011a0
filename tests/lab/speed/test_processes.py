from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from atoll.scripts.lab.speed.processes import pss_bytes, run_together
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


def test_the_memory_of_a_process_that_has_gone_is_unknown() -> None:
    assert pss_bytes(2**22 + 1) == 0


def test_one_failure_ends_all_and_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)expected 0.*too bad"):
        run_together([["-c", "raise SystemExit('too bad')"], ["-c", "import time; time.sleep(3000)"]])
    children = psutil.Process(os.getpid()).children()
    assert not [child for child in children if "time.sleep(3000)" in child.cmdline()]
