"""The lines of a log, one at a time: of a plain file, whatever its length and whatever is in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from migration.untrusted import directory, open_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINE_BYTES = 1 << 20


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield where each line starts and its bytes; one that is longer than a megabyte comes in pieces.

    Raises:
        RefusedError: It is not a plain file, or cannot be read.
        VanishedError: It has gone.
    """
    start = 0
    with (
        directory(path.parent) as folder,
        open_file(folder, path.name) as descriptor,
        os.fdopen(descriptor, "rb", closefd=False) as file,
    ):
        while line := file.readline(MAX_LINE_BYTES):
            yield start, line
            start += len(line)


def is_torn(line: bytes) -> bool:
    """Say whether a line is the last one of its file, and its writer is still at it or was killed."""
    return not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES
