"""Which islands there are, and which may not be read: whoever started has an epoch, whoever lived has a log at home.

Any other folder, whatever its name, is no island's. What belongs to another account may be closed to ours: such an
island is named with the reason by whoever tells of islands, and keeps nobody from seeing the others.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from atoll.migration.pool import epochs
from atoll.migration.pool.bounded_io import MAX_ISLANDS, islands_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from atoll.evo.paths import IslandPaths, SharedPaths


def started(shared: SharedPaths, *, known: Collection[str] = ()) -> list[str]:
    """Return who has ever started, by name: of the folders in the pool as many as islands look at.

    Args:
        shared: The archipelago's files.
        known: Of whom that is known; as long as they are listed, nobody looks again.

    Raises:
        OSError: The pool cannot be listed.
    """
    names = islands_in(shared.pool)[:MAX_ISLANDS]
    return [name for name in names if name in known or _may_have_started(shared.island(name))]


def lived(shared: SharedPaths) -> list[str]:
    """Return who has a log or a ledger in a private folder, by name; who may have one that may not be seen too.

    Raises:
        OSError: The private folders cannot be listed, though they may be.
    """
    try:
        names = islands_in(shared.homes)
    except PermissionError:
        names = started(shared)
    return [name for name in names if _may_have_lived(shared.island(name))]


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
        return epochs.has_started(paths)
    except OSError:  # it may not be read, now: that is told where something of it is wanted
        return True


def _may_have_lived(paths: IslandPaths) -> bool:
    return _may_be_there(paths.log) or _may_be_there(paths.ledger)


def _may_be_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
