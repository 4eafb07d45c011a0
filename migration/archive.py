"""Put a whole run away: pool and private folders together move to `old/run-<id>/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evo import atomic
from evo.errors import OwnerConflictError
from migration import pool, status

if TYPE_CHECKING:
    from pathlib import Path

    from evo.paths import SharedPaths


@dataclass(frozen=True)
class Run:
    """What lies in a shared directory.

    Attributes:
        run_id: The run's name; None where no island has started yet.
        islands: Its islands.
        target: Where the run goes, or went, when it is put away; None where there is no run.
    """

    run_id: str | None
    islands: tuple[status.IslandStatus, ...]
    target: Path | None

    @property
    def is_finished(self) -> bool:
        """Every island has reached its last generation."""
        return bool(self.islands) and all(row.condition == status.FINISHED for row in self.islands)


def look(shared: SharedPaths) -> Run:
    """Say what run lies in the shared directory.

    Raises:
        PoolMismatchError: POOL.json is damaged.
    """
    identity = pool.read(shared)
    if identity is None:
        return Run(None, (), None)
    return Run(identity.run_id, tuple(status.read_all(shared)), shared.archive / f"run-{identity.run_id[:12]}")


def put_away(shared: SharedPaths, run: Run) -> Path | None:
    """Move a run out of the way; a call that was cut short is completed by the next one.

    The pool goes last: as long as POOL.json is there, the run is known by its id.

    Raises:
        OwnerConflictError: An island still runs, or may run on another host.
        StorageError: The file system refused.
    """
    if run.target is None:
        return None
    busy = [row.name for row in run.islands if row.condition not in status.ENDED]
    if busy:
        raise OwnerConflictError(f"still running: {', '.join(busy)}; stop them first ('make stop'), then archive")
    with atomic.storage_errors("archive the run"):
        atomic.make_directory(run.target)
        for part in (shared.settings, shared.homes, shared.pool):
            if part.exists():
                atomic.move(part, run.target / part.name)
    return run.target
