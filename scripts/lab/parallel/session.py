"""A table, from its plan to its last row; stopped at any moment, it goes on from the rows that are there."""

from __future__ import annotations

import secrets
from collections import defaultdict
from statistics import mean
from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.scripts.lab.parallel import plan, rows, run
from atoll.scripts.lab.parallel.interference import TARGET_S, choose_size
from atoll.scripts.lab.parallel.plan import MARK, ROWS, RUNS, Plan, sequential_s
from atoll.scripts.lab.parallel.rows import most_at_once
from atoll.scripts.lab.parallel.run import RunContext, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from atoll.scripts.lab.parallel.plan import Slot
    from atoll.scripts.lab.parallel.rows import RunRow
    from atoll.scripts.lab.parallel.setting import Setting

ALLOWANCE_S = 20.0
"""Added to every deadline, for what a backend does besides: start anew after a death, or one process for each trial."""
WARM_UP_LIMIT_S = 86_400.0
"""For the run that says how long the others may take."""
MINUTE_S = 60.0


def begin(
    folder: Path,
    settings: Sequence[Setting],
    *,
    n_blocks: int,
    seed: int,
    deadline_factor: float = 3.0,
    tries: int = 4,
    calibration_s: float = TARGET_S,
    ray_address: str | None = None,
) -> Plan:
    """Write the plan of a table."""
    here = run.provenance()
    made = Plan(
        session=f"{folder.name}-{secrets.token_hex(2)}",
        settings=tuple(settings),
        n_blocks=n_blocks,
        seed=seed,
        host=here.host,
        boot_id=here.boot_id,
        calibration_steps=choose_size(calibration_s),
        deadline_factor=deadline_factor,
        tries=tries,
        ray_address=ray_address,
    )
    plan.save(made, folder)
    return made


def carry_on(folder: Path, *, is_stopping: Callable[[], bool], say: Callable[[str], None]) -> bool:
    """Make the runs that a table lacks; return whether it is complete: a run that is stopped is made again next time.

    Raises:
        OtherMachineError: It was begun elsewhere.
    """
    planned, here = plan.load(folder), run.provenance()
    plan.check_same_machine(planned, here)
    end_leftovers(folder / MARK, say=say)
    with atomic.storage_errors("go on with the table"):
        atomic.truncate_torn_line(folder / ROWS)
    context = RunContext(
        session=planned.session,
        runs=folder / RUNS,
        calibration_steps=planned.calibration_steps,
        ray_address=planned.ray_address,
        here=here,
        is_stopping=is_stopping,
        note=lambda mark: atomic.replace_file(folder / MARK, mark.encode(), durable=False),
    )
    slots = plan.slots_of(planned.settings, n_blocks=planned.n_blocks, seed=planned.seed)
    while left := plan.remaining(slots, found := rows.read(folder / ROWS), tries=planned.tries):
        say(f"{_place(left[0], slots, left)}: {describe(left[0].setting)} ...")
        try:
            row = run.run_once(left[0], context, deadline_s=_deadline_s(left[0], found, planned.deadline_factor))
        except StoppedError:
            return False
        finally:
            atomic.remove_file(folder / MARK)
        with atomic.storage_errors("write a row"):
            rows.append(folder / ROWS, row)
        say(f"    {report(row)}; {_time_left(slots, [*found, row], planned)}")
        if is_stopping():
            return not plan.remaining(slots, [*found, row], tries=planned.tries)
    return True


def end_leftovers(place: Path, *, say: Callable[[str], None]) -> None:
    """End what a harness that was itself killed left running: whoever has the mark that it noted."""
    if not place.exists():
        return
    mark = place.read_text()
    n = run.end_marked(mark)
    atomic.remove_directory(run.scratch_of(mark))
    if n:
        say(f"ended {n} processes that an earlier call had left behind")
    atomic.remove_file(place)


def _deadline_s(slot: Slot, found: Sequence[RunRow], factor: float) -> float:
    sequential = None if slot.block == rows.WARM_UP else sequential_s(slot.setting, found)
    return WARM_UP_LIMIT_S if sequential is None else factor * sequential + ALLOWANCE_S


def _place(slot: Slot, slots: Sequence[Slot], left: Sequence[Slot]) -> str:
    number = f"run {len(slots) - len(left) + 1} of {len(slots)}"
    return f"{number}, warm-up" if slot.block == rows.WARM_UP else f"{number}, block {slot.block}"


def _time_left(slots: Sequence[Slot], found: Sequence[RunRow], planned: Plan) -> str:
    left = plan.remaining(slots, found, tries=planned.tries)
    besides_s = 2 * max((row.calibration_after_s for row in found), default=0.0)
    return duration(time_left_s(left, found, besides_s=besides_s)) if left else "done"


def describe(setting: Setting) -> str:
    """Say what a setting is, leaving out what is usual."""
    fault = f", fault: {setting.fault}" if setting.fault else ""
    return f"{setting.label}, {setting.workers} at once, {setting.evaluator}{fault}"


def report(row: RunRow) -> str:
    """Say in a line how a run went."""
    done = sum(trial.error is None for trial in row.trials)
    trials = f"{done}/{row.setting.n_trials} trials in {row.exited_s - row.launched_s:.1f} s"
    at_once = f"at most {most_at_once(row.trials)} at once"
    notes = [f"{row.usage.stray_processes} stray processes"] if row.usage.stray_processes else []
    notes += [each for each in (row.reason, row.rejected and f"REJECTED: {row.rejected}") if each]
    return "; ".join([f"{row.outcome}, {trials}, {at_once}", *notes])


def time_left_s(left: Sequence[Slot], rows: Sequence[RunRow], *, besides_s: float) -> float | None:
    """Estimate how long the remaining slots take: as long as the same setting took, or as all did; None at first."""
    took: defaultdict[Setting, list[float]] = defaultdict(list)
    for row in rows:
        if row.block > 0:
            took[row.setting].append(row.exited_s - row.launched_s)
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
