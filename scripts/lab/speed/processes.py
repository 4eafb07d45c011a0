"""Real processes, from exec to exit: how long, how much processor time, how much memory at the most."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from atoll.scripts.lab.kit.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE_S = 0.05
"""Between two looks at a process's memory, which take a fraction of a millisecond each."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended well.

    Attributes:
        started_unix_s: When it was started, by the clock of the wall.
        wall_s: From then to its exit.
        cpu_s: Of all its threads, user and system.
        peak_pss_bytes: The largest proportional set size seen; 0 where the system does not tell.
        output: What it printed.
    """

    started_unix_s: float
    wall_s: float
    cpu_s: float
    peak_pss_bytes: int
    output: str


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    started_unix_s: float
    started_s: float
    peak_pss_bytes: int = 0
    ended: Ended | None = field(default=None)

    def look(self) -> None:
        self.peak_pss_bytes = max(self.peak_pss_bytes, pss_bytes(self.process.pid))

    def end(self) -> None:
        wall_s = time.perf_counter() - self.started_s
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.output.seek(0)
        output = self.output.read().decode(errors="replace")
        if self.process.returncode:
            raise RuntimeError(
                f"{self.process.args!r} ended with {self.process.returncode}, expected 0: {output[-500:]}"
            )
        cpu_s = usage.ru_utime + usage.ru_stime
        self.ended = Ended(self.started_unix_s, wall_s, cpu_s, self.peak_pss_bytes, output)


def run_together(commands: Sequence[Sequence[str]]) -> list[Ended]:
    """Run Python with each of these arguments, all at once, to their ends.

    Raises:
        RuntimeError: One did not exit with 0; the others are ended.
    """
    with contextlib.ExitStack() as stack:
        ends = stack.enter_context(selectors.DefaultSelector())
        all_of_them = []
        for arguments in commands:
            running = _start(arguments, stack.enter_context(tempfile.TemporaryFile()))
            stack.callback(_stop, running)
            all_of_them.append(running)
            descriptor = os.pidfd_open(running.process.pid)
            stack.callback(os.close, descriptor)
            ends.register(descriptor, selectors.EVENT_READ, running)
        while ends.get_map():
            for key, _ in ends.select(SAMPLE_S):
                ends.unregister(key.fd)
                key.data.end()
            for running in all_of_them:
                if running.ended is None:
                    running.look()
        return [running.ended for running in all_of_them if running.ended]


def pss_bytes(pid: int) -> int:
    """Return a process's proportional set size: its memory, shared pages divided by their users; 0 if unknown."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _start(arguments: Sequence[str], output: IO[bytes]) -> _Running:
    command = [sys.executable, *arguments]
    now_s, now_unix_s = time.perf_counter(), time.time()
    process = subprocess.Popen(  # noqa: S603 - our own programs
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )
    return _Running(process, output, now_unix_s, now_s)


def _stop(running: _Running) -> None:
    if running.process.returncode is None:
        running.process.kill()
        running.process.wait()
