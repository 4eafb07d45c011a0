"""Archive work by renaming it: a whole run to `old/run-<id>/`, one island to `old/<island>-<epoch>/`.

Archiving a run while an island starts in it would take the ground from under that island. So the run's folder in `old/`
comes first, then every island's owner lock is taken, then things move; and a starting island takes its lock first and
then looks for that folder (`pool.check_current`). Of the two, at least one sees the other.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import filelock

from atoll.evo import atomic
from atoll.evo.errors import OwnerConflictError, PoolMismatchError
from atoll.evo.paths import parse_owner_lock
from atoll.migration.observe import status
from atoll.migration.pool import identity as pool
from atoll.migration.pool.bounded_io import list_names

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.migration.pool.locks import Locks

LETTING_GO_S = 2.0
"""How long to wait for the lock of an island that has logged its last generation, and has yet to say so and go."""


@dataclass(frozen=True)
class Run:
    """The run in a shared directory, if there is one.

    Attributes:
        run_id: The run's name; None where no island has started yet.
        target: Where the run goes, or went, when it is put away; None where there is no run.
    """

    run_id: str | None
    islands: tuple[status.IslandStatus, ...]
    target: Path | None

    @property
    def is_finished(self) -> bool:
        """Every island that ever started has reached its last generation; of one that is closed nobody knows."""
        known = [row for row in self.islands if row.epoch is not None or row.generation is not None or row.unreadable]
        return bool(known) and all(row.condition == status.FINISHED for row in known)


def look(shared: SharedPaths) -> Run:
    """Say what run lies in the shared directory."""
    identity = pool.read(shared)
    if identity is None:
        return Run(None, (), None)
    return Run(identity.run_id, tuple(status.read_all(shared)), shared.archived_run(identity.run_id))


def put_away(shared: SharedPaths, run: Run, *, force: bool = False) -> Path | None:
    """Move the run that `look` found out of the way, and return where it went, if there is one.

    A call that was cut short is completed by the next one. The pool goes last: as long as POOL.json is there, the run
    is known by its id. With `force`, islands on other hosts are believed to have ended, where soft locks cannot tell;
    it never overrides an island that is known to run.

    Raises:
        OwnerConflictError: An island runs, or may run on another host.
        PoolMismatchError: The run has gone since `look`.
        StorageError: The file system refused.
    """
    if run.target is None:
        return None
    with atomic.storage_errors("archive the run"), contextlib.ExitStack() as held:
        held.callback(_remove_if_empty, run.target)
        atomic.make_directory(run.target)
        identity = pool.read(shared)
        if identity is None or identity.run_id != run.run_id:
            raise PoolMismatchError(f"the run in {shared.root} changed while it was looked at; try again")
        running, unknown = _hold_all(shared, identity.locks, held)
        if running:
            raise OwnerConflictError(
                f"still running: {', '.join(running)}; stop them first ('cli.py stop'), then archive"
            )
        if unknown and not force:
            raise OwnerConflictError(
                f"perhaps still running on another host: {', '.join(unknown)}; stop them first, or use --force if you "
                f"know that they have ended"
            )
        _move_output(shared, run.target)
        for part in (shared.settings, shared.homes, shared.pool):
            if part.exists():
                atomic.move(part, run.target / part.name)
    return run.target


def put_island_away(
    shared: SharedPaths, paths: IslandPaths, *, epoch: int, keep_published: bool = False
) -> Path | None:
    """Move what one island has, private and unless `keep_published` published, to a folder named by its last epoch.

    Its caller owns the island.

    Returns:
        Where it is now, also when an earlier call was cut short; None if there was nothing.

    Raises:
        StorageError: The file system refused.
    """
    target = shared.archived_island(paths.name, epoch)
    with atomic.storage_errors("archive the island"):
        for source, place in ((paths.outbox, target.outbox), (paths.home, target.home)):
            if source.exists() and not (keep_published and source == paths.outbox):
                atomic.make_directory(target.folder)
                atomic.move(source, place)
    return target.folder if target.folder.exists() else None


def _move_output(shared: SharedPaths, target: Path) -> None:
    """Keep what the islands of a run have said with the run, so that the next one begins with none of it."""
    for output in sorted(shared.launch.glob("*.out")):
        place = target / shared.launch.name / output.name
        if not place.exists():  # a call that was cut short moved it, and somebody was refused since
            atomic.make_directory(place.parent)
            atomic.move(output, place)


def _hold_all(shared: SharedPaths, locks: Locks, held: contextlib.ExitStack) -> tuple[list[str], list[str]]:
    """Take the owner lock of every island, and say which ones run, and of which nobody here can know.

    A process that has its lock and no folder yet is found by the lock's file.
    """
    conditions = {row.name: row.condition for row in status.read_all(shared)}
    starting = filter(None, map(parse_owner_lock, list_names(shared.locks)))
    running, unknown = [], []
    for name in sorted({*conditions, *starting}):
        condition = conditions.get(name)
        is_held = not _hold(shared.island(name), locks, held, wait_s=LETTING_GO_S * (condition == status.FINISHED))
        if condition in status.ALIVE or (is_held and not locks.is_soft):
            running.append(name)
        elif locks.is_soft and (is_held or condition == status.ELSEWHERE):
            unknown.append(name)
    return running, unknown


def _hold(paths: IslandPaths, locks: Locks, held: contextlib.ExitStack, *, wait_s: float) -> bool:
    try:
        held.enter_context(locks.owner(paths.owner_lock).acquire(timeout=wait_s))
    except filelock.Timeout:
        return False
    return True


def _remove_if_empty(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.rmdir()
