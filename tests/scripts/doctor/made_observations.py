"""What the doctor might have seen, made up: for tests of what it concludes."""

from __future__ import annotations

from typing import Any

from atoll.scripts.doctor.observe import Observation, ProcessSeen, ThreadSeen

SECONDS = 10.0


def thread(maker: str | None, cores: float, **changes: Any) -> ThreadSeen:
    """Return a thread that used so many cores over ten seconds, and hardly ever slept or waited meanwhile."""
    facts = {
        "tid": 1,
        "name": "python",
        "run_s": cores * SECONDS,
        "wait_s": 0.0,
        "voluntary": 3,
        "involuntary": 3,
        "runnable_share": cores,
    }
    return ThreadSeen(maker=maker, **{**facts, **changes})


def process(*threads: ThreadSeen, pid: int = 7, variables: dict[str, str] | None = None) -> ProcessSeen:
    """Return a process that runs Python with PyTorch."""
    return ProcessSeen(pid, "python", "python run.py", threads, len(threads), ("Python", "OpenMP"), variables or {})


def observation(*processes: ProcessSeen, cores: int = 2) -> Observation:
    """Return these processes, seen on so many cores."""
    threads = [each for process in processes for each in process.threads]
    cpu_s, runnable = sum(each.run_s for each in threads), sum(each.runnable_share for each in threads)
    return Observation(SECONDS, 100, cores, cpu_s, runnable, has_ended=False, processes=processes)
