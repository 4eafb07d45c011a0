"""Standard streams, made safe before a command begins: no command fails of who watches it, or of how.

Standard output can be reserved for ourselves: what a task prints, and what its programs print, goes to standard error.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
import select
import sys
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import ReadableBuffer

STDOUT, STDERR = 1, 2

STAND_INS = dict(zip("…▁▂▃▄▅▆▇█", "~.:-=+*#@", strict=True))
"""ASCII of the same width for what we draw with."""
SHOWABLE = "atoll-showable"
PATIENCE_S = 5.0
"""How long a reader that does not read is waited for."""


def mend() -> None:
    """Make sure that the standard streams are there, take every character, and that errors may go unheard.

    This comes before any file is opened: a file would get the number of a descriptor that is closed, and what we print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # so this is the lowest number that is free
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - the processes we start need it too
    for size in ("COLUMNS", "LINES"):
        if not re.fullmatch("[0-9]{1,4}", os.environ.get(size, "")):  # the terminal knows better, and Rich believes it
            os.environ.pop(size, None)
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = unheard(sys.stderr or _nowhere("w"))
    codecs.register_error(SHOWABLE, _showable)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=SHOWABLE)


def give_up_unwritten() -> None:
    """Forget what standard output could not take: Python would try again at its end, and change the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        _lead_nowhere(sys.stdout.fileno())


def unheard(stream: TextIO) -> TextIO:
    """Return a stream to the same place that never fails, nor waits for ever: what cannot be written is lost.

    What is no file of the system, as a test's, is returned as it is.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        raw = _Unheard(stream.fileno(), "w", closefd=False)
    except OSError:
        return stream
    with contextlib.suppress(OSError):
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )


class _Unheard(io.FileIO):
    """A descriptor that leads nowhere after its first failure, for us and for the processes that we start.

    Whoever does not read for a while, as a terminal after Ctrl-S, misses what comes until it reads again.
    """

    _is_stuck = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some, or take it all as written."""
        view = memoryview(data).cast("B")
        if not self._is_ready():
            return len(view)
        try:
            written: int | None = super().write(view[: select.PIPE_BUF])  # what a pipe that is ready takes at once
        except OSError:
            written = None
            _lead_nowhere(self.fileno())
        return len(view) if written is None else written

    def _is_ready(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        self._is_stuck = not poll.poll(0 if self._is_stuck else PATIENCE_S * 1000)
        return not self._is_stuck


def _lead_nowhere(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def _nowhere(mode: Literal["r", "w"]) -> TextIO:
    return open(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8", closefd=False)


def _showable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace a character that a stream cannot encode: by the byte that it stands for in a path, or by ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00]), error.start + 1
    return STAND_INS.get(character, "?"), error.start + 1


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
