"""What was seen of a tree of processes, in sentences: what there is, what it did, what to change."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from atoll.evo.text import count
from atoll.scripts.doctor.diagnosis import WAITING_SHARE, Condition, diagnose, is_working, python_threads, teams
from atoll.scripts.doctor.finding import OK, WARNING, Finding
from atoll.scripts.processes import makers as origins

if TYPE_CHECKING:
    from atoll.scripts.doctor.diagnosis import Diagnosis
    from atoll.scripts.doctor.observe import Observation, ProcessSeen

LONGEST_COMMAND = 60
MOST_PROCESSES = 8
"""Told one by one, those that worked most; the others are counted."""
LIMIT = (
    "start each process with OMP_NUM_THREADS=1 (and OPENBLAS_NUM_THREADS=1, MKL_NUM_THREADS=1) in its environment, "
    "before Python starts: after the import of numpy or torch it is too late, and only torch.set_num_threads(1) helps"
)
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
    parts = [
        f"{count(process.peak_threads, 'thread')} ({_makers(process)})",
        f"{len(working)} worked, {_run_s(process) / seen.seconds:.2f} cores",
        f"{switches:,.0f} voluntary and {forced:,.0f} forced switches a second",
        _environment(process),
        _command(process),
    ]
    return Finding(f"{process.name} {process.pid}", OK, "; ".join(parts), "; ".join(_remarks(process, seen)))


def _command(process: ProcessSeen) -> str:
    program, *arguments = process.command.split() or ["no command line"]
    return " ".join([PurePath(program).name, *arguments])[:LONGEST_COMMAND]


def _makers(process: ProcessSeen) -> str:
    counts = origins.count(thread.maker for thread in process.threads)
    return ", ".join(f"{n} {maker}" for maker, n in counts.items())


def _environment(process: ProcessSeen) -> str:
    if process.variables is None:
        return "its environment is not ours to read"
    shown = ", ".join(f"{name}={value}" for name, value in process.variables.items())
    return shown or "no thread variable set at its start"


def _remarks(process: ProcessSeen, seen: Observation) -> list[str]:
    remarks = []
    found = teams(process, seen.cores)
    if found:
        n, size = found
        whose = (
            "one for each Python thread" if n == len(python_threads(process)) - 1 and n > 1 else "of whoever calculated"
        )
        remarks.append(f"OpenMP: {count(n, 'team')} of {size}, {whose} (inferred from the counts)")
    pools = [thread for thread in process.threads if thread.maker in origins.POOLS]
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
    advice = ADVICE.get(d.condition, "")
    if d.condition is Condition.SEQUENTIAL and seen.cores > 1:
        advice = SINGLE
    return Finding("verdict", WARNING if d.condition in ADVICE else OK, f"{d.condition}: {evidence}", advice)


def _waiting(diagnosis: Diagnosis) -> str:
    return f"threads waited for a processor {diagnosis.wait_share:.0%} of the time they could run"


def _names(diagnosis: Diagnosis) -> str:
    return f"process {', '.join(map(str, diagnosis.convoys))}"


def _run_s(process: ProcessSeen) -> float:
    return sum(thread.run_s for thread in process.threads)
