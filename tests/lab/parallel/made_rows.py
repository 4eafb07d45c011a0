"""Rows as the harness writes them, made up: for tests of what is said of rows."""

from __future__ import annotations

from typing import Any

from atoll.scripts.lab.parallel.rows import FINISHED, RUN, Provenance, RunRow, TrialRecord

PROVENANCE = Provenance(
    *("here", "boot", "cpu", 2, "kernel", "3.11", "2", "2", None, None, None, "commit"), dirty=False, environment={}
)


def trial(index: int, start_s: float, end_s: float, **changes: Any) -> TrialRecord:
    """Return a trial that worked all the time."""
    facts = {
        "cpu_s": end_s - start_s,
        "pid": 7,
        "tid": 7,
        "torch_threads": 1,
        "fitness": (1.0,),
        "evaluations": 10,
        "result_hash": f"hash {index}",
        "error": None,
    }
    return TrialRecord(index=index, start_s=start_s, end_s=end_s, **{**facts, **changes})


def run_row(trials: tuple[TrialRecord, ...], **changes: Any) -> RunRow:
    """Return a run of these trials, launched at 0 s."""
    last_s = max((each.end_s for each in trials), default=1.0)
    facts: dict[str, Any] = {
        "what": RUN,
        "session": "s",
        "block": 1,
        "order": 0,
        "arm": "pool",
        "tier": "tiny",
        "evaluator": "reference",
        "workers": 2,
        "threads": "1",
        "limit": "before_import",
        "wait_policy": "default",
        "start_method": "spawn",
        "migrate_every": 0,
        "sampler": None,
        "is_repeat": False,
        "fault": None,
        "n_trials": len(trials),
        "seed": 1,
        "outcome": FINISHED,
        "reason": None,
        "launched_s": 0.0,
        "exited_s": last_s,
        "deadline_s": 100.0,
        "trials": trials,
        "starts": (),
        "cpu_s": 0.0,
        "peak_threads": 2,
        "peak_threads_of_one": 1,
        "peak_processes": 2,
        "working_processes": 2,
        "peak_pss_bytes": 0,
        "peak_uss_bytes": 0,
        "run_s": 0.0,
        "wait_s": 0.0,
        "voluntary_switches": 0,
        "involuntary_switches": 0,
        "stray_processes": 0,
        "samples": (),
        "foreign_cores": None,
        "steal_share": None,
        "psi_share": None,
        "calibration_before_s": 1.0,
        "calibration_after_s": 1.0,
        "rejected": None,
        "provenance": PROVENANCE,
    }
    return RunRow(**{**facts, **changes})


def steady(cores: float, end_s: float, *, n: int = 10) -> tuple[tuple[float, ...], ...]:
    """Return samples of a run that used so many cores from 0 s to `end_s`."""
    return tuple((end_s * i / n, 3.0, 2.0, cores if i else 0.0, 1e6) for i in range(n + 1))
