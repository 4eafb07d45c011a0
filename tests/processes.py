"""Real commands in real processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
DEADLINE_S = 60.0


def atoll(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python cli.py ...` to its end."""
    return run(sys.executable, "cli.py", *arguments, **environment)


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in the project's directory unless told otherwise."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def check_refused(ended: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Hold a refusal against what is promised: its exit code, one line that says what is wrong, no traceback."""
    assert ended.returncode == code, ended.stderr
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that another process does; fail rather than hang."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline_s:
            pytest.fail(f"waited {DEADLINE_S} s for {what}")
        time.sleep(0.05)


def kill_all_in(place: Path) -> None:
    """Kill every process that runs in a directory of a test's own, or was given a path in it; nothing may be left."""
    ours = [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_in(process, place)]
    for process in ours:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _, living = psutil.wait_procs(ours, timeout=DEADLINE_S)
    assert not living


def _is_in(process: psutil.Process, place: Path) -> bool:
    try:
        paths = [process.cwd(), *process.cmdline()]
    except psutil.Error:
        return False
    return any(path == str(place) or path.startswith(f"{place}/") for path in paths)
