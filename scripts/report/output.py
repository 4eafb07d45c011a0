"""Output files of commands: whether one can be written is looked at before the work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


def check_output(out: Path, *, flag: str = "-o") -> None:
    """Make sure that a file can be written where its user wants it.

    Args:
        out: Where.
        flag: What said so.

    Raises:
        StorageError: It cannot.
    """
    try:
        atomic.check_writable(out)
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror or error}; name another place with {flag}") from error
