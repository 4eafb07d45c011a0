"""Observation of a process and all that came of it, for a while: what each thread did meanwhile, and who made it."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atoll.evo.errors import ConfigError, StorageError
from atoll.evo.resources import THREAD_VARIABLES
from atoll.scripts.processes import makers, proc
from atoll.scripts.processes.monitor import pause_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.scripts.processes.proc import Process, Thread

LOOK_S, LOOK_SHARE = 0.05, 0.02
"""Between two looks, at least; longer if looking costs more than this share of a core."""
OTHER_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_DYNAMIC")
NOTHING_DONE: Any = {"run_s": 0.0, "wait_s": 0.0, "voluntary": 0, "involuntary": 0}
TRIES = 5
"""How often to ask who made a thread; one that runs on another C library is never told."""


@dataclass(frozen=True)
class ThreadSeen:
    """A thread, and what it did while it was looked at; see `processes.proc.Thread`.

    Attributes:
        maker: "main", or the library whose code it began with; None if that could not be seen.
        runnable_share: Of the looks at it, those at which it ran or waited to run.
    """

    tid: int
    name: str
    maker: str | None
    run_s: float
    wait_s: float
    voluntary: int
    involuntary: int
    runnable_share: float


@dataclass(frozen=True)
class ProcessSeen:
    """A process, and what it did while it was looked at.

    Attributes:
        peak_threads: Most threads at once.
        libraries: The known numeric libraries that it has loaded; None if its memory is not ours to look at.
        variables: Of its environment, those that concern threads; None if it is not ours to read.
    """

    pid: int
    name: str
    command: str
    threads: tuple[ThreadSeen, ...]
    peak_threads: int
    libraries: tuple[str, ...] | None
    variables: dict[str, str] | None


@dataclass(frozen=True)
class Observation:
    """A tree of processes, and what it did while it was looked at.

    Attributes:
        cores: How many processors it may use.
        cpu_s: Its processor time meanwhile, that of short-lived processes included.
        runnable: Threads that ran or waited to run, on average over the looks.
        has_ended: The first process ended meanwhile.
        processes: All that were seen, the first one first.
    """

    seconds: float
    looks: int
    cores: int
    cpu_s: float
    runnable: float
    has_ended: bool
    processes: tuple[ProcessSeen, ...]


def check(pid: int) -> None:
    """Refuse a process that cannot be looked at.

    Raises:
        ConfigError: There is no such process, or it has ended, or this system does not tell of processes.
        StorageError: It belongs to another account.
    """
    if not proc.read("/proc/self/stat"):
        raise ConfigError("the doctor looks at processes through /proc, which this system does not have")
    process = proc.read_process(pid)
    if process is None:
        raise ConfigError(f"--pid {pid}: there is no such process; 'ps -e' or 'pgrep python' list those there are")
    if not process.is_alive:
        raise ConfigError(f"--pid {pid}: {process.name} has ended, and waits for process {process.parent} to notice")
    if proc.read(f"/proc/{pid}/environ") is None and proc.read_process(pid):
        owner = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - as the rest of this file
        raise StorageError(
            f"--pid {pid}: {process.name} belongs to another account (uid {owner}); run the doctor as that or as root"
        )


def observe(pid: int, *, is_over: Callable[[float], bool]) -> Observation:
    """Look at a process and its descendants again and again.

    Args:
        pid: The first process.
        is_over: Given the seconds since the first look, whether to stop; asked after each look but the first, since one
            look alone tells nothing of what was done meanwhile.

    Raises:
        ConfigError: It ended before it could be looked at twice.
    """
    record = _Record(proc.Tree(pid))
    start_s = now_s = time.monotonic()
    while True:
        cost_s = time.thread_time()
        record.look()
        cost_s = time.thread_time() - cost_s
        now_s = time.monotonic()
        if (record.looks > 1 and is_over(now_s - start_s)) or not record.tree.has_root:
            break
        time.sleep(pause_s(cost_s, share=LOOK_SHARE, at_least_s=LOOK_S, at_most_s=1.0))
    if record.looks < 2 or not record.seen:
        raise ConfigError(f"process {pid} ended before it could be looked at twice, {LOOK_S} s apart")
    return record.observation(now_s - start_s)


class _Record:
    """All looks so far."""

    def __init__(self, tree: proc.Tree) -> None:
        self.tree = tree
        self.looks = 0
        self.seen: dict[int, Process] = {}
        self._first: dict[tuple[int, int], Thread] = {}
        self._last: dict[tuple[int, int], Thread] = {}
        self._looked: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._ran: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._peak: defaultdict[int, int] = defaultdict(int)
        self._makers: dict[tuple[int, int], str] = {}
        self._asked: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._about: dict[int, dict[str, Any]] = {}
        self._cpu_start_s = 0.0

    def look(self) -> None:
        self.tree.look()
        if not self.looks:
            self._cpu_start_s = self.tree.cpu_s
        for process in self.tree.living:
            self.seen[process.pid] = process
            threads = {(process.pid, thread.tid): thread for thread in proc.read_threads(process.pid)}
            for key, thread in threads.items():
                # A thread that began after the first look did all that it did while it was looked at.
                self._first.setdefault(key, thread if not self.looks else replace(thread, **NOTHING_DONE))
                self._looked[key] += 1
                self._ran[key] += thread.state == proc.RUNNABLE
            self._last |= threads
            self._peak[process.pid] = max(self._peak[process.pid], len(threads))
            self._ask(process.pid, {tid for _, tid in threads})
        self.looks += 1

    def _ask(self, pid: int, tids: set[int]) -> None:
        """Find out about a process, and about its threads whose makers are not known yet."""
        unknown = {tid for tid in tids if (pid, tid) not in self._makers and self._asked[pid, tid] < TRIES}
        if unknown:
            self._makers |= {(pid, tid): maker for tid, maker in makers.find(pid, unknown).items()}
            for tid in unknown:
                self._asked[pid, tid] += 1
        # Seldom enough, and more often early on, when a program loads its libraries.
        if unknown or self.looks & (self.looks - 1) == 0 or pid not in self._about:
            self._about[pid] = _about(pid)

    def observation(self, seconds: float) -> Observation:
        order = sorted(self.seen, key=lambda pid: (pid != self.tree.root, pid))
        return Observation(
            seconds=seconds,
            looks=self.looks,
            cores=len(os.sched_getaffinity(0)),
            cpu_s=self.tree.cpu_s - self._cpu_start_s,
            runnable=sum(self._ran.values()) / self.looks,
            has_ended=not self.tree.has_root,
            processes=tuple(self._process(pid) for pid in order),
        )

    def _process(self, pid: int) -> ProcessSeen:
        return ProcessSeen(
            pid=pid,
            name=self.seen[pid].name,
            threads=tuple(self._thread(key) for key in sorted(self._last) if key[0] == pid),
            peak_threads=self._peak[pid],
            **self._about[pid],
        )

    def _thread(self, key: tuple[int, int]) -> ThreadSeen:
        first, last = self._first[key], self._last[key]
        done: Any = {name: getattr(last, name) - getattr(first, name) for name in NOTHING_DONE}
        runnable_share = self._ran[key] / self._looked[key]
        return ThreadSeen(last.tid, last.name, self._makers.get(key), **done, runnable_share=runnable_share)


def _about(pid: int) -> dict[str, Any]:
    """Return a process's command line, its libraries and its thread variables, as far as they may be read."""
    command = (proc.read(f"/proc/{pid}/cmdline") or b"").decode(errors="replace").replace("\0", " ").strip()
    maps, environment = proc.read(f"/proc/{pid}/maps"), proc.read_environment(pid)
    wanted = (*THREAD_VARIABLES, *OTHER_VARIABLES)
    known = None if environment is None else {name: environment[name] for name in wanted if name in environment}
    libraries = None if maps is None else makers.libraries(makers.parse_regions(maps))
    return {"command": command, "libraries": libraries, "variables": known}
