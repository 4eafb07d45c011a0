"""Processes, their threads and trees of processes, read from /proc as cheaply as Python can.

Anything may end between two reads, and not everything is ours to read: what cannot be read is None, or left out.

Sources: proc(5); the kernel's Documentation/scheduler/sched-stats.rst.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ENDED = frozenset("ZXx")
"""States of a process that has ended; its parent may not have asked for its end yet."""
RUNNABLE = "R"
MARKER = "ATOLL_COMPARE_RUN"
"""An environment variable that marks a tree: whoever inherits the root's value belongs to it, wherever it went."""
KERNEL = frozenset({0, 2})
"""Parents of the kernel's own threads, which have no environment."""


@dataclass(frozen=True, slots=True)
class Process:
    """One look at a process.

    Attributes:
        state: One letter: R runnable, S or D asleep, T stopped, Z ended.
        parent: The pid of its parent now.
        session: The pid of the leader of its session.
        own_s: Processor time of all its threads, ended ones included, user and system.
        waited_s: The same of children that have ended and were waited for, and of theirs.
        started: When it began, in clock ticks after boot; with `pid` it names a process for good.
    """

    pid: int
    name: str
    state: str
    parent: int
    session: int
    threads: int
    own_s: float
    waited_s: float
    started: int

    @property
    def is_alive(self) -> bool:
        """Whether it can still run."""
        return self.state not in ENDED


@dataclass(frozen=True, slots=True)
class Thread:
    """One look at a thread.

    Attributes:
        name: As the kernel knows it; a new thread has its maker's.
        run_s: Time on a processor.
        wait_s: Time in the queue for one, runnable and not running.
        voluntary: How often it went to sleep by itself.
        involuntary: How often it was made to stop for another.
    """

    tid: int
    name: str
    state: str
    run_s: float
    wait_s: float
    voluntary: int
    involuntary: int


def read_process(pid: int) -> Process | None:
    """Look at a process."""
    text = read(f"/proc/{pid}/stat")
    return parse_process(text) if text else None


def parse_process(text: bytes) -> Process:
    """Read a `stat` file; the name stands in brackets and may hold anything, brackets included."""
    head, _, tail = text.rpartition(b")")
    pid, _, name = head.partition(b" (")
    fields = tail.split()
    user, system, waited_user, waited_system = map(int, fields[11:15])
    return Process(
        pid=int(pid),
        name=name.decode(errors="replace"),
        state=fields[0].decode(),
        parent=int(fields[1]),
        session=int(fields[3]),
        threads=int(fields[17]),
        own_s=(user + system) / TICKS_PER_S,
        waited_s=(waited_user + waited_system) / TICKS_PER_S,
        started=int(fields[19]),
    )


def read_threads(pid: int) -> list[Thread]:
    """Look at every thread of a process."""
    try:
        tids = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    folder = f"/proc/{pid}/task"
    looks = ((int(tid), read(f"{folder}/{tid}/status"), read(f"{folder}/{tid}/schedstat")) for tid in tids)
    return [parse_thread(tid, status, schedule) for tid, status, schedule in looks if status and schedule]


def parse_thread(tid: int, status: bytes, schedule: bytes) -> Thread:
    """Read a thread's `status` and `schedstat` files."""
    fields = dict(line.split(b":\t", 1) for line in status.splitlines() if b":\t" in line)
    run_ns, wait_ns = schedule.split()[:2]
    return Thread(
        tid=tid,
        name=fields[b"Name"].decode(errors="replace"),
        state=fields[b"State"][:1].decode(),
        run_s=int(run_ns) / 1e9,
        wait_s=int(wait_ns) / 1e9,
        voluntary=int(fields[b"voluntary_ctxt_switches"]),
        involuntary=int(fields[b"nonvoluntary_ctxt_switches"]),
    )


def read_memory(pid: int) -> tuple[int, int]:
    """Return a process's share of memory in bytes, that of shared pages included (PSS), and what is its alone (USS).

    The kernel walks all of it for this, which takes milliseconds. What is gone has none.
    """
    try:
        memory = psutil.Process(pid).memory_full_info()
    except psutil.Error:
        return 0, 0
    return memory.pss, memory.uss


def read_environment(pid: int) -> dict[str, str] | None:
    """Return the environment a process was started with; what it changed since is not seen."""
    text = read(f"/proc/{pid}/environ")
    if text is None:
        return None
    pairs = (entry.partition("=") for entry in text.decode(errors="replace").split("\0"))
    return {name: value for name, sign, value in pairs if sign}


def read(path: str) -> bytes | None:
    """Return a whole file; None if it is gone or not ours to read.

    Plain system calls: this runs some hundred times a second while others measure.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return None
    finally:
        os.close(descriptor)


class Tree:
    """All processes of a tree; whoever was seen once stays known, also after it was given another parent.

    A new process belongs to the tree if its parent does, or the leader of its session, or if it inherited the mark.

    Args:
        root: The pid of the first.

    Attributes:
        present: Those that were there at the last look, by pid; some may have ended and wait to be waited for.
        ended: Those that are gone, as they were last seen.
    """

    def __init__(self, root: int) -> None:
        self.root = root
        self.present: dict[int, Process] = {}
        self.ended: list[Process] = []
        self._environment: dict[str, str] = {}
        self._strangers: set[int] = set()

    @property
    def living(self) -> list[Process]:
        """Those that could still run at the last look."""
        return [process for process in self.present.values() if process.is_alive]

    @property
    def has_root(self) -> bool:
        """Whether the first one could."""
        return any(process.pid == self.root for process in self.living)

    @property
    def cpu_s(self) -> float:
        """Processor time of the whole tree, from the beginning of each of its processes."""
        return total_cpu_s(self.present.values(), self.ended)

    def look(self) -> None:
        """Look at every known process, and at every one that is new on this machine."""
        listed = set(psutil.pids())
        self._strangers &= listed
        again = {pid: found for pid in self.present if (found := read_process(pid))}
        same = {pid: now for pid, now in again.items() if now.started == self.present[pid].started}
        self.ended += [before for pid, before in self.present.items() if pid not in same]
        unknown = listed - same.keys() - self._strangers
        new = {pid: found for pid in unknown if (found := read_process(pid))}
        members = {self.root, *same, *(process.pid for process in self.ended)}
        marked, undecided = self._marked(new)
        joined = joining(new, members, marked)
        self._strangers |= new.keys() - joined - undecided
        self.present = same | {pid: new[pid] for pid in joined}

    def _marked(self, new: Mapping[int, Process]) -> tuple[set[int], set[int]]:
        """Return who has the mark, and who cannot be told yet: while a program is loaded, its environment is empty."""
        self._environment = self._environment or read_environment(self.root) or {}
        mark = self._environment.get(MARKER)
        if mark is None:
            return set(), set()
        found = {pid: read_environment(pid) for pid, process in new.items() if process.parent not in KERNEL}
        marked = {pid for pid, environment in found.items() if environment and environment.get(MARKER) == mark}
        return marked, {pid for pid, environment in found.items() if environment == {} and new[pid].is_alive}


def joining(new: Mapping[int, Process], members: Iterable[int], marked: Iterable[int]) -> set[int]:
    """Return which of the new processes belong to the members, directly or through one another."""
    members = set(members)
    joined = new.keys() & (members | set(marked))
    while more := {pid for pid in new.keys() - joined if {new[pid].parent, new[pid].session} & (members | joined)}:
        joined |= more
    return joined


def total_cpu_s(present: Iterable[Process], ended: Iterable[Process]) -> float:
    """Return the processor time of all, counting nobody twice.

    One that is gone has its last figures; what it used after that look is in its parent's `waited_s`, and so is all of
    a child that came and went between two looks. So every process counts with what it used itself, and with the part
    of `waited_s` that none of its known children explains.
    """
    ended = list(ended)
    explained: defaultdict[int, float] = defaultdict(float)
    for child in ended:
        explained[child.parent] += child.own_s + child.waited_s
    return sum(each.own_s + max(0.0, each.waited_s - explained[each.pid]) for each in [*present, *ended])
