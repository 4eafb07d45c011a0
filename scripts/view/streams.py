"""Standard input, output and error, mended at the door: no command fails of who watches it, or of how."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
import sys
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STAND_INS = dict(zip("…▁▂▃▄▅▆▇█", "~.:-=+*#@", strict=True))
"""ASCII of the same width for what we draw with."""
SHOWABLE = "atoll-showable"


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
    """Return a stream to the same place that never fails: what cannot be written is lost.

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
        raw if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Unheard(io.FileIO):
    """A descriptor that leads nowhere after its first failure, for us and for the processes that we start."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, or take it as written."""
        try:
            written: int | None = super().write(data)
        except OSError:
            written = None
            _lead_nowhere(self.fileno())
        return memoryview(data).nbytes if written is None else written  # None: full, and not to be waited for


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
