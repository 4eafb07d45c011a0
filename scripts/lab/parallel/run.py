"""One run: prepared, watched and weighed; what came of it becomes one row."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic
from atoll.scripts.lab.kit import machine
from atoll.scripts.lab.parallel import plan, processes, records
from atoll.scripts.lab.parallel.arms import arm
from atoll.scripts.lab.parallel.calibration import calibrate
from atoll.scripts.lab.parallel.metrics import busiest_cores
from atoll.scripts.lab.parallel.outcome import judge
from atoll.scripts.lab.parallel.request import SETTLED, Request
from atoll.scripts.lab.parallel.rows import FINISHED, RUN, SKIPPED, Provenance, RunRow
from atoll.scripts.lab.parallel.watch import REQUEST, watch
from atoll.scripts.lab.parallel.witnesses import Witness, reject
from atoll.scripts.processes.monitor import Usage
from atoll.scripts.processes.tree import MARKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from atoll.scripts.lab.parallel.blocks import Slot
    from atoll.scripts.lab.parallel.request import Setting

LIBRARIES = ("optuna", "ray", "joblib")
TOLD = ("RAY_", "PYTHON", "KMP_", "CUDA_", "MALLOC_")
"""How names of variables begin that may change a run, besides those that a setting decides."""
UNTOLD = ("TOKEN", "PASSWORD", "SECRET")
UNUSED = Usage(0.0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0, 0, 0, ())


@dataclass(frozen=True)
class Bench:
    """What all runs of a table have in common.

    Attributes:
        session: Names the table.
        runs: Where runs leave files.
        calibration_steps: Size of the calibration kernel.
        ray_address: See `Request`.
        here: Where they take place; the environment is that of each run.
        is_stopping: Asked many times a second.
        note: Told the mark of each run before it starts.
    """

    session: str
    runs: Path
    calibration_steps: int
    ray_address: str | None
    here: Provenance
    is_stopping: Callable[[], bool]
    note: Callable[[str], None]


def run_once(slot: Slot, bench: Bench, *, deadline_s: float) -> RunRow:
    """Make one run and return its row.

    Args:
        slot: What to run, and its place in the table.
        bench: What all runs have in common.
        deadline_s: How long it may take from the start of its first trial.

    Raises:
        StoppedError: The user asked to stop.
        StorageError: The file system refused.
    """
    why_not = arm.load(slot.setting.arm).why_not(slot.setting)
    if why_not is not None:
        return skipped(slot, bench, why_not, deadline_s=deadline_s)
    mark = processes.new_mark()
    bench.note(mark)
    with atomic.storage_errors("make a run"), _scratch(mark) as scratch:
        folder = bench.runs / f"{slot.block}-{slot.order}-{slot.setting.arm}-{mark[:6]}"
        environment = environment_of(slot.setting, os.environ, scratch=scratch, mark=mark)
        records.make_folders(folder)
        Request(slot.setting, str(folder.resolve()), bench.ray_address).save(folder / REQUEST)
        row = _measure(slot, bench, folder, environment, deadline_s=deadline_s)
        if row.outcome == FINISHED:
            atomic.remove_directory(folder)
    return row


def scratch_of(mark: str) -> Path:
    """Return where the temporary files of a run lie; a short path, since Ray puts sockets there."""
    return Path(tempfile.gettempdir()) / f"atoll-{mark[:8]}"


@contextlib.contextmanager
def _scratch(mark: str) -> Iterator[str]:
    place = scratch_of(mark)
    place.mkdir(mode=0o700)
    try:
        yield str(place)
    finally:
        atomic.remove_directory(place)


def _measure(slot: Slot, bench: Bench, folder: Path, environment: Mapping[str, str], *, deadline_s: float) -> RunRow:
    before_s = calibrate(bench.calibration_steps)
    witness, began_s = Witness.begin(), time.monotonic()
    seen = watch(folder, environment, deadline_s=deadline_s, is_stopping=bench.is_stopping)
    wall_s = time.monotonic() - began_s
    witnessed = witness.end(own_cpu_s=seen.usage.cpu_s, wall_s=wall_s)
    after_s = calibrate(bench.calibration_steps)
    own_cores, cores = busiest_cores(seen.usage.samples), bench.here.cores
    rejected = reject(
        witnessed, calibration_before_s=before_s, calibration_after_s=after_s, own_cores=own_cores, cores=cores
    )
    trials, starts = records.read(folder), records.read_starts(folder)
    setting = slot.setting
    outcome, reason = judge(
        seen.ending, n_trials=setting.n_trials, workers=setting.workers, trials=trials, starts=starts
    )
    return _row(
        slot,
        bench,
        outcome=outcome,
        reason=reason,
        launched_s=seen.launched_s,
        exited_s=seen.exited_s,
        deadline_s=deadline_s,
        trials=trials,
        starts=starts,
        **asdict(seen.usage) | {"stray_processes": seen.stray_processes},
        **asdict(witnessed),
        calibration_before_s=before_s,
        calibration_after_s=after_s,
        rejected=None if slot.setting.fault else rejected,  # what becomes of a fault is no question of time
        provenance=replace(bench.here, environment=told(environment)),
    )


def skipped(slot: Slot, bench: Bench, why_not: str, *, deadline_s: float) -> RunRow:
    """Return the row of a run that was not made."""
    now_s = time.monotonic()
    return _row(
        slot,
        bench,
        outcome=SKIPPED,
        reason=why_not,
        launched_s=now_s,
        exited_s=now_s,
        deadline_s=deadline_s,
        trials=(),
        starts=(),
        **asdict(UNUSED),
        foreign_cores=None,
        steal_share=None,
        psi_share=None,
        calibration_before_s=0.0,
        calibration_after_s=0.0,
        rejected=None,
        provenance=bench.here,
    )


def _row(slot: Slot, bench: Bench, **seen: Any) -> RunRow:  # noqa: ANN401 - the fields of a row, each of its type
    place: dict[str, Any] = {"block": slot.block, "order": slot.order, "is_repeat": slot.is_repeat}
    return RunRow(what=RUN, session=bench.session, **place, **asdict(slot.setting), **seen)


def environment_of(setting: Setting, inherited: Mapping[str, str], *, scratch: str, mark: str) -> dict[str, str]:
    """Return the environment of a driver: what the setting decides, a place for its temporary files, and the mark."""
    return {**setting.environment(inherited), "TMPDIR": scratch, "RAY_USAGE_STATS_ENABLED": "0", MARKER: mark}


def told(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that may change a run; secrets are left out."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if (name in SETTLED or name.startswith(TOLD)) and not any(word in name for word in UNTOLD)
    }


def provenance() -> Provenance:
    """Return where this process runs."""
    described: dict[str, Any] = machine.describe()
    versions: dict[str, Any] = {name: _version(name) for name in LIBRARIES}
    return Provenance(**described, **versions, boot_id=plan.boot_id(), environment={})


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
