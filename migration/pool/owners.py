"""Who holds which island, since when, and whether that process lives; and how a process becomes an island's owner.

Whoever looks tries no lock, so as not to be in the way of whoever starts: files and the process table tell.

An owner on another host, or in another namespace of pids, cannot be told dead from slow. So where its lock is held
still, the island is taken over only when a person says so: then the lock's file is removed, and the epoch that the new
owner takes ends the old one as soon as it looks, which it does before anything it writes.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import filelock

from atoll.evo import atomic
from atoll.evo.errors import OwnerConflictError
from atoll.migration.pool import epochs, islands, locks
from atoll.migration.pool.bounded_io import MAX_ISLANDS, islands_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from atoll.evo.paths import IslandPaths, SharedPaths

RUNNING, ENDED, UNKNOWN, NEVER, UNREADABLE = "running", "ended", "unknown", "never started", "unreadable"


@dataclass(frozen=True)
class Owner:
    """Whose an island is.

    Attributes:
        island: Its name.
        state: running, ended, unknown (on another host or in another pid namespace, where nobody here can know), never
            started, or unreadable.
        epoch: Its newest start; None if there is none that can be read.
        host: Where that runs or ran.
        pid: Its process there.
        since_s: When it started, seconds since 1970.
        lock_class: The pool's kind of lock.
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


def read_owners(shared: SharedPaths, *, lock_class: str) -> list[Owner]:
    """Return one row per island of the pool, by name.

    Raises:
        OSError: The pool cannot be listed.
    """
    return [_owner(shared.island(name), lock_class) for name in islands_in(shared.pool)[:MAX_ISLANDS]]


@contextlib.contextmanager
def owned(paths: IslandPaths, *, lock_class: str, is_taking_over: bool, say: Callable[[str], None]) -> Iterator[None]:
    """Hold an island's owner lock.

    Args:
        paths: The island's.
        lock_class: The pool's kind of lock.
        is_taking_over: Take the island from an owner on another host.
        say: Shows one line.

    Raises:
        OwnerConflictError: Another process holds it.
        StorageError: The file system refused.
    """
    lock = locks.owner_lock(paths.owner_lock, lock_class)
    with atomic.storage_errors("lock the island"):
        try:
            _acquire(lock, paths, lock_class=lock_class, is_taking_over=is_taking_over, say=say)
        except filelock.Timeout as error:  # an OSError too, so it is told apart first
            raise OwnerConflictError(_conflict(paths, lock_class)) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the end of the process, which is next, lets go of it anyway
            lock.release()


def is_beyond_knowing(paths: IslandPaths, *, lock_class: str) -> bool:
    """Say whether nobody here can tell if the holder of an island's lock lives: it is elsewhere, or has no name.

    A soft lock names its holder, unless that was killed while writing; where locks name nobody, the newest start is
    taken for it.
    """
    epoch = epochs.latest(paths)
    if lock_class == "soft":
        holder = locks.soft_holder(paths.owner_lock)
        if holder:
            return holder.host != epochs.this_place()
        return epoch is None or not epochs.is_alive(epoch)
    return epoch is not None and epochs.is_alive(epoch) is None


def _acquire(
    lock: filelock.BaseFileLock,
    paths: IslandPaths,
    *,
    lock_class: str,
    is_taking_over: bool,
    say: Callable[[str], None],
) -> None:
    try:
        lock.acquire()
    except filelock.Timeout:
        if not (is_taking_over and is_beyond_knowing(paths, lock_class=lock_class)):
            raise
        say(f"taking {paths.name} over from {_holder(paths, lock_class)}")
        atomic.remove_file(paths.owner_lock)
        lock.acquire()


def _conflict(paths: IslandPaths, lock_class: str) -> str:
    advice = "choose another name, or stop that process first"
    if is_beyond_knowing(paths, lock_class=lock_class):
        advice += "; if you know that it has ended, or will never go on, use --take-over"
    return f"island {paths.name} is already run by {_holder(paths, lock_class)}; {advice}"


def _holder(paths: IslandPaths, lock_class: str) -> str:
    epoch = epochs.latest(paths)
    if epoch is not None and epochs.is_alive(epoch) is not False:
        return epochs.describe(epoch)
    written = locks.soft_holder(paths.owner_lock) if lock_class == "soft" else None
    if written:
        return f"process {written.pid} on {epochs.shown_place(written.host)}"
    return "another process that is just starting, or archiving it"


def _owner(paths: IslandPaths, lock_class: str) -> Owner:
    epoch = epochs.latest(paths)
    holder = locks.soft_holder(paths.owner_lock) if lock_class == "soft" else None
    written = f"{holder.host}:{holder.pid}" if holder else None
    if epoch is None:
        state = UNREADABLE if islands.unreadable(paths) else NEVER
        return Owner(paths.name, state, None, None, None, None, lock_class, written)
    state = {True: RUNNING, False: ENDED, None: UNKNOWN}[epochs.is_alive(epoch)]
    return Owner(paths.name, state, epoch.number, epoch.host, epoch.pid, epoch.started_s, lock_class, written)
