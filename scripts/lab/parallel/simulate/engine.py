"""A simulation of P workers: a machine, a way to run trials on it, who does what next, and the events in order.

Since all running trials share one rate, the progress that a trial has made since it began is the difference of one
common count, however often the rate changes meanwhile. So the next to finish is the one whose final count is smallest,
and an event costs a heap operation: processor sharing, exactly, without time steps.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Machine:
    """A host.

    Attributes:
        slowdown: How many times longer a trial takes when all cores are busy than when one is, at least one: memory
            bandwidth, clock, two hardware threads of one core. Between one and all cores it grows linearly, which is a
            guess; its value past two cores is not known and is swept.
    """

    cores: int
    slowdown: float = 1.0

    def __post_init__(self) -> None:
        _at_least(self, cores=1, slowdown=1.0)

    def stretch(self, busy_cores: float) -> float:
        """Return how many times longer work takes while `busy_cores` are busy."""
        if self.cores == 1:
            return 1.0
        share = min(1.0, max(0.0, (busy_cores - 1) / (self.cores - 1)))
        return 1.0 + (self.slowdown - 1.0) * share


@dataclass(frozen=True)
class Way:
    """A way to run trials side by side.

    Attributes:
        startup_s: From the launch of a worker until it can take its first trial; paid again after a crash.
        lock_s: Ask and tell for one trial, during which all other workers have to wait their turn.
        cores_per_trial: How many cores one running trial keeps busy if it gets them; above one where its library spins.
        cap_cores: How many cores all trials together can keep busy: about one under a single interpreter lock.
        inflation: Processor time of a trial that has company / processor time of the same trial alone.
        crash_p: Probability that a trial ends its worker, somewhere on its way; it is begun again.
    """

    workers: int
    startup_s: float = 0.0
    lock_s: float = 0.0
    cores_per_trial: float = 1.0
    cap_cores: float = math.inf
    inflation: float = 1.0
    chunk: int = 1
    crash_p: float = 0.0

    def __post_init__(self) -> None:
        _at_least(self, workers=1, startup_s=0, lock_s=0, cores_per_trial=1, cap_cores=1, inflation=1, chunk=1)
        _at_least(self, crash_p=0)
        if not self.crash_p < 1:
            raise ConfigError(f"crash_p: expected a probability below 1, got {self.crash_p}")

    def busy_cores(self, n_running: int, machine: Machine) -> float:
        """Return how many cores are busy while `n_running` trials run."""
        wanted = 1.0 if n_running == 1 else n_running * self.cores_per_trial
        return min(wanted, self.cap_cores, float(machine.cores))

    def progress(self, n_running: int, machine: Machine) -> float:
        """Return how fast each of `n_running` trials goes on, against running alone: (U / I) / n for n of them.

        A trial without company takes the time it takes alone, whatever the way, and none goes faster than that: more
        threads inside one trial did not make it faster where it was measured.
        """
        if n_running == 1:
            return 1.0
        busy = self.busy_cores(n_running, machine)
        return min(1.0, busy / n_running / self.inflation) / machine.stretch(busy)


def draw_trials(
    n: int,
    *,
    mean_s: float,
    cv: float,
    rng: np.random.Generator,
    straggler_p: float = 0.0,
    straggler_factor: float = 1.0,
) -> NDArray[np.float64]:
    """Draw how many seconds [n] trials take alone: log-normal, stragglers stretched; `cv`: deviation / mean."""
    sigma = math.sqrt(math.log1p(cv * cv))
    times = mean_s * np.exp(sigma * rng.standard_normal(n) - sigma * sigma / 2)
    return np.where(rng.random(n) < straggler_p, straggler_factor * times, times)


def _at_least(value: Machine | Way, **lowest: float) -> None:
    for field in fields(value):
        if field.name in lowest and not getattr(value, field.name) >= lowest[field.name]:
            got = getattr(value, field.name)
            raise ConfigError(f"{field.name}: expected at least {lowest[field.name]}, got {got}")


@dataclass(frozen=True)
class Piece:
    """A piece of work: which, and how long it takes alone."""

    number: int
    alone_s: float


class Queue:
    """Trials in order; a worker that is free takes the next ones, `chunk` at a time."""

    def __init__(self, trials_s: Sequence[float] | NDArray[np.float64], *, chunk: int = 1) -> None:
        self._waiting = deque(Piece(number, float(alone_s)) for number, alone_s in enumerate(trials_s))
        self._chunk = chunk
        self._taken: dict[int, deque[Piece]] = {}

    def take(self, worker: int) -> Piece | None:
        """Return the next piece of the worker's chunk, or of a new one."""
        mine = self._taken.setdefault(worker, deque())
        if not mine:
            mine.extend(self._waiting.popleft() for _ in range(min(self._chunk, len(self._waiting))))
        return mine.popleft() if mine else None

    def put_back(self, worker: int, piece: Piece) -> None:  # noqa: ARG002 - whoever is free may have it
        """Put a piece at the head of the queue."""
        self._waiting.appendleft(piece)

    def finish(self, worker: int) -> bool:  # noqa: ARG002 - no trial waits for another
        """Say no: what waits is in the queue already."""
        return False


class Epochs:
    """Each worker is an island with epochs of its own, between two migrations; at a barrier all wait for the slowest.

    Args:
        epochs_s: How long each epoch of each island takes alone, [islands, epochs].
        barrier: Whether an epoch begins only when all islands have ended the one before.
    """

    def __init__(self, epochs_s: NDArray[np.float64], *, barrier: bool) -> None:
        self._epochs_s = epochs_s
        self._barrier = barrier
        self._begun = [0] * len(epochs_s)
        self._ended = [0] * len(epochs_s)
        self._again: dict[int, Piece] = {}

    def take(self, worker: int) -> Piece | None:
        """Return the island's next epoch, unless it is at its end or has to wait."""
        if worker in self._again:
            return self._again.pop(worker)
        epoch = self._begun[worker]
        if epoch == self._epochs_s.shape[1] or (self._barrier and min(self._ended) < epoch):
            return None
        self._begun[worker] += 1
        return Piece(worker * self._epochs_s.shape[1] + epoch, float(self._epochs_s[worker, epoch]))

    def put_back(self, worker: int, piece: Piece) -> None:
        """Let the island live this epoch again, from its checkpoint."""
        self._again[worker] = piece

    def finish(self, worker: int) -> bool:
        """Note that an epoch has ended, and say whether a barrier has fallen."""
        self._ended[worker] += 1
        return self._barrier and min(self._ended) == self._ended[worker]


Feed = Queue | Epochs
"""Who does what next."""


@dataclass(frozen=True)
class Interval:
    """A finished trial: which, by whom, from when to when since the launch."""

    number: int
    worker: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Simulated:
    """Result of a simulation.

    Attributes:
        alone_s: What the finished trials take alone, one after the other.
    """

    finished: tuple[Interval, ...]
    alone_s: float
    cpu_s: float

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


def simulate(feed: Feed, way: Way, machine: Machine, *, rng: np.random.Generator) -> Simulated:
    """Run to the end; a feed is used up, and of islands it has one for each worker."""
    run = _Run(feed, way, machine, rng)
    while run.advance():
        pass
    return Simulated(tuple(run.finished), run.alone_s, run.cpu_s)


class _Run:
    """The state between two events."""

    def __init__(self, feed: Feed, way: Way, machine: Machine, rng: np.random.Generator) -> None:
        self._feed, self._way, self._machine, self._rng = feed, way, machine, rng
        self._number = itertools.count()  # breaks ties, so that equal times have one order
        self._now_s = self._progress = self._lock_free_s = 0.0
        self._timers: list[tuple[float, int, int, Piece | None]] = []
        self._running: list[tuple[float, int, int, Piece, float, bool]] = []
        self._idle: list[int] = []
        self.finished: list[Interval] = []
        self.alone_s = self.cpu_s = 0.0
        for worker in range(way.workers):
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
        self.cpu_s += self._way.busy_cores(n, self._machine) * step_s if n else 0.0
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

    def _wake(self, worker: int, after_s: float) -> None:
        heapq.heappush(self._timers, (self._now_s + after_s, next(self._number), worker, None))

    def _ask(self, worker: int) -> None:
        """Take the next piece, as soon as the lock has been held for it."""
        piece = self._feed.take(worker)
        if piece is None:
            self._idle.append(worker)
            return
        granted_s = max(self._now_s, self._lock_free_s) if self._way.lock_s else self._now_s
        self._lock_free_s = granted_s + self._way.lock_s
        heapq.heappush(self._timers, (self._lock_free_s, next(self._number), worker, piece))

    def _begin(self, worker: int, piece: Piece) -> None:
        crashes = self._way.crash_p > 0 and bool(self._rng.random() < self._way.crash_p)
        work_s = piece.alone_s * float(self._rng.random()) if crashes else piece.alone_s
        entry = (self._progress + work_s, next(self._number), worker, piece, self._now_s, crashes)
        heapq.heappush(self._running, entry)

    def _end(self, worker: int, piece: Piece, start_s: float) -> None:
        self.finished.append(Interval(piece.number, worker, start_s, self._now_s))
        self.alone_s += piece.alone_s
        others_may_look = self._feed.finish(worker)
        self._wake(worker, 0.0)
        if others_may_look:
            self._rouse()

    def _crash(self, worker: int, piece: Piece) -> None:
        self._feed.put_back(worker, piece)
        self._wake(worker, self._way.startup_s)
        self._rouse()

    def _rouse(self) -> None:
        """Let those who had nothing to do look again."""
        for worker in self._idle:
            self._wake(worker, 0.0)
        self._idle.clear()
