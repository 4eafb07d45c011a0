"""Watches a whole tree of processes from outside while it runs, at a known and small cost.

Three looks, from cheap to dear, each as often as its share of one core allows: processes (threads, processor time)
every 0.1 s, every thread (time in the run queue, switches), and memory. A thread that begins and ends between two looks
at threads is missing from their sums, which are therefore lower bounds; processor time is not, since the kernel adds up
what ended.
"""

from __future__ import annotations

import os
import select
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.scripts.processes import proc
from atoll.scripts.processes.samples import MAX_SAMPLES, Sample, thin
from atoll.scripts.processes.tree import Tree
from atoll.scripts.processes.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from atoll.scripts.processes.proc import Process

SLOWEST_S = 0.2
"""Between two looks at the processes, whatever they cost: 5 Hz."""
LOOK_SHARE, THREADS_SHARE, MEMORY_SHARE = 0.01, 0.01, 0.007
"""Of one core, for each kind of look."""
WORKING_CORES = 0.05
"""A process works if it took more than this over the whole run."""


@dataclass(frozen=True)
class Usage:
    """What a tree of processes took.

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
        samples: (t_s, threads, processes, cpu_cores, pss_bytes), at most 200, by `time.monotonic`; see `thin`.
    """

    cpu_s: float
    peak_threads: int
    peak_threads_of_one: int
    peak_processes: int
    working_processes: int
    peak_pss_bytes: int
    peak_uss_bytes: int
    run_s: float
    wait_s: float
    voluntary_switches: int
    involuntary_switches: int
    stray_processes: int
    samples: tuple[tuple[float, ...], ...]


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
        self._watched = _Watched(Tree(pid))
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
    """What was seen so far."""

    def __init__(self, tree: Tree) -> None:
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
        found = [memory for process in self.tree.living if (memory := proc.read_memory(process.pid))]
        self._pss_bytes = sum(memory.pss_bytes for memory in found)
        self._peak_uss_bytes = max(self._peak_uss_bytes, sum(memory.uss_bytes for memory in found))
        self._samples[-1] = self._samples[-1].with_memory(self._pss_bytes)

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
