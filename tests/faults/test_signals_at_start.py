"""A stop signal at any moment of a start: it is heard, it ends the process, and nobody sees a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.processes import ROOT, hang_s

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

SPAN_S = 2.0
MOMENTS, FEW = 400, 8
BUSY_LOOPS = 4
PYTHON_ALONE = ("<frozen site>", "Fatal Python error: init_", 'cli.py", line 0')
"""What a traceback names where Ctrl-C comes before Python has begun to run cli.py; only then may there be one."""


def is_before_the_first_line(said: str) -> bool:
    return said.strip() == "KeyboardInterrupt" or any(words in said for words in PYTHON_ALONE)


@pytest.fixture
def busy(chaos: bool) -> Iterator[None]:  # noqa: FBT001 - a fixture
    """Keep all processors busy, where there is time for it."""
    loops = [
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(BUSY_LOOPS if chaos else 0)
    ]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.usefixtures("busy")
def test_a_stop_signal_at_any_moment_of_a_start_is_heard_and_has_no_traceback(number, tmp_path, chaos, tally) -> None:
    n = MOMENTS if chaos else FEW
    endless = [
        "evolve",
        "a",
        "--task",
        "sphere",
        "-p",
        "20",
        "-g",
        "1000000000",
        "--migration-dir",
        str(tmp_path / "s"),
    ]
    before_the_first_line = orderly = 0
    for share in np.linspace(0, 1, n, endpoint=False):
        offset_s = SPAN_S * share**3  # most of them while it starts
        island = subprocess.Popen(
            [sys.executable, str(ROOT / "cli.py"), *endless],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(offset_s)
        os.killpg(island.pid, number)
        try:
            _, said = island.communicate(timeout=hang_s())
        except subprocess.TimeoutExpired:
            island.kill()
            island.communicate()
            pytest.fail(f"{number.name} {offset_s:.3f} s after the start was lost")
        if number == signal.SIGINT and is_before_the_first_line(said):
            before_the_first_line += 1
            continue
        assert "Traceback" not in said, said
        assert "Exception ignored" not in said, said
        assert island.returncode in {-number, 128 + number}, said
        orderly += island.returncode > 0
    tally(31, signals=n, ended_in_order=orderly, before_the_first_line=before_the_first_line)
