"""Spread of islands over several processes: each is forked with its share, and all stop together.

A terminal sends Ctrl-C to all of them; who signals the first process, or kills it, reaches the others through a pipe.
Nothing numeric is imported here, so that little is forked, and no thread.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from atoll.evo.errors import SIGNALS, worst
from atoll.evo.signals import StopSignal


@dataclass(frozen=True)
class Share:
    """The share of a forked process: its number, and where it is told of a signal; see `StopSignal`."""

    number: int
    told: int


@dataclass(frozen=True)
class Spread:
    """The forked processes, for the one that waits for them: their ids, and where it tells them of a signal."""

    pids: tuple[int, ...]
    tell: int

    def wait(self) -> int:
        """Wait until all have ended, pass on the first signal to stop, and return the worst of their exit codes."""
        with StopSignal() as stop:
            stop.answer = lambda: self._pass_on(stop.received)
            ends = [os.waitpid(pid, 0)[1] for pid in self.pids]
        codes = map(os.waitstatus_to_exitcode, ends)
        return worst(code if code >= 0 else SIGNALS - code for code in codes)

    def _pass_on(self, number: int) -> str:
        """Tell each process; it answers for itself."""
        os.write(self.tell, bytes([number]) * len(self.pids))
        return ""


def spread(n: int) -> Spread | Share:
    """Fork `n` processes; what is returned says which one this is."""
    told, tell = os.pipe()
    pids = []
    for number in range(n):
        pid = os.fork()
        if not pid:
            os.close(tell)  # so that the end of the first process is the end of what it tells
            return Share(number, told)
        pids.append(pid)
    os.close(told)
    return Spread(tuple(pids), tell)
