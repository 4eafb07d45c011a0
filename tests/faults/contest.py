"""Eight processes that contend for one lock, and when each of them held it."""

from __future__ import annotations

import contextlib
import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from atoll.migration.pool import locks
from tests.processes import hang_s
from tests.scripts.run.island_process import CONTEXT, end

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

N = 8
HOLD_S = 0.0002
NO_LOCK = "none"

Span = tuple[int, int]
"""Nanoseconds of this host's monotonic clock: from when to when a process held the lock."""


def contest(place: Path, lock_class: str, n: int) -> list[Span]:
    """Let each of the processes take the lock `n` times; return when it was held, in order."""
    results = [place / f"{lock_class}-{i}.json" for i in range(N)]
    begin = CONTEXT.Barrier(N)
    contenders = [
        CONTEXT.Process(target=contend, args=(place / "lock", lock_class, n, path, begin)) for path in results
    ]
    for process in contenders:
        process.start()
    assert [end(process) for process in contenders] == [0] * N
    held = sorted((began, ended) for path in results for began, ended in json.loads(path.read_text()))
    assert len(held) == N * n
    return held


def contend(path: Path, lock_class: str, n: int, result: Path, begin: Barrier) -> None:
    """Take a lock `n` times, from when all have started, and write when it was held."""
    held = []
    begin.wait()
    for _ in range(n):
        with _taken(path, lock_class):
            began_ns = time.monotonic_ns()
            time.sleep(HOLD_S)
            held.append((began_ns, time.monotonic_ns()))
    result.write_text(json.dumps(held))


def _taken(path: Path, lock_class: str) -> contextlib.AbstractContextManager[object]:
    if lock_class == NO_LOCK:
        return contextlib.nullcontext()
    return locks.Locks(lock_class).owner(path).acquire(timeout=hang_s(), poll_interval=HOLD_S)


def overlaps(held: list[Span]) -> list[tuple[Span, Span]]:
    """Return each two spans in which two processes held the lock at once."""
    return [(before, after) for before, after in pairwise(held) if after[0] < before[1]]
