"""Bounded reading of files that a stranger may have written: nothing follows links or waits.

A batch is turned away for a stated reason (`RefusedError`), or has gone since it was listed (`VanishedError`), which is
normal where islands prune. Nothing else escapes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from atoll.evo.paths import is_island_name, parse_generation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAX_ISLANDS = 1024
MAX_ENTRIES = 65_536
MAX_DETAIL_LENGTH = 200
CHUNK_BYTES = 1024 * 1024
NO_MEMORY = "not enough memory for it"
MAX_ROUND_BYTES = 256 * 1024 * 1024
MAX_ROUND_FILES = 512
MAX_ROUND_S = 30.0
"""What one import may read, and for how long: far above what honest islands need. 64 genomes from each of 64 peers, at
a million genes in all, fit ten times over."""

_GONE = {errno.ENOENT, errno.ESTALE}


class Reason(StrEnum):
    """The reason of a refusal."""

    UNREADABLE = "unreadable"
    NOT_A_FILE = "not a plain file"
    TOO_LARGE = "too large"
    DAMAGED = "damaged"
    MISPLACED = "misplaced"
    OTHER_RUN = "of another run"
    OTHER_GENOME = "of another genome layout"
    OUT_OF_BOUNDS = "genes out of bounds"
    TOO_MANY_ISLANDS = "ancestors from too many islands"
    ROLLED_BACK = "older than what was seen"
    OVER_BUDGET = "beyond what one import may cost"
    TOO_OLD = "older than allowed"
    DUPLICATE = "here already"
    NOT_BETTER = "not better than whom it would displace"


class RefusedError(Exception):
    """A batch is turned away; the detail may quote the stranger, so it is kept short.

    Args:
        reason: Why.
        detail: The same in particular.
        name: Which file of the batch; empty for its folder.
        byte: Where in that file, as far as that is known.
    """

    def __init__(self, reason: Reason, detail: str, *, name: str = "", byte: int | None = None) -> None:
        self.reason = reason
        self.detail = detail if len(detail) <= MAX_DETAIL_LENGTH else detail[:MAX_DETAIL_LENGTH] + "..."
        self.name = name
        self.byte = byte
        super().__init__(f"{reason}: {self.detail}")


class VanishedError(Exception):
    """A name has gone since it was listed."""


class Budget:
    """Bytes, files and seconds, by a monotonic clock, that one import may cost; it begins when it is made."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s = clock()
        self._n_files = 0
        self._n_bytes = 0

    def spend(self, name: str, n_bytes: int) -> None:
        """Take account of a file that is about to be read; raise `RefusedError` if it would go beyond the budget."""
        spent_s = self._clock() - self._began_s
        n_files, total = self._n_files + 1, self._n_bytes + n_bytes
        if n_files > MAX_ROUND_FILES or total > MAX_ROUND_BYTES or spent_s > MAX_ROUND_S:
            detail = f"{name} would be file {n_files}, byte {total} and second {spent_s:.0f} of this import"
            raise RefusedError(Reason.OVER_BUDGET, detail, name=name)
        self._n_files, self._n_bytes = n_files, total


def list_names(path: Path, limit: int = MAX_ENTRIES) -> list[str]:
    """Return up to `limit` names of a directory, sorted; none if there is no such directory.

    Raises:
        OSError: The directory cannot be listed.
    """
    return _list(path, limit, lambda entry: True)  # noqa: ARG005


def islands_in(path: Path) -> list[str]:
    """Return the names of the islands that have a folder in `path`, sorted; a stray file is none, whatever its name.

    What else is no folder is refused when it is opened.

    Raises:
        OSError: The directory cannot be listed.
    """
    names = _list(path, MAX_ENTRIES, lambda entry: not entry.is_file(follow_symlinks=False))
    return [name for name in names if is_island_name(name)]


def generations_in(path: Path) -> list[int]:
    """Return the generations that an island has published in `path`, newest first.

    Raises:
        OSError: The directory cannot be listed, or is a link.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "a link in the place of a folder", str(path))
    return sorted((n for name in list_names(path) if (n := parse_generation(name)) is not None), reverse=True)


def _list(path: Path, limit: int, is_wanted: Callable[[os.DirEntry[str]], bool]) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in islice(entries, limit) if is_wanted(entry))
    except (FileNotFoundError, NotADirectoryError):
        return []


@contextlib.contextmanager
def directory(path: Path) -> Iterator[int]:
    """Open a directory, refusing a symbolic link in the last two places of its path.

    Raises:
        RefusedError: It is a link or no directory.
        VanishedError: It has gone.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with _translated(path.name):
        parent = os.open(path.parent, flags)
        try:
            descriptor = os.open(path.name, flags, dir_fd=parent)
        finally:
            os.close(parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_file(directory_descriptor: int, name: str, *, limit: int, budget: Budget | None = None) -> bytes:
    """Read a whole plain file of at most `limit` bytes, within a budget if there is one.

    Raises:
        RefusedError: It is not a plain file, larger, beyond the budget, or cannot be read.
        VanishedError: It has gone.
    """
    with open_file(directory_descriptor, name) as descriptor:
        size = os.fstat(descriptor).st_size
        if size > limit:
            detail = f"{name} has {size} bytes, at most {limit} allowed"
            raise RefusedError(Reason.TOO_LARGE, detail, name=name, byte=limit)
        if budget is not None:
            budget.spend(name, size)
        return _read_all(descriptor, name, limit=limit)


@contextlib.contextmanager
def open_file(directory_descriptor: int, name: str) -> Iterator[int]:
    """Open a plain file to read it, without following a link or waiting for the other end of a pipe.

    Raises:
        RefusedError: It is not a plain file, or cannot be read, now or in the body.
        VanishedError: It has gone.
    """
    with _translated(name, within=name):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=directory_descriptor)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RefusedError(Reason.NOT_A_FILE, name, name=name)
            yield descriptor
        finally:
            os.close(descriptor)


def _read_all(descriptor: int, name: str, *, limit: int) -> bytes:
    data = bytearray()
    while chunk := os.read(descriptor, min(CHUNK_BYTES, limit + 1 - len(data))):
        data += chunk
        if len(data) > limit:
            raise RefusedError(Reason.TOO_LARGE, f"{name} grew beyond {limit} bytes", name=name, byte=limit)
    return bytes(data)


@contextlib.contextmanager
def _translated(name: str, *, within: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _GONE:
            raise VanishedError(name) from error
        if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR}:
            raise RefusedError(Reason.NOT_A_FILE, f"{name}: {error.strerror}", name=within) from error
        raise RefusedError(Reason.UNREADABLE, f"{name}: {error.strerror}", name=within) from error
