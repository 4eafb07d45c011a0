"""Real commands in real processes."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
HANG_S = 300.0
"""What takes longer on an idle machine hangs."""
IDLE_START_S = 0.05
"""What an idle machine needs at most to start a Python that does nothing."""


UNTIL_LOOKED_AT = """
import os, time
def rests():
    with open(f"/proc/{os.getppid()}/status") as status:
        return int(dict(line.split(":", 1) for line in status)["voluntary_ctxt_switches"])
def wait_for_looks(n=9):
    before = rests()
    while rests() < before + n: time.sleep(0.05)
"""
"""A program's part: it goes on when who started it, and rests after each look at it, has looked a few times."""


@cache
def start_s() -> float:
    """Measure how long a Python that does nothing takes to start and end, in seconds."""
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-S", "-c", ""], check=True)
    return time.monotonic() - began_s


def slowness() -> float:
    """Return how many times longer than on an idle machine something takes here and now; at least 1."""
    return max(1.0, start_s() / IDLE_START_S, os.getloadavg()[0] / (os.cpu_count() or 1))


def hang_s() -> float:
    """Return the limit for what may hang, in seconds.

    No test is about such a limit; where something takes long because others use the machine, waiting is right.
    """
    return HANG_S * slowness()


def atoll(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python cli.py ...` to its end."""
    return run(sys.executable, "cli.py", *arguments, **environment)


def called(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Call `python cli.py ...` in this process, for tests of what it says and answers; it must not start a user's task.

    A process of its own takes longer, and is needed where its start, its streams, a signal or its end is the point.
    """
    from atoll.scripts.commands import group  # noqa: PLC0415 - a page that most tests do without

    words, out, err = [str(part) for part in arguments], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = group.run(lambda: group.cli.main(words, prog_name="cli.py", standalone_mode=False))
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in the project's directory unless told otherwise."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=hang_s(),
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
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > hang_s():
            pytest.fail(f"waited {time.monotonic() - began_s:.0f} s for {what}")
        time.sleep(0.02)


def kill_all_in(place: Path) -> None:
    """Kill every process that runs in a directory of a test's own, or was given a path in it; nothing may be left."""
    ours = [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_in(process, place)]
    for process in ours:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _, living = psutil.wait_procs(ours, timeout=hang_s())
    assert not living


def _is_in(process: psutil.Process, place: Path) -> bool:
    try:
        paths = [process.cwd(), *process.cmdline()]
    except psutil.Error:
        return False
    return any(path == str(place) or path.startswith(f"{place}/") for path in paths)
