"""Several islands in one process, which a test may kill before any of its file operations."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atoll.evo.config import island_config
from atoll.evo.signals import StopSignal
from atoll.scripts.run.island import Command
from atoll.scripts.run.islands import run_islands
from tests.scripts.run.island_process import CONTEXT, DEFAULTS, Screen, signal_before

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path


@dataclass(frozen=True)
class Joint:
    """What the islands of one process are to do.

    Attributes:
        root: The shared directory.
        values: Settings of each island that differ from `DEFAULTS`, by its name.
        is_fresh: Start again.
        signal: A signal that the process sends itself, and before its file operation of which number.
    """

    root: Path
    values: Mapping[str, Mapping[str, Any]]
    is_fresh: bool = False
    signal: tuple[signal.Signals, int] | None = None


@dataclass
class Told(Screen):
    """Keeps what islands say, and why one ended early."""

    said: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def say(self, text):
        self.said.append(text)


def perform(joint: Joint, told: Told | None = None, heard: Callable[[StopSignal], object] = id) -> int:
    """Evolve in this process; return the exit code. `heard` is given the stop signal."""
    told = told or Told()
    configs = [island_config(name, {**DEFAULTS, **values}, {}) for name, values in joint.values.items()]
    with StopSignal() as stop:
        heard(stop)
        return run_islands(
            configs,
            Command(joint.root, joint.is_fresh),
            display_of=lambda _: told,
            complain=told.complaints.append,
            stop=stop,
        )


def main(joint: Joint) -> None:
    """Perform a job as a process, and exit."""
    if joint.signal:
        number, n = joint.signal
        signal_before(n, joint.root, number)
    sys.exit(perform(joint))


def start(joint: Joint) -> ForkServerProcess:
    """Start a process."""
    process = CONTEXT.Process(target=main, args=(joint,))
    process.start()
    return process


def run_forked(joint: Joint) -> int:
    """Perform a job in a fork of this process; return its exit code."""
    child = os.fork()
    if not child:
        try:
            main(joint)
        except SystemExit as ending:
            os._exit(int(ending.code or 0))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
