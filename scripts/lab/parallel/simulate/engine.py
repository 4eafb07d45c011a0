"""The simulation itself: events in order, and between two of them every running trial goes on at the same rate.

Since all running trials share one rate, the progress that a trial has made since it began is the difference of one
common count, however often the rate changes meanwhile. So the next to finish is the one whose final count is smallest,
and an event costs a heap operation: processor sharing, exactly, without time steps.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.simulate.feed import Feed, Piece
    from atoll.scripts.lab.parallel.simulate.scenario import Machine, Way


@dataclass(frozen=True)
class Interval:
    """A finished trial: which, by whom, from when to when since the launch."""

    number: int
    worker: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Simulated:
    """What came out.

    Attributes:
        finished: In the order in which they ended.
        alone_s: What the finished trials take alone, one after the other.
        cpu_s: Processor time of all.
        lock_wait_s: What workers waited for the lock, in all.
        crashes: How many trials ended their worker.
        lost: How many trials were given up.
    """

    finished: tuple[Interval, ...]
    alone_s: float
    cpu_s: float
    lock_wait_s: float
    crashes: int
    lost: int

    @property
    def wall_s(self) -> float:
        """From the first start of a trial to the last end; start-up is left out, as in what is measured."""
        if not self.finished:
            return 0.0
        return max(each.end_s for each in self.finished) - min(each.start_s for each in self.finished)

    @property
    def total_s(self) -> float:
        """From the launch to the last end."""
        return max((each.end_s for each in self.finished), default=0.0)

    @property
    def speedup(self) -> float:
        """Time alone / wall time, start-up included in neither."""
        return self.alone_s / self.wall_s if self.finished else 0.0

    def finished_by(self, limit_s: float) -> int:
        """Return how many trials had ended so long after the launch."""
        return sum(each.end_s <= limit_s for each in self.finished)


def simulate(feed: Feed, way: Way, machine: Machine, *, rng: np.random.Generator) -> Simulated:
    """Run to the end.

    Args:
        feed: The trials, fresh: it is used up.
        way: How they are run; its number of workers must be that of the feed where the feed has one.
        machine: Where.
        rng: Source of crashes.
    """
    run = _Run(feed, way, machine, rng)
    while run.advance():
        pass
    return run.result()


class _Run:
    """The state between two events."""

    def __init__(self, feed: Feed, way: Way, machine: Machine, rng: np.random.Generator) -> None:
        self._feed, self._way, self._machine, self._rng = feed, way, machine, rng
        self._number = itertools.count()  # breaks ties, so that equal times have one order
        self._now_s = self._progress = self._lock_free_s = 0.0
        self._timers: list[tuple[float, int, int, Piece | None]] = []
        self._running: list[tuple[float, int, int, Piece, float, bool]] = []
        self._idle: list[int] = []
        self._finished: list[Interval] = []
        self._alone_s = self._cpu_s = self._lock_wait_s = 0.0
        self._crashes = self._lost = 0
        for worker in range(feed.n_workers or way.workers):
            self._wake(worker, way.startup_s)

    def advance(self) -> bool:
        """Go on to the next event; False if there is none."""
        if not self._timers and not self._running:
            return False
        n = len(self._running)
        rate = self._way.progress(n, self._machine) if n else 0.0
        until_done_s = (self._running[0][0] - self._progress) / rate if n else np.inf
        until_timer_s = self._timers[0][0] - self._now_s if self._timers else np.inf
        step_s = max(0.0, min(until_done_s, until_timer_s))
        self._now_s += step_s
        self._progress += rate * step_s
        self._cpu_s += self._way.busy_cores(n, self._machine) * step_s if n else 0.0
        if until_timer_s <= until_done_s:
            self._now_s, _, worker, piece = heapq.heappop(self._timers)
            if piece is None:
                self._ask(worker)
            else:
                self._begin(worker, piece)
        else:
            self._progress, _, worker, piece, start_s, crashes = heapq.heappop(self._running)
            if crashes:
                self._crash(worker, piece)
            else:
                self._end(worker, piece, start_s)
        return True

    def result(self) -> Simulated:
        return Simulated(
            tuple(self._finished), self._alone_s, self._cpu_s, self._lock_wait_s, self._crashes, self._lost
        )

    def _wake(self, worker: int, after_s: float) -> None:
        heapq.heappush(self._timers, (self._now_s + after_s, next(self._number), worker, None))

    def _ask(self, worker: int) -> None:
        """Take the next piece, as soon as the lock has been held for it."""
        piece = self._feed.take(worker)
        if piece is None:
            self._idle.append(worker)
            return
        granted_s = max(self._now_s, self._lock_free_s) if self._way.lock_s else self._now_s
        self._lock_wait_s += granted_s - self._now_s
        self._lock_free_s = granted_s + self._way.lock_s
        heapq.heappush(self._timers, (self._lock_free_s, next(self._number), worker, piece))

    def _begin(self, worker: int, piece: Piece) -> None:
        crashes = self._way.crash_p > 0 and bool(self._rng.random() < self._way.crash_p)
        work_s = piece.alone_s * float(self._rng.random()) if crashes else piece.alone_s
        entry = (self._progress + work_s, next(self._number), worker, piece, self._now_s, crashes)
        heapq.heappush(self._running, entry)

    def _end(self, worker: int, piece: Piece, start_s: float) -> None:
        self._finished.append(Interval(piece.number, worker, start_s, self._now_s))
        self._alone_s += piece.alone_s
        others_may_look = self._feed.finish(worker)
        self._wake(worker, 0.0)
        if others_may_look:
            self._rouse()

    def _crash(self, worker: int, piece: Piece) -> None:
        self._crashes += 1
        if piece.tries < self._way.retries:
            self._feed.put_back(worker, replace(piece, tries=piece.tries + 1))
        else:
            self._lost += 1
            self._feed.finish(worker)
        broken = [worker]
        if self._way.on_crash == "break":
            for _, _, other, innocent, _, _ in self._running:
                self._feed.put_back(other, innocent)
                broken.append(other)
            self._running.clear()
        for each in broken:
            self._wake(each, self._way.startup_s)
        self._rouse()

    def _rouse(self) -> None:
        """Let those who had nothing to do look again."""
        for worker in self._idle:
            self._wake(worker, 0.0)
        self._idle.clear()
