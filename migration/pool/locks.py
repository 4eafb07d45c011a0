"""File locks: one owner per island, pruning against importing; and a probe of what the mount can do.

A lock here saves waste and explains itself to a second process. Nothing is wrong without it: epochs fence a second
owner, hashes find a half-pruned batch.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import filelock

from atoll.evo import atomic
from atoll.evo.paths import TEMPORARY
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, directory, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

IMPORT_WAIT_S = 0.1
IMPORT_POLL_S = 0.001
PRUNE_POLL_S = 0.01
MAX_MARKER_BYTES = 1024

_CONTENDER = """
import fcntl, sys
with open(sys.argv[1], "r+") as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(3)
"""


@dataclass(frozen=True)
class MountSupport:
    """The operations that a directory's file system supports, as found by trying.

    Attributes:
        flock_excludes: A second process is refused a lock that the first one holds.
        hard_links: A hard link is made, and refused where a name exists.
        rename_refuses: Renaming a directory onto a non-empty one fails.
    """

    flock_excludes: bool
    hard_links: bool
    directory_fsync: bool
    rename_refuses: bool

    @property
    def lock_class(self) -> str:
        """Kind of lock that all islands of the pool must use."""
        return "flock" if self.flock_excludes else "soft"


class SoftHolder(NamedTuple):
    """The holder of a soft lock, as its file says."""

    host: str
    pid: int


@dataclass(frozen=True)
class Locks:
    """The locks of a pool, of the kind that POOL.json names: flock, or soft where that excludes nobody."""

    lock_class: str

    @property
    def is_soft(self) -> bool:
        """Say whether a lock is a file that names its holder, which a kill leaves behind."""
        return self.lock_class == "soft"

    def owner(self, path: Path) -> filelock.BaseFileLock:
        """Return the lock that an island's process holds for its whole life."""
        return filelock.SoftFileLock(path, timeout=0) if self.is_soft else _flock(path, wait_s=0)

    def holder(self, path: Path) -> SoftHolder | None:
        """Return who is written in a lock's file; None if nobody is, as with flock, which writes no names."""
        if not self.is_soft:
            return None
        try:
            with directory(path.parent) as descriptor:
                text = read_file(descriptor, path.name, limit=MAX_MARKER_BYTES).decode()
            pid, host, *_ = text.split("\n")
            return SoftHolder(host, int(pid)) if host.isprintable() else None
        except (RefusedError, VanishedError, ValueError):
            return None

    def pruning_paused(self, path: Path) -> AbstractContextManager[bool]:
        """Ask a peer not to prune while we read from it; after 100 ms go on without, since hashes guard us anyway."""
        if self.is_soft:
            return contextlib.nullcontext(enter_result=True)
        return _held(_flock(path, wait_s=IMPORT_WAIT_S, poll_s=IMPORT_POLL_S), OSError)

    def pruning(self, path: Path, *, wait_s: float = 0.0) -> AbstractContextManager[bool]:
        """Hold off importers while we prune; False if one reads for all of `wait_s`, and the round is to be skipped."""
        if self.is_soft:
            return contextlib.nullcontext(enter_result=True)
        return _held(_flock(path, wait_s=wait_s), filelock.Timeout)


def probe(parent: Path) -> MountSupport:
    """Try out what the file system below `parent` does, in a directory of its own that is removed again."""
    # Its files are written directly: the question is what the file system does, not what `atomic` makes of it.
    place = parent / f"{TEMPORARY}probe-{secrets.token_hex(8)}"
    place.mkdir()
    try:
        return MountSupport(
            flock_excludes=_flock_excludes(place / "lock"),
            hard_links=_hard_links(place),
            directory_fsync=_succeeds(lambda: atomic.sync_directory(place)),
            rename_refuses=_rename_refuses(place),
        )
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _flock(path: Path, *, wait_s: float, poll_s: float = PRUNE_POLL_S) -> filelock.FileLock:
    return filelock.FileLock(path, timeout=wait_s, poll_interval=poll_s, fallback_to_soft=False)


@contextlib.contextmanager
def _held(lock: filelock.BaseFileLock, error: type[OSError]) -> Iterator[bool]:
    """Hold a lock for a while, and yield True; False where taking it raises `error`, as it does when time is up."""
    try:
        lock.acquire()
    except error:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _flock_excludes(path: Path) -> bool:
    path.write_bytes(b"")
    lock = _flock(path, wait_s=0)
    try:
        lock.acquire()
    except (filelock.Timeout, OSError, NotImplementedError):
        return False
    try:
        contender = [sys.executable, "-S", "-c", _CONTENDER, str(path)]
        second = subprocess.run(contender, stderr=subprocess.DEVNULL, check=False)  # noqa: S603
    finally:
        lock.release()
    return second.returncode == 3


def _hard_links(place: Path) -> bool:
    (place / "a").write_bytes(b"")
    (place / "b").write_bytes(b"")
    made = _succeeds(lambda: os.link(place / "a", place / "c"))
    return made and not _succeeds(lambda: os.link(place / "b", place / "c"))


def _rename_refuses(place: Path) -> bool:
    (place / "full").mkdir()
    (place / "full" / "file").write_bytes(b"")
    (place / "other").mkdir()
    try:
        os.rename(place / "other", place / "full")  # noqa: PTH104
    except OSError as error:
        return error.errno in {errno.ENOTEMPTY, errno.EEXIST}
    return False


def _succeeds(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True
