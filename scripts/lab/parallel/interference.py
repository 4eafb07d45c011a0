"""Interference: who else used the machine while a run was measured, and the rule that rejects such a run.

The rule was set in advance. A rejected run is repeated, and its row is kept: the report counts the rejected ones.

The machine's speed at that moment is told by a calibration kernel, a fixed piece of work for one thread, timed before
and after each run. It is what trials are made of, arithmetic on small arrays driven by the interpreter, and it never
starts a second thread: NumPy runs operations on elements in the thread that calls them. Its size is chosen once for a
session, so that it takes about a second at first, and kept with the rows; a size chosen anew each time would hide what
it is to show.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PROC = Path("/proc")
MAX_FOREIGN_CORES = 0.1
MAX_PSI_SHARE = 0.05
MAX_STEAL_SHARE = 0.05
MAX_DRIFT = 0.05
FREE_CORES = 0.75
"""PSI is the kernel's share of time in which somebody waited for a core. Where a run leaves fewer cores free than this
in its busiest second, it waits for itself, and PSI says nothing of others."""
TARGET_S = 1.0
N_ELEMENTS = 4096
"""16 KiB: stays in the first-level cache, so that a neighbour's memory traffic is not taken for a slower clock."""
SHOTS = 4
"""The fastest of so many parts counts: a hiccup of some milliseconds is no change of the machine's speed."""
_FIRST_STEPS = 2000


@dataclass(frozen=True)
class Interference:
    """Interference with one run, as the kernel tells; None where this kernel does not.

    Attributes:
        foreign_cores: Processor time of everybody else, in cores.
        steal_share: Share of all cores' time that the hypervisor gave to others.
        psi_share: Share of the time in which some thread of the machine waited for a core.
    """

    foreign_cores: float | None = None
    steal_share: float | None = None
    psi_share: float | None = None


@dataclass(frozen=True)
class Ticks:
    """Processor time since boot, of all cores together."""

    busy_s: float
    steal_s: float
    all_s: float


@dataclass(frozen=True)
class Counters:
    """The counters at the beginning of a run."""

    ticks: Ticks | None
    psi_s: float | None
    harness_s: float
    proc: Path

    @classmethod
    def begin(cls, proc: Path = PROC) -> Counters:
        """Read the counters."""
        return cls(
            parse_stat(_text(proc / "stat")), parse_pressure(_text(proc / "pressure/cpu")), time.process_time(), proc
        )

    def end(self, *, own_cpu_s: float, wall_s: float) -> Interference:
        """Read them again, and return what happened in between.

        Args:
            own_cpu_s: Processor time of the run's processes; that of the harness is added here.
            wall_s: How long the run took.
        """
        now = Counters.begin(self.proc)
        foreign_cores = steal_share = psi_share = None
        if self.ticks is not None and now.ticks is not None and now.ticks.all_s > self.ticks.all_s:
            own_s = own_cpu_s + now.harness_s - self.harness_s
            foreign_cores = max(0.0, (now.ticks.busy_s - self.ticks.busy_s - own_s) / wall_s)
            steal_share = (now.ticks.steal_s - self.ticks.steal_s) / (now.ticks.all_s - self.ticks.all_s)
        if self.psi_s is not None and now.psi_s is not None:
            psi_share = min(1.0, (now.psi_s - self.psi_s) / wall_s)
        return Interference(foreign_cores, steal_share, psi_share)


def parse_stat(text: str, *, ticks_per_s: int | None = None) -> Ticks | None:
    """Read the first line of `/proc/stat`; None if it is not there.

    Its fields are user, nice, system, idle, iowait, irq, softirq, steal, guest and guest_nice; a guest's time is
    contained in user and nice. Source: proc_stat(5).
    """
    if not text.startswith("cpu "):
        return None
    per_s = ticks_per_s or os.sysconf("SC_CLK_TCK")
    user, nice, system, idle, iowait, irq, softirq, steal = [int(each) / per_s for each in text.split()[1:9]]
    busy_s = user + nice + system + irq + softirq
    return Ticks(busy_s, steal, busy_s + idle + iowait + steal)


def parse_pressure(text: str) -> float | None:
    """Return the seconds since boot in which some thread waited for a core; None if this kernel does not count them."""
    found = re.search(r"^some .*total=(\d+)$", text, flags=re.MULTILINE)
    return int(found[1]) / 1e6 if found else None


def reject(
    interference: Interference,
    *,
    calibration_before_s: float,
    calibration_after_s: float,
    own_cores: float,
    cores: int,
) -> str | None:
    """Return why a run does not count, or None if it does; `own_cores` are those of its busiest second.

    What no kernel says rejects nothing.
    """
    drift = abs(calibration_after_s / calibration_before_s - 1)
    is_crowded = own_cores > cores - FREE_CORES
    psi_share = None if is_crowded else interference.psi_share
    found = (
        ("foreign processes used {:.2f} cores", interference.foreign_cores, MAX_FOREIGN_CORES),
        ("the hypervisor took {:.1%} of the time", interference.steal_share, MAX_STEAL_SHARE),
        ("somebody waited for a core {:.1%} of the time", psi_share, MAX_PSI_SHARE),
        ("the calibration kernel changed by {:.1%}", drift, MAX_DRIFT),
    )
    reasons = [text.format(value) for text, value, limit in found if value is not None and value > limit]
    return "; ".join(reasons) or None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def choose_size(target_s: float = TARGET_S) -> int:
    """Return the number of steps that take about `target_s` now; for the first run of a session."""
    n_steps = _FIRST_STEPS
    while (took_s := calibrate(n_steps)) < target_s / 8:
        n_steps *= 4
    return max(1, round(n_steps * target_s / took_s))


def calibrate(n_steps: int) -> float:
    """Do the fixed work in parts and return how many seconds of wall time it takes at the speed of the fastest."""
    n_part = max(1, n_steps // SHOTS)
    return min(_time(n_part) for _ in range(SHOTS)) * n_steps / n_part


def _time(n_steps: int) -> float:
    began_s = time.perf_counter()
    _work(n_steps)
    return time.perf_counter() - began_s


def _work(n_steps: int) -> float:
    """Iterate a logistic map that neither dies out nor overflows, so that no step is cheaper than another."""
    values = np.linspace(0.1, 0.9, N_ELEMENTS, dtype=np.float32)
    rest = np.empty_like(values)
    for _ in range(n_steps):
        np.subtract(np.float32(1.0), values, out=rest)
        np.multiply(values, rest, out=values)
        np.multiply(values, np.float32(3.7), out=values)
    return float(values[0])
