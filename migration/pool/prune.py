"""Prune: remove old publications. Only an island's owner does: its own process, or `pool prune` holding its owner lock.

Nothing that somebody is reading is removed: importers hold the prune lock for as long as that takes. A publication
leaves its name by one rename and is removed after; what a kill leaves of it is removed the next time.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import filelock

from atoll.evo import atomic, records
from atoll.evo.errors import ConfigError
from atoll.evo.paths import TRASH
from atoll.migration.pool import epochs, islands
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, directory, generations_in, list_names
from atoll.migration.pool.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.migration.pool.locks import Locks

FEWEST_KEPT = 3
READER_WAIT_S = 2.0


@dataclass(frozen=True)
class Pruned:
    """The outcome of pruning one island's publications: those gone now, or that would be, newest first.

    `left_alone` says why nothing was removed; it is empty if nothing stood in the way.
    """

    island: str
    removed: tuple[int, ...]
    kept: int
    left_alone: str


def remove_old(paths: IslandPaths, locks: Locks, *, keep: int, epoch: int, wait_s: float) -> list[int] | None:
    """Remove all but the newest `keep` publications of an island that the caller owns, after `wait_s` for a reader.

    Returns:
        The generations removed, newest first; None if somebody was reading all the while.
    """
    old = generations_in(paths.outbox)[keep:]
    if not old:
        return []
    with locks.pruning(paths.prune_lock, wait_s=wait_s) as is_free:
        if not is_free:
            return None
        for generation in old:
            trash = paths.trash(generation, f"{epoch}-{secrets.token_hex(4)}")
            with contextlib.suppress(FileNotFoundError):
                atomic.move(paths.publication(generation), trash)
            atomic.remove_directory(trash)
    return old


def prune(
    shared: SharedPaths, names: Sequence[str], *, keep: int, locks: Locks, is_dry_run: bool = False
) -> list[Pruned]:
    """Remove all but the newest `keep` publications of these islands, or of all; those that run are left alone.

    A dry run says what would be removed, and changes nothing.

    Raises:
        ConfigError: Too few would be kept, or there is no such island.
    """
    if keep < FEWEST_KEPT:
        raise ConfigError(f"--keep must be at least {FEWEST_KEPT}, so that slow islands find a batch; got {keep}")
    known = islands.started(shared)  # what else lies there is nobody's, and not ours to remove
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no island {name} in {shared.pool}; 'cli.py status' lists them")
    return [_prune_island(shared.island(name), locks, keep=keep, is_dry_run=is_dry_run) for name in names or known]


def _prune_island(paths: IslandPaths, locks: Locks, *, keep: int, is_dry_run: bool) -> Pruned:
    left_alone = _running(paths) or _misplaced(paths)
    if left_alone or is_dry_run:
        return _pruned(paths, [] if left_alone else generations_in(paths.outbox)[keep:], left_alone)
    try:
        with locks.owner(paths.owner_lock):
            removed = _prune_own(paths, locks, keep=keep)
    except filelock.Timeout:
        return _pruned(paths, [], "its owner lock is held: it is just starting, runs on another host or is archived")
    except OSError as error:
        return _pruned(paths, [], f"the file system refused: {error}")
    if removed is None:
        return _pruned(paths, [], f"somebody has been reading it for {READER_WAIT_S:g} s; try again")
    return _pruned(paths, removed, "")


def _prune_own(paths: IslandPaths, locks: Locks, *, keep: int) -> list[int] | None:
    for name in list_names(paths.outbox):
        if name.startswith(TRASH):
            atomic.remove_directory(paths.outbox / name)
    removed = remove_old(paths, locks, keep=keep, epoch=epochs.latest_number(paths), wait_s=READER_WAIT_S)
    if removed and paths.ledger.exists():
        atomic.truncate_torn_line(paths.ledger)
        atomic.truncate_torn_line(paths.migration_log)
        text = f"'pool prune' removed {len(removed)} of {len(removed) + keep} publications"
        Ledger(paths).note(records.Pruned(generation=removed[0], generations=tuple(removed)), text=text)
    return removed


def _running(paths: IslandPaths) -> str:
    epoch = epochs.latest(paths)
    if epoch is None or not epochs.is_alive(epoch):
        return ""
    return f"it is run by {epochs.describe(epoch)}; --keep-generations makes an island prune by itself"


def _misplaced(paths: IslandPaths) -> str:
    """Refuse a link in the place of an island's folder: what it points to is not ours to remove; and a closed one."""
    if why := islands.unreadable(paths):
        return f"it may not be read: {why}"
    try:
        with directory(paths.outbox):
            return ""
    except (RefusedError, VanishedError) as error:
        return f"its folder is none ({error})"


def _pruned(paths: IslandPaths, removed: Sequence[int], left_alone: str) -> Pruned:
    try:
        left = set(generations_in(paths.outbox)) - set(removed)
    except OSError:
        left = set()
    return Pruned(paths.name, tuple(removed), len(left), left_alone)
