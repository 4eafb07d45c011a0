"""One process of `cli.py evolve`, from its start to its end, and what may befall it on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.evo import atomic, runlog
from atoll.scripts.lab.parallel.request import HANG, KILL, RAISE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from atoll.evo.paths import IslandPaths

LOOK_S = 0.005
"""Between two looks at the log of an island that something is to befall."""


@dataclass(frozen=True)
class Life:
    """A process that has ended.

    Attributes:
        pid: Its number.
        code: What it exited with; minus the signal that killed it.
        cpu_s: Of all its threads, user and system.
        last_words: The last line it printed.
    """

    pid: int
    code: int
    cpu_s: float
    last_words: str


@dataclass(frozen=True)
class Fault:
    """What is to befall an island.

    Attributes:
        kind: "kill" (SIGKILL), "hang" (it is stopped and never continued) or "raise" (it cannot write its log).
        paths: The island's files.
        after: The generation in whose course it happens.
    """

    kind: str
    paths: IslandPaths
    after: int

    def prepare(self) -> None:
        """Put what makes it fail where its log belongs."""
        if self.kind == RAISE:
            atomic.make_directory(self.paths.log, durable=False)

    def strike(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it has come that far, then do it."""
        number = {KILL: signal.SIGKILL, HANG: signal.SIGSTOP}.get(self.kind)
        while number is not None and process.poll() is None:
            record = runlog.read_last(self.paths.log).get("generation", {})
            if record.get("generation", 0) >= self.after:
                process.send_signal(number)
                return
            time.sleep(LOOK_S)


def live(command: Sequence[str], *, output: Path, note: Callable[[int], None], fault: Fault | None) -> Life:
    """Start an island and wait for its end.

    Args:
        command: What to run.
        output: Where what it prints goes.
        note: Called with its process number as soon as it runs.
        fault: What is to befall it.
    """
    if fault is not None:
        fault.prepare()
    with output.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    note(process.pid)
    if fault is not None:
        fault.strike(process)
    if process.returncode is None:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu_s = usage.ru_utime + usage.ru_stime
    else:
        cpu_s = 0.0  # it ended by itself before anything befell it, and `poll` has thrown its times away
    words = output.read_text(errors="replace").strip().splitlines()
    return Life(process.pid, process.returncode, cpu_s, words[-1] if words else "")
