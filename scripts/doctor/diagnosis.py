"""What a tree of processes was doing, in one word, and why; by thresholds on what was seen of its threads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from atoll.scripts.processes import makers as origins

if TYPE_CHECKING:
    from atoll.scripts.doctor.observe import Observation, ProcessSeen, ThreadSeen

WORKING_CORES = 0.05
"""Less in use is sleep; a thread works if it could run for more than this share of the time, let or not."""
WAITING_SHARE = 0.2
"""Threads wait too much if they were in the queue for more than this of the time in which they could run."""
SPARE_THREADS = 0.5
"""Runnable threads beyond the number of cores that are no matter."""
TURNS_CORES = (0.7, 1.6)
"""Threads that take turns at one lock use about one core together: more where they leave the lock for a calculation."""
TURNS_PER_RUN_S = 50.0
"""And each goes to sleep at least so often while it runs for a second; the interpreter's own interval is 5 ms."""
PARALLEL_SHARE = 0.7


class Condition(StrEnum):
    """What a tree was doing; see `diagnose`."""

    ASLEEP = "asleep"
    OVERSUBSCRIBED = "oversubscribed"
    CROWDED_OUT = "crowded out"
    CONVOYED = "convoyed"
    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"
    PARTLY_PARALLEL = "partly parallel"


@dataclass(frozen=True)
class Diagnosis:
    """What a tree was doing.

    Attributes:
        condition: In one word.
        working_threads: How many threads worked.
        working_processes: How many processes had such a thread.
        wait_share: Of the time in which threads could run, the part in the queue for a processor.
        convoys: Processes whose Python threads took turns.
    """

    condition: Condition
    working_threads: int
    working_processes: int
    wait_share: float
    convoys: tuple[int, ...]


def diagnose(seen: Observation) -> Diagnosis:
    """Return the first of these that fits.

    - asleep: less than 0.05 of a core in use;
    - oversubscribed: threads wait for processors, and there are more runnable ones than cores;
    - crowded out: threads wait for processors that others use;
    - convoyed: the Python threads of some process take turns;
    - sequential: one thread works;
    - parallel: working threads, or cores if they are fewer, are in use to 0.7 or more;
    - partly parallel: anything else.
    """
    threads = [thread for process in seen.processes for thread in process.threads]
    working = [thread for thread in threads if is_working(thread, seen.seconds)]
    run_s, wait_s = sum(thread.run_s for thread in threads), sum(thread.wait_s for thread in threads)
    wait_share = wait_s / (run_s + wait_s) if run_s + wait_s > 0 else 0.0
    convoys = tuple(process.pid for process in seen.processes if takes_turns(process, seen.seconds))
    in_use = seen.cpu_s / seen.seconds
    if in_use < WORKING_CORES:
        condition = Condition.ASLEEP
    elif wait_share > WAITING_SHARE and seen.runnable > seen.cores + SPARE_THREADS:
        condition = Condition.OVERSUBSCRIBED
    elif convoys:
        condition = Condition.CONVOYED
    elif wait_share > WAITING_SHARE:
        condition = Condition.CROWDED_OUT
    elif len(working) <= 1:
        condition = Condition.SEQUENTIAL
    elif in_use >= PARALLEL_SHARE * min(len(working), seen.cores):
        condition = Condition.PARALLEL
    else:
        condition = Condition.PARTLY_PARALLEL
    busy = sum(any(is_working(thread, seen.seconds) for thread in process.threads) for process in seen.processes)
    return Diagnosis(condition, len(working), busy, wait_share, convoys)


def is_working(thread: ThreadSeen, seconds: float) -> bool:
    """Whether a thread ran, or waited to run, for more than 0.05 of the time."""
    return thread.run_s + thread.wait_s > WORKING_CORES * seconds


def python_threads(process: ProcessSeen) -> list[ThreadSeen]:
    """Return the threads that run Python: those that Python made, and the main one of a process that has it."""
    has_python = process.libraries is not None and origins.PYTHON in process.libraries
    makers = {origins.PYTHON, origins.MAIN} if has_python else {origins.PYTHON}
    return [thread for thread in process.threads if thread.maker in makers]


def takes_turns(process: ProcessSeen, seconds: float) -> bool:
    """Whether the Python threads of a process take turns, as they do at the interpreter's lock or another one."""
    working = [thread for thread in python_threads(process) if is_working(thread, seconds)]
    turning = [thread for thread in working if thread.voluntary >= TURNS_PER_RUN_S * thread.run_s]
    low, high = TURNS_CORES
    return len(turning) >= 2 and low <= sum(thread.run_s for thread in turning) / seconds <= high


def teams(process: ProcessSeen, cores: int) -> tuple[int, int] | None:
    """Guess the teams of OpenMP threads of a process: how many, and of how many threads with their master.

    A team belongs to a thread that calculated, so there are no more teams than Python threads, the main one included;
    the size is the same for all, unless somebody changed it meanwhile. Of what fits, take the size of the environment,
    or the number of cores; else one team for each thread besides the main one, for each thread, or one.
    """
    workers = sum(thread.maker == origins.OPENMP for thread in process.threads)
    masters = max(1, len(python_threads(process)))
    fitting = [n for n in range(1, masters + 1) if workers and workers % n == 0]
    if not fitting:
        return None
    set_size = (process.variables or {}).get("OMP_NUM_THREADS", "")
    usual = int(set_size) if set_size.isdecimal() else cores
    likely = [n for n in fitting if workers // n + 1 == usual] + [n for n in (masters - 1, masters) if n in fitting]
    n = [*likely, 1][0]
    return n, workers // n + 1
