"""Diagnosis of a tree of processes: what it was doing, in one word, by thresholds on what was seen of its threads.

Findings say it in sentences: what there is, what it did, what to change.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING

from atoll.evo.errors import count
from atoll.scripts.processes import makers

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
OK, WARNING = "ok", "warning"
LONGEST_COMMAND = 60
MOST_PROCESSES = 8
"""Told one by one, those that worked most; the others are counted."""
LIMIT = (
    "start each process with OMP_NUM_THREADS=1 (and OPENBLAS_NUM_THREADS=1, MKL_NUM_THREADS=1) in its environment, "
    "before Python starts: after the import of numpy or torch it is too late, and only torch.set_num_threads(1) helps"
)


class Condition(StrEnum):
    """Condition of a tree of processes; see `diagnose`."""

    ASLEEP = "asleep"
    OVERSUBSCRIBED = "oversubscribed"
    CROWDED_OUT = "crowded out"
    CONVOYED = "convoyed"
    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"
    PARTLY_PARALLEL = "partly parallel"


ADVICE = {
    Condition.OVERSUBSCRIBED: f"fewer runnable threads than cores: {LIMIT}; and run at most one process per core",
    Condition.CROWDED_OUT: "other programs use the processors; look with 'top', and wait or use fewer workers",
    Condition.CONVOYED: (
        "Python threads share one interpreter lock: use processes with one thread each (islands, or "
        "ProcessPoolExecutor with spawn), not more threads"
    ),
    Condition.PARTLY_PARALLEL: "look at what the threads that sleep wait for: a lock, a barrier, the disk or a queue",
}
SINGLE = (
    "one thread works: to use the other cores, run several such processes (islands, ProcessPoolExecutor with spawn)"
)


@dataclass(frozen=True)
class Finding:
    """Something that was looked at: ok or a warning, what was seen, and what to do; no advice if nothing is."""

    topic: str
    verdict: str
    evidence: str
    advice: str = ""

    def lines(self) -> list[str]:
        """Return it as text for people."""
        text = [f"{self.verdict:<8}{self.topic}: {self.evidence}"]
        return [*text, f"{'':<8}-> {self.advice}"] if self.advice else text


@dataclass(frozen=True)
class Diagnosis:
    """Diagnosis of a tree of processes, with the figures it rests on.

    Attributes:
        working_processes: How many processes had a thread that worked.
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
    has_python = process.libraries is not None and makers.PYTHON in process.libraries
    known = {makers.PYTHON, makers.MAIN} if has_python else {makers.PYTHON}
    return [thread for thread in process.threads if thread.maker in known]


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
    workers = sum(thread.maker == makers.OPENMP for thread in process.threads)
    masters = max(1, len(python_threads(process)))
    fitting = [n for n in range(1, masters + 1) if workers and workers % n == 0]
    if not fitting:
        return None
    set_size = (process.variables or {}).get("OMP_NUM_THREADS", "")
    usual = int(set_size) if set_size.isdecimal() else cores
    likely = [n for n in fitting if workers // n + 1 == usual] + [n for n in (masters - 1, masters) if n in fitting]
    n = [*likely, 1][0]
    return n, workers // n + 1


def explain(seen: Observation) -> list[Finding]:
    """Return the findings, the verdict last."""
    diagnosis = diagnose(seen)
    order = sorted(seen.processes, key=lambda process: -_run_s(process))
    told, rest = order[:MOST_PROCESSES], order[MOST_PROCESSES:]
    findings = [_whole(seen), *(_process(process, seen) for process in told)]
    if rest:
        threads = sum(process.peak_threads for process in rest)
        evidence = f"{len(rest)} with {threads} threads, {sum(map(_run_s, rest)) / seen.seconds:.2f} cores in use"
        findings.append(Finding("other processes", OK, evidence))
    return [*findings, _verdict(diagnosis, seen)]


def _whole(seen: Observation) -> Finding:
    threads = sum(process.peak_threads for process in seen.processes)
    end = "; it has ended meanwhile" if seen.has_ended else ""
    return Finding(
        "seen",
        OK,
        f"{count(len(seen.processes), 'process')}, {count(threads, 'thread')}, "
        f"in {seen.looks} looks over {seen.seconds:.1f} s: "
        f"{seen.cpu_s / seen.seconds:.2f} of {seen.cores} cores in use, {seen.runnable:.1f} threads runnable{end}",
    )


def _process(process: ProcessSeen, seen: Observation) -> Finding:
    working = [thread for thread in process.threads if is_working(thread, seen.seconds)]
    switches = sum(thread.voluntary for thread in process.threads) / seen.seconds
    forced = sum(thread.involuntary for thread in process.threads) / seen.seconds
    counts = makers.count(thread.maker for thread in process.threads)
    program, *arguments = process.command.split() or ["no command line"]
    parts = [
        f"{count(process.peak_threads, 'thread')} ({', '.join(f'{n} {maker}' for maker, n in counts.items())})",
        f"{len(working)} worked, {_run_s(process) / seen.seconds:.2f} cores",
        f"{switches:,.0f} voluntary and {forced:,.0f} forced switches a second",
        _environment(process),
        " ".join([PurePath(program).name, *arguments])[:LONGEST_COMMAND],
    ]
    return Finding(f"{process.name} {process.pid}", OK, "; ".join(parts), "; ".join(_remarks(process, seen)))


def _environment(process: ProcessSeen) -> str:
    if process.variables is None:
        return "its environment is not ours to read"
    shown = ", ".join(f"{name}={value}" for name, value in process.variables.items())
    return shown or "no thread variable set at its start"


def _remarks(process: ProcessSeen, seen: Observation) -> list[str]:
    remarks = []
    if found := teams(process, seen.cores):
        n, size = found
        is_one_each = n == len(python_threads(process)) - 1 and n > 1
        whose = "one for each Python thread" if is_one_each else "of whoever calculated"
        remarks.append(f"OpenMP: {count(n, 'team')} of {size}, {whose} (inferred from the counts)")
    pools = [thread for thread in process.threads if thread.maker in makers.POOLS]
    active = [thread for thread in pools if is_working(thread, seen.seconds)]
    if active:
        cores = sum(thread.run_s for thread in active) / seen.seconds
        remarks.append(
            f"{count(len(active), 'pool thread')} used {cores:.2f} cores; from outside, work looks like spinning"
        )
    elif pools:
        remarks.append("its pool threads sleep, which costs nothing")
    unseen = [thread for thread in process.threads if thread.maker is None]
    if unseen and process.libraries is not None:
        loaded = ", ".join(process.libraries) or "no known library"
        remarks.append(f"who made {len(unseen)} threads could not be seen; loaded: {loaded}")
    return remarks


def _verdict(diagnosis: Diagnosis, seen: Observation) -> Finding:
    d = diagnosis
    evidence = {
        Condition.ASLEEP: "next to nothing ran",
        Condition.OVERSUBSCRIBED: f"{seen.runnable:.1f} runnable threads on {seen.cores} cores, {_waiting(d)}",
        Condition.CROWDED_OUT: f"{_waiting(d)}, with {seen.runnable:.1f} runnable of its own on {seen.cores} cores",
        Condition.CONVOYED: f"the Python threads of {_names(d)} take turns, about one running at a time",
        Condition.SEQUENTIAL: f"{count(d.working_threads, 'thread')} worked",
        Condition.PARALLEL: f"{d.working_threads} threads in {d.working_processes} processes worked side by side",
        Condition.PARTLY_PARALLEL: f"{d.working_threads} threads worked, {seen.cpu_s / seen.seconds:.2f} cores in use",
    }[d.condition]
    if d.convoys and d.condition is not Condition.CONVOYED:
        evidence += f"; also, the Python threads of {_names(d)} take turns"
    if d.condition is Condition.CONVOYED and d.wait_share > WAITING_SHARE:
        evidence += f"; also, {_waiting(d)}"
    is_alone = d.condition is Condition.SEQUENTIAL and seen.cores > 1
    advice = SINGLE if is_alone else ADVICE.get(d.condition, "")
    return Finding("verdict", WARNING if d.condition in ADVICE else OK, f"{d.condition}: {evidence}", advice)


def _waiting(diagnosis: Diagnosis) -> str:
    return f"threads waited for a processor {diagnosis.wait_share:.0%} of the time they could run"


def _names(diagnosis: Diagnosis) -> str:
    return f"process {', '.join(map(str, diagnosis.convoys))}"


def _run_s(process: ProcessSeen) -> float:
    return sum(thread.run_s for thread in process.threads)
