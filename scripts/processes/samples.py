"""How a run looked over time, in few enough numbers to keep with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SAMPLES = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a tree of processes.

    Attributes:
        t_s: When, by `time.monotonic()`.
        threads: Of all processes.
        processes: How many there were.
        cpu_s: Processor time of all from their beginning, those that ended included.
        pss_bytes: Their memory, as of the last look at it.
    """

    t_s: float
    threads: int
    processes: int
    cpu_s: float
    pss_bytes: int

    def with_memory(self, pss_bytes: int) -> Sample:
        """Return the same look with this memory."""
        return replace(self, pss_bytes=pss_bytes)


def thin(samples: Sequence[Sample], limit: int) -> tuple[tuple[float, ...], ...]:
    """Return at most `limit` stretches of time as (t_s, threads, processes, cpu_cores, pss_bytes).

    `t_s` is the end of a stretch, which begins where the one before ended; the first is the first look, before which
    nothing is known. Counts and memory are the largest within it. The cores times the length of the stretches add up to
    the processor time between the first look and the last.
    """
    if not samples:
        return ()
    n = min(limit, len(samples))
    ends = [0, *(round(k * (len(samples) - 1) / (n - 1)) for k in range(1, n))] if n > 1 else [0]
    first = samples[0]
    rows: list[tuple[float, ...]] = [(first.t_s, first.threads, first.processes, 0.0, first.pss_bytes)]
    for start, end in pairwise(ends):
        within, before, after = samples[start + 1 : end + 1], samples[start], samples[end]
        rows.append(
            (
                after.t_s,
                max(each.threads for each in within),
                max(each.processes for each in within),
                cores(before, after),
                max(each.pss_bytes for each in within),
            )
        )
    return tuple(rows)


def cores(before: Sample, after: Sample) -> float:
    """Return how many cores were in use between two looks."""
    took_s = after.t_s - before.t_s
    return (after.cpu_s - before.cpu_s) / took_s if took_s > 0 else 0.0
