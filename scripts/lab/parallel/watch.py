"""A driver, from its start to the end of the last process that came of it."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.scripts.lab.kit.machine import ROOT
from atoll.scripts.lab.parallel import processes, records
from atoll.scripts.lab.parallel.drive import WENT_WRONG
from atoll.scripts.lab.parallel.outcome import Ending
from atoll.scripts.processes.monitor import Monitor
from atoll.scripts.processes.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from atoll.scripts.processes.monitor import Usage

SETUP_LIMIT_S = 120.0
"""From the driver's start to that of the first trial; the deadline counts from there."""
GRACE_S = 2.0
"""For processes that end by themselves after the driver's exit; who is there afterwards is a stray."""
LOOK_S = 0.02
REQUEST, OUTPUT = "request.json", "driver.txt"


class StoppedError(Exception):
    """The user asked to stop: the run was ended and leaves no row."""


@dataclass(frozen=True)
class Watched:
    """A run, seen from outside.

    Attributes:
        launched_s: When the driver was started, by `time.monotonic`.
        exited_s: When it had ended.
        ending: How.
        usage: What its processes took.
        stray_processes: How many outlived it.
    """

    launched_s: float
    exited_s: float
    ending: Ending
    usage: Usage
    stray_processes: int


def watch(
    folder: Path, environment: Mapping[str, str], *, deadline_s: float, is_stopping: Callable[[], bool]
) -> Watched:
    """Start the driver of the request in `folder`, and return when nothing of it is left.

    Args:
        folder: Where the request lies, and records go.
        environment: Of the driver.
        deadline_s: How long it may take from the start of its first trial.
        is_stopping: Asked many times a second.

    Raises:
        StoppedError: It said yes.
    """
    launched_s = time.monotonic()
    with (folder / OUTPUT).open("wb") as output:
        driver = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "atoll.scripts.lab.parallel.drive", str(folder / REQUEST)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    tree = Tree(driver.pid)
    tree.look()
    monitor = Monitor(driver.pid)
    monitor.start()
    try:
        limit_s = _wait(driver, folder, launched_s=launched_s, deadline_s=deadline_s, is_stopping=is_stopping)
        exited_s, is_over = time.monotonic(), driver.poll() is not None
        tree.look()
        living = frozenset(process.pid for process in tree.living)
        strays = processes.wait_for_end(tree, GRACE_S) if is_over else []
        usage = monitor.stop()
    finally:
        processes.end(tree)
        code = driver.wait()
    error = folder / WENT_WRONG
    said = error.read_text(encoding="utf-8", errors="replace").strip() if error.exists() else None
    ending = Ending(code if is_over else None, waited_s=limit_s, living=living, error=said)
    return Watched(launched_s, exited_s, ending, usage, len(strays))


def _wait(
    driver: subprocess.Popen[bytes],
    folder: Path,
    *,
    launched_s: float,
    deadline_s: float,
    is_stopping: Callable[[], bool],
) -> float:
    """Wait for the driver's exit, or the deadline; return how many seconds it had."""
    end_s, limit_s, has_begun = launched_s + SETUP_LIMIT_S, SETUP_LIMIT_S, False
    while time.monotonic() < end_s:
        if is_stopping():
            raise StoppedError
        if not has_begun and (starts := records.read_starts(folder)):
            has_begun, limit_s = True, deadline_s
            end_s = starts[0].start_s + deadline_s
        try:
            driver.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        break
    return limit_s
