"""The launch script where a run is there already that has gone further than is wanted now."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.evo.paths import SharedPaths
from atoll.migration.observe.status import read_all
from tests.processes import ROOT, run, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

TINY = ("-p", "8", "--migrants", "1", "--task", "sphere")


def launch(root: Path, *arguments: str) -> str:
    launcher = ("scripts/launch_islands.sh", "--python", sys.executable, "--dir", root, "--background", "--wait")
    ended = run(*launcher, *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_launch_that_wants_less_than_there_is_says_so_and_the_next_one_archives(root: Path) -> None:
    command = [sys.executable, "cli.py", "evolve", "island-01", *TINY, "-g", "1000000", "--migration-dir", str(root)]
    island = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    wait_until(
        lambda: [row.name for row in read_all(SharedPaths(root)) if (row.generation or 0) > 9] != [], "ten lives"
    )
    island.send_signal(signal.SIGTERM)
    island.wait()
    [row] = read_all(SharedPaths(root))
    shown = launch(root, "1", *TINY, "-g", "5")
    assert "resuming the unfinished run" in shown
    assert f"island-01  finished  {row.generation}/5" in shown
    assert f"island-01 was already at generation {row.generation}, beyond 5" in shown
    assert "archived the run of 1 islands" in launch(root, "1", *TINY, "-g", "5")


def test_stopping_where_nothing_runs_does_not_say_that_something_goes_on(root: Path) -> None:
    launch(root, "1", *TINY, "-g", "2")
    ended = run("scripts/stop_islands.sh", "--dir", root)
    assert (ended.returncode, ended.stdout) == (0, f"0 islands stopped; none that was launched in {root} runs\n")
