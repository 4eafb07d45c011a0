"""Standard output reserved for ourselves: what a task prints, and what its programs print, goes to standard error."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

STDOUT, STDERR = 1, 2


@contextlib.contextmanager
def reserved_stdout() -> Iterator[TextIO]:
    """Yield standard output, while descriptor 1 is standard error for everybody else in this process and its children.

    Raises:
        OSError: What is written last cannot be.
    """
    _flush()
    kept = os.dup(STDOUT)  # which no program inherits
    os.dup2(STDERR, STDOUT)
    encoding, errors = getattr(sys.stdout, "encoding", None), getattr(sys.stdout, "errors", None)
    raw = io.BufferedWriter(io.FileIO(os.dup(kept), "w"))
    stream = io.TextIOWrapper(raw, encoding=encoding or "utf-8", errors=errors or "replace", line_buffering=True)
    try:
        yield stream
    finally:
        _flush()
        os.dup2(kept, STDOUT)
        os.close(kept)
        stream.close()


def _flush() -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):  # there is none, nobody reads it, or it is closed
        sys.stdout.flush()
