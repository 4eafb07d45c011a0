"""The islands of a pool: which have started, which may not be read, and who owns each.

Whoever started has an epoch, whoever lived has a log at home; any other folder is no island's. An island that is closed
to our account is named with the reason, and keeps nobody from seeing the others. Whoever looks for owners tries no
lock, so as not to be in the way of whoever starts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.migration.pool import epochs
from atoll.migration.pool.bounded_io import MAX_ISLANDS, islands_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.migration.pool.locks import Locks

RUNNING, ENDED, UNKNOWN, NEVER, UNREADABLE = "running", "ended", "unknown", "never started", "unreadable"


def started(shared: SharedPaths, *, known: Collection[str] = ()) -> list[str]:
    """Return who has ever started, by name: of the folders in the pool as many as islands look at.

    Of whom that is `known`, nobody looks again as long as they are listed.
    """
    names = islands_in(shared.pool)[:MAX_ISLANDS]
    return [name for name in names if name in known or _may_have_started(shared.island(name))]


def lived(shared: SharedPaths) -> list[str]:
    """Return who has a log or a ledger in a private folder, by name; who may have one that may not be seen too."""
    try:
        names = islands_in(shared.homes)
    except PermissionError:
        names = started(shared)
    paths = map(shared.island, names)
    return [each.name for each in paths if _may_be_there(each.log) or _may_be_there(each.ledger)]


def unreadable(paths: IslandPaths) -> str:
    """Return what of an island's folders may not be read, and why; nothing if all may that tells of it."""
    folders = (f"{folder}/." for folder in (paths.outbox, paths.epochs, paths.home))  # to open that, one must enter it
    files = map(str, (paths.log, paths.ledger, paths.migration_log))
    return next(filter(None, map(_refusal, (*folders, *files))), "")


def unreadable_of(shared: SharedPaths, names: Iterable[str] = ()) -> dict[str, str]:
    """Return those of these islands, or of all, that may not be read, and why."""
    names = names or sorted({*started(shared), *lived(shared)})
    return {name: why for name in names if (why := unreadable(shared.island(name)))}


def _refusal(path: str) -> str:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC))
    except PermissionError as error:
        return f"{path.removesuffix('/.')}: {error.strerror}"
    except OSError:  # it is not there, or none of ours: whoever reads it says so
        return ""
    return ""


def _may_have_started(paths: IslandPaths) -> bool:
    try:
        return epochs.latest_number(paths) > 0
    except OSError:  # it may not be read, now: that is told where something of it is wanted
        return True


def _may_be_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # nobody may look
        return True
    return True


@dataclass(frozen=True)
class Owner:
    """The owner of an island, as files and processes tell.

    Attributes:
        state: running, ended, unknown (on another host or in another pid namespace, where nobody here can know), never
            started, or unreadable.
        epoch: Its newest start, with the host, process and time (seconds since 1970) of that; None if none can be read.
        lock_holder: Who is written in the lock's file, as host:pid; None with flock, which writes nobody's name.
    """

    island: str
    state: str
    epoch: int | None
    host: str | None
    pid: int | None
    since_s: float | None
    lock_class: str
    lock_holder: str | None


def read_owners(shared: SharedPaths, locks: Locks) -> list[Owner]:
    """Return one row per island of the pool, by name."""
    return [_owner(shared.island(name), locks) for name in islands_in(shared.pool)[:MAX_ISLANDS]]


def _owner(paths: IslandPaths, locks: Locks) -> Owner:
    epoch = epochs.latest(paths)
    holder = locks.holder(paths.owner_lock)
    written = f"{holder.host}:{holder.pid}" if holder else None
    if epoch is None:
        state = UNREADABLE if unreadable(paths) else NEVER
        return Owner(paths.name, state, None, None, None, None, locks.lock_class, written)
    state = {True: RUNNING, False: ENDED, None: UNKNOWN}[epochs.is_alive(epoch)]
    return Owner(paths.name, state, epoch.number, epoch.host, epoch.pid, epoch.started_s, locks.lock_class, written)
