"""A table, from its plan to its last row; stopped at any moment, it goes on from the rows that are there."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.scripts.lab.parallel import blocks, plan, processes, progress, rows, run
from atoll.scripts.lab.parallel.blocks import sequential_s
from atoll.scripts.lab.parallel.calibration import TARGET_S, choose_size
from atoll.scripts.lab.parallel.plan import Plan, TablePaths
from atoll.scripts.lab.parallel.run import Bench
from atoll.scripts.lab.parallel.watch import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.scripts.lab.parallel.blocks import Slot
    from atoll.scripts.lab.parallel.request import Setting
    from atoll.scripts.lab.parallel.rows import RunRow

ALLOWANCE_S = 20.0
"""Added to every deadline, for what a backend does besides: start anew after a death, or one process for each trial."""
WARM_UP_LIMIT_S = 86_400.0
"""For the run that says how long the others may take."""


def begin(
    paths: TablePaths,
    settings: Sequence[Setting],
    *,
    n_blocks: int,
    seed: int,
    deadline_factor: float = 3.0,
    tries: int = 4,
    calibration_s: float = TARGET_S,
    ray_address: str | None = None,
) -> Plan:
    """Write the plan of a table.

    Raises:
        ConfigError: There is a table already, or a value is not allowed.
        StorageError: The file system refused.
    """
    here = run.provenance()
    made = Plan(
        session=f"{paths.folder.name}-{secrets.token_hex(2)}",
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
    plan.save(made, paths)
    return made


def carry_on(paths: TablePaths, *, is_stopping: Callable[[], bool], say: Callable[[str], None]) -> bool:
    """Make the runs that a table lacks; return whether it is complete.

    Args:
        paths: Where it lies.
        is_stopping: Asked many times a second; yes ends the run in progress, which is made again next time.
        say: Shows a line.

    Raises:
        ConfigError: There is no table.
        OtherMachineError: It was begun elsewhere.
        StorageError: The file system refused.
    """
    planned, here = plan.load(paths), run.provenance()
    plan.check_same_machine(planned, here)
    end_leftovers(paths, say=say)
    with atomic.storage_errors("go on with the table"):
        atomic.truncate_torn_line(paths.rows)
    bench = Bench(
        session=planned.session,
        runs=paths.runs,
        calibration_steps=planned.calibration_steps,
        ray_address=planned.ray_address,
        here=here,
        is_stopping=is_stopping,
        note=lambda mark: atomic.replace_file(paths.mark, mark.encode(), durable=False),
    )
    slots = blocks.table(planned.settings, n_blocks=planned.n_blocks, seed=planned.seed)
    while left := blocks.remaining(slots, found := rows.read(paths.rows), tries=planned.tries):
        say(f"{_place(left[0], slots, left)}: {progress.describe(left[0].setting)} ...")
        try:
            row = run.run_once(left[0], bench, deadline_s=_deadline_s(left[0], found, planned.deadline_factor))
        except StoppedError:
            return False
        finally:
            atomic.remove_file(paths.mark)
        with atomic.storage_errors("write a row"):
            rows.append(paths.rows, row)
        say(f"    {progress.report(row)}; {_time_left(slots, [*found, row], planned)}")
        if is_stopping():
            return not blocks.remaining(slots, [*found, row], tries=planned.tries)
    return True


def end_leftovers(paths: TablePaths, *, say: Callable[[str], None]) -> None:
    """End what a harness that was itself killed left running: whoever has the mark that it noted."""
    if not paths.mark.exists():
        return
    mark = paths.mark.read_text()
    n = processes.end_marked(mark)
    atomic.remove_directory(run.scratch_of(mark))
    if n:
        say(f"ended {n} processes that an earlier call had left behind")
    atomic.remove_file(paths.mark)


def _deadline_s(slot: Slot, found: Sequence[RunRow], factor: float) -> float:
    sequential = None if slot.block == rows.WARM_UP else sequential_s(slot.setting, found)
    return WARM_UP_LIMIT_S if sequential is None else factor * sequential + ALLOWANCE_S


def _place(slot: Slot, slots: Sequence[Slot], left: Sequence[Slot]) -> str:
    number = f"run {len(slots) - len(left) + 1} of {len(slots)}"
    return f"{number}, warm-up" if slot.block == rows.WARM_UP else f"{number}, block {slot.block}"


def _time_left(slots: Sequence[Slot], found: Sequence[RunRow], planned: Plan) -> str:
    left = blocks.remaining(slots, found, tries=planned.tries)
    besides_s = 2 * max((row.calibration_after_s for row in found), default=0.0)
    return progress.duration(progress.time_left_s(left, found, besides_s=besides_s)) if left else "done"
