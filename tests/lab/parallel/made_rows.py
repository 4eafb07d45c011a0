"""Rows as the harness writes them, made up: for tests of what is said of rows."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from atoll.scripts.lab.parallel.interference import Interference
from atoll.scripts.lab.parallel.records import TrialRecord
from atoll.scripts.lab.parallel.rows import FINISHED, PARTS, Provenance, RunRow
from atoll.scripts.lab.parallel.setting import Setting
from atoll.scripts.processes.monitor import Usage

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
    """Return a run of these trials, launched at 0 s; changes have the names of files, where its parts lie flat."""
    row = RunRow(
        session="s",
        block=1,
        order=0,
        is_repeat=False,
        setting=Setting("pool", "tiny", workers=2, start_method="spawn", n_trials=max(1, len(trials))),
        outcome=FINISHED,
        reason=None,
        launched_s=0.0,
        exited_s=max((each.end_s for each in trials), default=1.0),
        deadline_s=100.0,
        trials=trials,
        starts=(),
        usage=Usage(peak_threads=2, peak_threads_of_one=1, peak_processes=2, working_processes=2),
        interference=Interference(),
        calibration_before_s=1.0,
        calibration_after_s=1.0,
        rejected=None,
        provenance=PROVENANCE,
    )
    return changed(row, **changes)


def changed(row: RunRow, **changes: Any) -> RunRow:
    """Return a row with some fields changed, also those of its parts."""
    for part, kind in PARTS.items():
        own = {field.name: changes.pop(field.name) for field in fields(kind) if field.name in changes}
        row = replace(row, **{part: replace(getattr(row, part), **own)})
    return replace(row, **changes)


def steady(cores: float, end_s: float, *, n: int = 10) -> tuple[tuple[float, ...], ...]:
    """Return samples of a run that used so many cores from 0 s to `end_s`."""
    return tuple((end_s * i / n, 3.0, 2.0, cores if i else 0.0, 1e6) for i in range(n + 1))
