"""Monitor of a whole tree of processes: looks at it from outside while it runs, at a known and small cost.

Three looks, from cheap to dear, each as often as its share of one core allows: processes, threads, memory. A thread
that begins and ends between two looks is missing from the sums of threads, which are lower bounds; processor time is
not, since the kernel adds up what ended.
"""

from __future__ import annotations

import os
import select
import threading
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from atoll.scripts.processes import proc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from atoll.scripts.processes.proc import Process, Thread

SLOWEST_S = 0.2
"""Between two looks at the processes, whatever they cost: 5 Hz."""
LOOK_SHARE, THREADS_SHARE, MEMORY_SHARE = 0.01, 0.01, 0.007
"""Of one core, for each kind of look."""
MAX_SAMPLES = 200
WORKING_CORES = 0.05
"""A process works if it took more than this over the whole run."""


@dataclass(frozen=True)
class Usage:
    """Usage of a tree of processes: processor time, threads, memory, switches.

    Attributes:
        cpu_s: Processor time of all, those that ended included.
        peak_threads: Most threads at once, in all.
        peak_threads_of_one: Most threads of one process.
        peak_processes: Most processes at once.
        working_processes: How many took more than 5 % of a core from the first look to the last.
        peak_pss_bytes: Most memory, shared pages divided by their users.
        peak_uss_bytes: Most memory that is one process's alone, in all.
        run_s: Time of all threads on a processor.
        wait_s: Time of all threads in the queue for one.
        voluntary_switches: How often a thread went to sleep.
        involuntary_switches: How often a thread had to make room for another.
        stray_processes: How many outlived the first one; 0 while it lives.
        samples: At most 200 stretches of time; see `thin`.
    """

    cpu_s: float = 0.0
    peak_threads: int = 0
    peak_threads_of_one: int = 0
    peak_processes: int = 0
    working_processes: int = 0
    peak_pss_bytes: int = 0
    peak_uss_bytes: int = 0
    run_s: float = 0.0
    wait_s: float = 0.0
    voluntary_switches: int = 0
    involuntary_switches: int = 0
    stray_processes: int = 0
    samples: tuple[tuple[float, ...], ...] = ()


class Monitor:
    """Watches the tree of one process in a thread of this one.

    Stop it as soon as the first process has exited, before ending what outlived it. The end of the first one is noticed
    at once, by its descriptor.

    Args:
        pid: The first process. If its environment has `ATOLL_COMPARE_RUN`, whoever inherits the value belongs to it.
        hz: How often to look; seldomer, down to 5 Hz, if looking costs more than 1 % of a core.

    Raises:
        ProcessLookupError: There is no such process.
    """

    def __init__(self, pid: int, hz: float = 10.0) -> None:
        self._exit = os.pidfd_open(pid)
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._interval_s = 1.0 / hz
        self._watched = _Watched(proc.Tree(pid))
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self.own_cpu_s = 0.0
        """What watching has cost so far."""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> Usage:
        """Look once more, and return what was seen."""
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._exit)
        os.close(self._stop)
        return self._watched.usage()

    def living(self) -> list[Process]:
        """Return who of the tree lived at the last look; after `stop`, that is who has outlived the first process."""
        return self._watched.tree.living

    def _run(self) -> None:
        looks = (
            _Look(self._watched.look_at_processes, LOOK_SHARE, self._interval_s, SLOWEST_S),
            _Look(self._watched.look_at_threads, THREADS_SHARE, self._interval_s),
            _Look(self._watched.look_at_memory, MEMORY_SHARE, 1.0),
        )
        ends = [self._stop, self._exit]
        is_last = False
        while True:
            for look in looks:
                look.take(time.monotonic(), is_due=is_last)
            self.own_cpu_s = time.thread_time()
            if is_last:
                return
            ready, _, _ = select.select(ends, [], [], max(0.0, looks[0].next_s - time.monotonic()))
            if self._exit in ready:
                ends.remove(self._exit)
                looks[0].take(time.monotonic(), is_due=True)
            is_last = self._stop in ready


class _Look:
    """Something done again and again, as often as `share` of one core allows."""

    def __init__(
        self, do: Callable[[float], None], share: float, at_least_s: float, at_most_s: float = float("inf")
    ) -> None:
        self._do, self._share, self._at_least_s, self._at_most_s = do, share, at_least_s, at_most_s
        self.next_s = 0.0

    def take(self, now_s: float, *, is_due: bool) -> None:
        if now_s < self.next_s and not is_due:
            return
        before_s = time.thread_time()
        self._do(now_s)
        cost_s = time.thread_time() - before_s
        self.next_s = now_s + pause_s(cost_s, share=self._share, at_least_s=self._at_least_s, at_most_s=self._at_most_s)


def pause_s(cost_s: float, *, share: float, at_least_s: float, at_most_s: float) -> float:
    """Return how long from one look to the next, so that looks that cost this much take that share of a core."""
    return min(max(cost_s / share, at_least_s), at_most_s)


class _Watched:
    """Everything that was seen so far."""

    def __init__(self, tree: proc.Tree) -> None:
        self.tree = tree
        self._waits = Waits()
        self._samples: list[Sample] = []
        self._peak_of_one = self._peak_uss_bytes = self._pss_bytes = 0

    def look_at_processes(self, now_s: float) -> None:
        self.tree.look()
        counts = [process.threads for process in self.tree.living]
        self._samples.append(Sample(now_s, sum(counts), len(counts), self.tree.cpu_s, self._pss_bytes))
        self._peak_of_one = max([self._peak_of_one, *counts])

    def look_at_threads(self, now_s: float) -> None:  # noqa: ARG002 - a look's form
        self._waits.add({process.pid: proc.read_threads(process.pid) for process in self.tree.living})

    def look_at_memory(self, now_s: float) -> None:  # noqa: ARG002 - a look's form
        memory = [proc.read_memory(process.pid) for process in self.tree.living]
        self._pss_bytes = sum(pss_bytes for pss_bytes, _ in memory)
        self._peak_uss_bytes = max(self._peak_uss_bytes, sum(uss_bytes for _, uss_bytes in memory))
        self._samples[-1] = replace(self._samples[-1], pss_bytes=self._pss_bytes)

    def usage(self) -> Usage:
        sums = self._waits.sums
        return Usage(
            cpu_s=self._samples[-1].cpu_s,
            peak_threads=max(sample.threads for sample in self._samples),
            peak_threads_of_one=self._peak_of_one,
            peak_processes=max(sample.processes for sample in self._samples),
            working_processes=n_working(
                [*self.tree.present.values(), *self.tree.ended], self._samples[-1].t_s - self._samples[0].t_s
            ),
            peak_pss_bytes=max(sample.pss_bytes for sample in self._samples),
            peak_uss_bytes=self._peak_uss_bytes,
            run_s=sums.run_s,
            wait_s=sums.wait_s,
            voluntary_switches=sums.voluntary,
            involuntary_switches=sums.involuntary,
            stray_processes=0 if self.tree.has_root else len(self.tree.living),
            samples=thin(self._samples, MAX_SAMPLES),
        )


def n_working(processes: Iterable[Process], seconds: float) -> int:
    """Return how many of the processes worked over a run that took so long."""
    return sum(process.own_s > WORKING_CORES * seconds for process in processes)


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a tree of processes, at `t_s` of `time.monotonic()`, with its memory as of the last look at that."""

    t_s: float
    threads: int
    processes: int
    cpu_s: float
    pss_bytes: int


def thin(samples: Sequence[Sample], limit: int) -> tuple[tuple[float, ...], ...]:
    """Return at most `limit` stretches of time as (t_s, threads, processes, cpu_cores, pss_bytes).

    `t_s` is the end of a stretch, which begins where the one before ended; the first is the first look, before which
    nothing is known. Counts and memory are the largest within it. The cores times the length of the stretches add up to
    the processor time between the first look and the last.
    """
    if not samples:
        return ()
    n = min(limit, len(samples))
    ends = [0, *(round(k * (len(samples) - 1) / (n - 1)) for k in range(1, n))]
    first = samples[0]
    rows: list[tuple[float, ...]] = [(first.t_s, first.threads, first.processes, 0.0, first.pss_bytes)]
    for start, end in pairwise(ends):
        within, before, after = samples[start + 1 : end + 1], samples[start], samples[end]
        took_s = after.t_s - before.t_s
        threads, processes = max(each.threads for each in within), max(each.processes for each in within)
        cores = (after.cpu_s - before.cpu_s) / took_s if took_s > 0 else 0.0
        rows.append((after.t_s, threads, processes, cores, max(each.pss_bytes for each in within)))
    return tuple(rows)


class Sums(NamedTuple):
    """Of several threads: time on a processor, time in the queue for one, switches by themselves and by force."""

    run_s: float = 0.0
    wait_s: float = 0.0
    voluntary: int = 0
    involuntary: int = 0


class Waits:
    """Sums over looks: a thread that is gone, or began anew under its number, keeps its last figures."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, int], Thread] = {}
        self._ended = Sums()

    @property
    def sums(self) -> Sums:
        """All threads ever seen, from the beginning of each."""
        return self._with(self._last.values())

    def _with(self, threads: Iterable[Thread]) -> Sums:
        figures = [(each.run_s, each.wait_s, each.voluntary, each.involuntary) for each in threads]
        return Sums(*map(sum, zip(self._ended, *figures, strict=True)))

    def add(self, threads: Mapping[int, Iterable[Thread]]) -> None:
        """Take a look at the threads of each process, by pid."""
        now = {(pid, each.tid): each for pid, of_one in threads.items() for each in of_one}
        gone = [last for key, last in self._last.items() if key not in now or now[key].run_s < last.run_s]
        self._ended = self._with(gone)
        self._last = now
