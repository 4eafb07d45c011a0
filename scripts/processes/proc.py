"""Processes and threads as the kernel tells of them, read from /proc as cheaply as Python can.

Anything may end between two reads, and not everything is ours to read: what cannot be read is None, or left out.

Sources: proc(5); the kernel's Documentation/scheduler/sched-stats.rst.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ENDED = frozenset("ZXx")
"""States of a process that has ended; its parent may not have asked for its end yet."""
RUNNABLE = "R"


@dataclass(frozen=True, slots=True)
class Process:
    """One look at a process.

    Attributes:
        pid: Its number.
        name: As the kernel knows it, at most 15 characters.
        state: One letter: R runnable, S or D asleep, T stopped, Z ended.
        parent: The pid of its parent now.
        session: The pid of the leader of its session.
        threads: How many it has.
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
        tid: Its number.
        name: As the kernel knows it; a new thread has its maker's.
        state: As of a process.
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


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process, in bytes: its share of shared pages included (PSS), and what is its alone (USS)."""

    pss_bytes: int
    uss_bytes: int


def pids() -> list[int]:
    """Return the processes there are."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


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
    found = (_read_thread(f"/proc/{pid}/task/{tid}", int(tid)) for tid in tids)
    return [thread for thread in found if thread]


def _read_thread(folder: str, tid: int) -> Thread | None:
    status, schedule = read(f"{folder}/status"), read(f"{folder}/schedstat")
    return parse_thread(tid, status, schedule) if status and schedule else None


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


def read_memory(pid: int) -> Memory | None:
    """Look at a process's memory; the kernel walks all of it for this, which takes milliseconds."""
    text = read(f"/proc/{pid}/smaps_rollup")
    return parse_memory(text) if text else None


def parse_memory(text: bytes) -> Memory:
    """Read a `smaps_rollup` file."""
    kilobytes = {words[0]: int(words[1]) for words in map(bytes.split, text.splitlines()[1:])}
    alone = kilobytes.get(b"Private_Clean:", 0) + kilobytes.get(b"Private_Dirty:", 0)
    return Memory(1024 * kilobytes.get(b"Pss:", 0), 1024 * alone)


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
