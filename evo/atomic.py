"""Atomic writes: the only code that creates, replaces, appends to or removes a file.

Everything is written under a unique temporary name in the directory where it will live, and becomes visible by one
rename or hard link: a reader sees the old bytes, the new bytes or nothing. `durable=True` also survives a power cut:
the file is synced before it becomes visible, the directory after.

Every function raises OSError, which names the file that was wanted and no temporary one; `storage_errors` turns that
into one clear line where a failure must stop the island.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from typing import TYPE_CHECKING

from atoll.evo.errors import AtollError, StorageError
from atoll.evo.paths import TEMPORARY, TRASH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

ADVICE = {
    errno.ENOMEM: "free some memory, then run the same command again",
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "free some of your quota, then run the same command again",
    errno.EMFILE: "raise the limit on open files (ulimit -n), then run the same command again",
    errno.ENOENT: "put back what was moved or removed, or name where it is now with --migration-dir",
    errno.EFBIG: "raise the file size limit (ulimit -f), then run the same command again",
    errno.EACCES: "choose a directory that you may write to with --migration-dir",
    errno.EPERM: "choose a directory that you may write to with --migration-dir",
    errno.EROFS: "choose a directory that you may write to with --migration-dir",
    errno.ENOTDIR: "choose another directory with --migration-dir",
    errno.EEXIST: "choose another directory with --migration-dir",
}

ROOT = 0
LET_THE_GROUP_WRITE = (
    "it belongs to account {owner}, and you are {account}: let its group in, with umask 002 before anything is started "
    "and 'chmod g+s' on the shared directory, or choose another with --migration-dir"
)
"""What to do where another account's file or folder may not be read or written to."""


class UnsyncedError(OSError):
    """A write that is visible, and may not survive a power cut."""


@contextlib.contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn OSError into a StorageError that says what was being done and what to do."""
    try:
        yield
    except OSError as error:
        advice = _advice(error)
        where = f"{error.filename}: " if error.filename else ""
        raise StorageError(f"cannot {doing}: {where}{error.strerror or error}; {advice}") from error


def _advice(error: OSError) -> str:
    if error.errno in {errno.EACCES, errno.EPERM} and isinstance(error.filename, str):
        owner = _owner(error.filename)
        if owner not in {None, ROOT, os.geteuid()}:
            return LET_THE_GROUP_WRITE.format(owner=owner, account=os.geteuid())
    return ADVICE.get(error.errno or 0, "check the file system, then run the same command again")


def _owner(path: str) -> int | None:
    """Return whose a file or folder is, or the nearest one above it that can be seen."""
    while True:
        try:
            return os.lstat(path).st_uid
        except OSError:
            above = os.path.dirname(path)  # noqa: PTH120 - an error has its name as text
            if above == path:
                return None
            path = above


def make_directory(path: Path, *, mode: int = 0o777, durable: bool = True) -> None:
    """Create a directory, with that mode less the umask, and its parents, unless they exist."""
    if path.is_dir():
        return
    if path != path.parent:
        make_directory(path.parent, durable=durable)
    path.mkdir(mode=mode, exist_ok=True)
    if durable:
        with contextlib.suppress(PermissionError):  # a directory that one may write to, but not read
            sync_directory(path.parent)


def replace_file(path: Path, data: bytes, *, durable: bool, before_commit: Callable[[], None] = lambda: None) -> None:
    """Put `data` at `path`, replacing what is there in one step; `before_commit` may prevent that step by raising."""
    temporary = _write_temporary(path, data, durable=durable)
    try:
        before_commit()
        with _about(path):
            os.replace(temporary, path)  # noqa: PTH105 - one spelling for every system call of this module
            _check_moved(temporary)
    except (OSError, AtollError):
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def create_file(path: Path, data: bytes, *, durable: bool) -> bool:
    """Put `data` at `path` unless something is there; say whether this call did it.

    A hard link refuses an existing name on every file system that has links, network ones included. Its answer may
    get lost there, so the link count of our own file decides, whatever the answer was.
    """
    temporary = _write_temporary(path, data, durable=durable)
    try:
        refusal = OSError(errno.EIO, "a link was reported as made, and is not there", str(path))
        try:
            os.link(temporary, path)
        except OSError as error:
            refusal = error
        if temporary.stat().st_nlink < 2:
            if refusal.errno == errno.EEXIST:
                return False
            with _about(path):
                raise refusal
    finally:
        temporary.unlink(missing_ok=True)
    if durable:
        sync_directory(path.parent)
    return True


def create_directory(path: Path, files: Mapping[str, bytes], *, tag: str, durable: bool) -> None:
    """Make a directory holding `files`, written in their order, visible at `path` in one step.

    A directory that holds something is never replaced; `tag` is part of the temporary name.

    Raises:
        UnsyncedError: It is visible, but could not be made durable.
        OSError: ENOTEMPTY or EEXIST if there is such a directory already.
    """
    temporary = path.parent / f"{TEMPORARY}{tag}-{secrets.token_hex(4)}"
    with _about(path):
        temporary.mkdir()
    try:
        with _about(path):
            for name, data in files.items():
                _write_new(temporary / name, data, durable=durable)
            if durable:
                sync_directory(temporary)
            os.rename(temporary, path)  # noqa: PTH104
            _check_moved(temporary)
    except OSError:
        remove_directory(temporary)
        raise
    if durable:
        try:
            sync_directory(path.parent)
        except OSError as error:
            raise UnsyncedError(error.errno, error.strerror, str(path.parent)) from error


def check_writable(path: Path) -> None:
    """See whether a file can be put at `path`, by putting an empty one beside it for a moment."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    _write_temporary(path, b"", durable=False).unlink()


def append_lines(path: Path, lines: Sequence[bytes]) -> None:
    """Append lines, each with its newline, in one write."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _write_all(descriptor, b"".join(line + b"\n" for line in lines), name=str(path))
    finally:
        os.close(descriptor)


def truncate_torn_line(path: Path) -> None:
    """Cut off a last line that a crash left without its newline, so that the next one stands alone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        end = size = os.fstat(descriptor).st_size
        while end > 0 and os.pread(descriptor, 1, end - 1) != b"\n":
            end -= 1
        if end != size:
            os.ftruncate(descriptor, end)
    finally:
        os.close(descriptor)


def move(source: Path, target: Path) -> None:
    """Rename within the file system."""
    os.rename(source, target)  # noqa: PTH104
    _check_moved(source)


def remove_file(path: Path) -> None:
    """Remove a file unless it has gone already."""
    path.unlink(missing_ok=True)


def remove_directory(path: Path) -> None:
    """Remove a directory, or what lies in its place, as far as we may; what is left is retried at the next start."""
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def clear_leftovers(path: Path) -> None:
    """Remove what a killed process left half written, or half removed, in a directory that is ours alone."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
        for name in [entry.name for entry in entries if entry.name.startswith((TEMPORARY, TRASH))]:
            remove_directory(path / name)


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_moved(source: Path) -> None:
    """Take no rename's word for it: what is acknowledged must be there."""
    if os.path.lexists(source):
        raise OSError(errno.EIO, "a rename was reported as done, and is not", str(source))


def _write_temporary(path: Path, data: bytes, *, durable: bool) -> Path:
    temporary = path.parent / f"{TEMPORARY}{path.name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with _about(path):
            _write_new(temporary, data, durable=durable)
    except OSError:
        with contextlib.suppress(OSError):  # where there is a file in the place of the directory
            temporary.unlink(missing_ok=True)
        raise
    return temporary


@contextlib.contextmanager
def _about(path: Path) -> Iterator[None]:
    """Let a failure name the file that was wanted, not a temporary one that its user never heard of."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def _write_new(path: Path, data: bytes, *, durable: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    try:
        _write_all(descriptor, data, name=str(path))
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes, *, name: str) -> None:
    view = memoryview(data)
    while view:
        try:
            written = os.write(descriptor, view)
        except OSError as error:
            raise OSError(error.errno, error.strerror, name) from error
        view = view[written:]
