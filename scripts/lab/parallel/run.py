"""One run: its driver started, watched and ended with all that came of it; what came of it becomes one row.

The processes of a run are started in a session of their own under a mark that all inherit, and are ended by it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from atoll.evo import atomic
from atoll.scripts.lab.kit import machine
from atoll.scripts.lab.parallel import plan, records
from atoll.scripts.lab.parallel.arms import arm
from atoll.scripts.lab.parallel.drive import WENT_WRONG
from atoll.scripts.lab.parallel.interference import Counters, calibrate, reject
from atoll.scripts.lab.parallel.metrics import busiest_cores
from atoll.scripts.lab.parallel.rows import FINISHED, SKIPPED, Ending, Provenance, RunRow, outcome_of
from atoll.scripts.lab.parallel.setting import SETTLED, Request
from atoll.scripts.processes import proc
from atoll.scripts.processes.monitor import Monitor, Usage
from atoll.scripts.processes.proc import MARKER, Process, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from atoll.scripts.lab.parallel.plan import Slot
    from atoll.scripts.lab.parallel.setting import Setting

LIBRARIES = ("optuna", "ray", "joblib")
TOLD = ("RAY_", "PYTHON", "KMP_", "CUDA_", "MALLOC_")
"""How names of variables begin that may change a run, besides those that a setting decides."""
UNTOLD = ("TOKEN", "PASSWORD", "SECRET")
SETUP_LIMIT_S = 120.0
"""From the driver's start to that of the first trial; the deadline counts from there."""
GRACE_S = 2.0
"""For processes that end by themselves after the driver's exit; who is there afterwards is a stray."""
LOOK_S = 0.02
REQUEST, OUTPUT = "request.json", "driver.txt"
END_LIMIT_S = 10.0


@dataclass(frozen=True)
class RunContext:
    """Context of a run: what all runs of a table have in common.

    Attributes:
        here: Where they take place; the environment is that of each run.
        note: Told the mark of each run before it starts.
    """

    session: str
    runs: Path
    calibration_steps: int
    ray_address: str | None
    here: Provenance
    is_stopping: Callable[[], bool]
    note: Callable[[str], None]


def run_once(slot: Slot, context: RunContext, *, deadline_s: float) -> RunRow:
    """Make one run and return its row.

    Args:
        slot: What to run, and its place in the table.
        context: What all runs have in common.
        deadline_s: How long it may take from the start of its first trial.

    Raises:
        StoppedError: The user asked to stop.
    """
    why_not = arm.load(slot.setting.arm).why_not(slot.setting)
    if why_not is not None:
        return _empty_row(slot, context, SKIPPED, why_not, deadline_s=deadline_s)
    mark = new_mark()
    context.note(mark)
    with atomic.storage_errors("make a run"), _scratch(mark) as scratch:
        folder = context.runs / f"{slot.block}-{slot.order}-{slot.setting.arm}-{mark[:6]}"
        environment = environment_of(slot.setting, os.environ, scratch=scratch, mark=mark)
        records.make_folders(folder)
        Request(slot.setting, str(folder.resolve()), context.ray_address).save(folder / REQUEST)
        row = _measure(slot, context, folder, environment, deadline_s=deadline_s)
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


def _measure(
    slot: Slot, context: RunContext, folder: Path, environment: Mapping[str, str], *, deadline_s: float
) -> RunRow:
    setting = slot.setting
    before_s = calibrate(context.calibration_steps)
    counters, began_s = Counters.begin(), time.monotonic()
    seen = watch(folder, environment, deadline_s=deadline_s, is_stopping=context.is_stopping)
    wall_s = time.monotonic() - began_s
    interference = counters.end(own_cpu_s=seen.usage.cpu_s, wall_s=wall_s)
    after_s = calibrate(context.calibration_steps)
    own_cores, cores = busiest_cores(seen.usage.samples), context.here.cores
    rejected = reject(
        interference, calibration_before_s=before_s, calibration_after_s=after_s, own_cores=own_cores, cores=cores
    )
    trials, starts = records.read(folder), records.read_starts(folder)
    outcome, reason = outcome_of(
        seen.ending, n_trials=setting.n_trials, workers=setting.workers, trials=trials, starts=starts
    )
    return replace(
        _empty_row(slot, context, outcome, reason, deadline_s=deadline_s),
        launched_s=seen.launched_s,
        exited_s=seen.exited_s,
        trials=trials,
        starts=starts,
        usage=seen.usage,
        interference=interference,
        calibration_before_s=before_s,
        calibration_after_s=after_s,
        rejected=None if setting.fault else rejected,  # what becomes of a fault is no question of time
        provenance=replace(context.here, environment=told(environment)),
    )


def _empty_row(slot: Slot, context: RunContext, outcome: str, reason: str | None, *, deadline_s: float) -> RunRow:
    """Return the row of a run that was not made."""
    now_s = time.monotonic()
    return RunRow(
        session=context.session,
        block=slot.block,
        order=slot.order,
        is_repeat=slot.is_repeat,
        setting=slot.setting,
        outcome=outcome,
        reason=reason,
        launched_s=now_s,
        exited_s=now_s,
        deadline_s=deadline_s,
        provenance=context.here,
    )


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


class StoppedError(Exception):
    """The user asked to stop: the run was ended and leaves no row."""


@dataclass(frozen=True)
class Watched:
    """A run, seen from outside."""

    launched_s: float
    exited_s: float
    ending: Ending
    usage: Usage


def watch(
    folder: Path, environment: Mapping[str, str], *, deadline_s: float, is_stopping: Callable[[], bool]
) -> Watched:
    """Start the driver of the request in `folder`, and return when nothing of it is left."""
    launched_s = time.monotonic()
    with (folder / OUTPUT).open("wb") as output:
        driver = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "atoll.scripts.lab.parallel.drive", str(folder / REQUEST)],
            cwd=machine.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    tree = Tree(driver.pid)
    tree.look()
    monitor = Monitor(driver.pid)
    monitor.start()
    try:
        limit_s = _wait(driver, folder, launched_s=launched_s, deadline_s=deadline_s, is_stopping=is_stopping)
        exited_s, is_over = time.monotonic(), driver.poll() is not None
        tree.look()
        living = frozenset(process.pid for process in tree.living)
        strays = wait_for_end(tree, GRACE_S) if is_over else []
        usage = monitor.stop()
    finally:
        end_all(tree)
        code = driver.wait()
    error = folder / WENT_WRONG
    said = error.read_text(encoding="utf-8", errors="replace").strip() if error.exists() else None
    ending = Ending(code if is_over else None, waited_s=limit_s, living=living, error=said)
    return Watched(launched_s, exited_s, ending, replace(usage, stray_processes=len(strays)))


def _wait(
    driver: subprocess.Popen[bytes],
    folder: Path,
    *,
    launched_s: float,
    deadline_s: float,
    is_stopping: Callable[[], bool],
) -> float:
    """Wait for the driver's exit, or the deadline; return how many seconds it had."""
    end_s, limit_s, has_begun = launched_s + SETUP_LIMIT_S, SETUP_LIMIT_S, False
    while time.monotonic() < end_s:
        if is_stopping():
            raise StoppedError
        if not has_begun and (starts := records.read_starts(folder)):
            has_begun, limit_s = True, deadline_s
            end_s = starts[0].start_s + deadline_s
        try:
            driver.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        break
    return limit_s


def new_mark() -> str:
    """Return a value for `MARKER` that nobody has had."""
    return secrets.token_hex(16)


def wait_for_end(tree: Tree, limit_s: float, *, is_killing: bool = False) -> list[Process]:
    """Wait until nobody of a tree lives, or not longer than this; return who does."""
    deadline_s = time.monotonic() + limit_s
    tree.look()
    while tree.living and time.monotonic() < deadline_s:
        if is_killing:
            _kill(tree.living)
        time.sleep(LOOK_S)
        tree.look()
    return tree.living


def end_all(tree: Tree) -> list[Process]:
    """Kill everybody of a tree, those that they start meanwhile too; return whom even that did not end."""
    return wait_for_end(tree, END_LIMIT_S, is_killing=True)


def end_marked(mark: str) -> int:
    """Kill whoever has this mark, and return how many that were: what a harness that was itself killed left behind."""
    ended: set[int] = set()
    deadline_s = time.monotonic() + END_LIMIT_S
    while (found := marked(mark)) and time.monotonic() < deadline_s:
        _kill(found)
        ended |= {process.pid for process in found}
        time.sleep(LOOK_S)
    return len(ended)


def marked(mark: str) -> list[Process]:
    """Return who lives and has this mark."""
    pids = [pid for pid in psutil.pids() if (proc.read_environment(pid) or {}).get(MARKER) == mark]
    found = [process for pid in pids if (process := proc.read_process(pid))]
    return [process for process in found if process.is_alive and process.pid != os.getpid()]


def _kill(processes: Iterable[Process]) -> None:
    for process in processes:
        now = proc.read_process(process.pid)
        if now is not None and now.started == process.started:  # a number may have been given to somebody else
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
