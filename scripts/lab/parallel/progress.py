"""What is said while a table is made: the run that ended, and how long the rest will take."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.blocks import setting_of
from atoll.scripts.lab.parallel.outcome import most_at_once
from atoll.scripts.lab.parallel.request import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.scripts.lab.parallel.blocks import Slot
    from atoll.scripts.lab.parallel.request import Setting
    from atoll.scripts.lab.parallel.rows import RunRow

MINUTE_S = 60.0


def describe(setting: Setting) -> str:
    """Say what a setting is, leaving out what is usual."""
    threads = "default threads" if setting.threads == DEFAULT else f"{setting.threads} thread each"
    parts = [setting.arm, f"{setting.workers} at once", threads]
    if setting.limit not in {"before_import", "none"}:
        parts.append(setting.limit)
    if setting.wait_policy != DEFAULT:
        parts.append(setting.wait_policy)
    parts += [each for each in (setting.start_method, setting.sampler) if each]
    if setting.migrate_every:
        parts.append(f"migrating every {setting.migrate_every}")
    parts.append(setting.evaluator)
    return ", ".join([*parts, *([f"fault: {setting.fault}"] if setting.fault else [])])


def report(row: RunRow) -> str:
    """Say in a line how a run went."""
    done = sum(trial.error is None for trial in row.trials)
    trials = f"{done}/{row.n_trials} trials in {row.exited_s - row.launched_s:.1f} s"
    at_once = f"at most {most_at_once(row.trials)} at once"
    notes = [f"{row.stray_processes} stray processes"] if row.stray_processes else []
    notes += [each for each in (row.reason, row.rejected and f"REJECTED: {row.rejected}") if each]
    return "; ".join([f"{row.outcome}, {trials}, {at_once}", *notes])


def time_left_s(left: Sequence[Slot], rows: Sequence[RunRow], *, besides_s: float) -> float | None:
    """Estimate how long the remaining slots take: as long as the same setting took, or as all did; None at first.

    Args:
        left: What is to be run.
        rows: What was run.
        besides_s: What each run takes besides, for calibration.
    """
    took: defaultdict[Setting, list[float]] = defaultdict(list)
    for row in rows:
        if row.block > 0:
            took[setting_of(row)].append(row.exited_s - row.launched_s)
    if not took:
        return None
    usual_s = mean(seconds for each in took.values() for seconds in each)
    return sum(mean(took.get(slot.setting, [usual_s])) + besides_s for slot in left)


def duration(seconds: float | None) -> str:
    """Say a duration in words."""
    if seconds is None:
        return "time left unknown"
    if seconds < 1.5 * MINUTE_S:
        return f"about {seconds:.0f} s left"
    return f"about {seconds / MINUTE_S:.0f} min left"
