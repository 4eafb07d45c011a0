"""A fixed piece of work for one thread, timed before and after each run: the machine's speed at that moment.

It is what trials are made of, arithmetic on small arrays driven by the interpreter, and it never starts a second
thread: NumPy runs operations on elements in the thread that calls them. Its size is chosen once for a session, so that
it takes about a second at first, and kept with the rows; a size chosen anew each time would hide what it is to show.
"""

from __future__ import annotations

import time

import numpy as np

TARGET_S = 1.0
N_ELEMENTS = 4096
"""16 KiB: stays in the first-level cache, so that a neighbour's memory traffic is not taken for a slower clock."""
SHOTS = 4
"""The fastest of so many parts counts: a hiccup of some milliseconds is no change of the machine's speed."""
_FIRST_STEPS = 2000


def choose_size(target_s: float = TARGET_S) -> int:
    """Return the number of steps that take about `target_s` now; for the first run of a session."""
    n_steps = _FIRST_STEPS
    while (took_s := calibrate(n_steps)) < target_s / 8:
        n_steps *= 4
    return max(1, round(n_steps * target_s / took_s))


def calibrate(n_steps: int) -> float:
    """Do the fixed work in parts and return how many seconds of wall time it takes at the speed of the fastest.

    Args:
        n_steps: The session's size, from `choose_size`.
    """
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
