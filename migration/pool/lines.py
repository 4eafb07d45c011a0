"""The lines of a log, one at a time: of a plain file, whatever its length and whatever is in it."""

from __future__ import annotations

import contextlib
import json
import math
import os
from typing import TYPE_CHECKING, Any

from atoll.evo.strict_json import MAX_INTEGER
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, directory, open_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from atoll.evo.runlog import Record

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


def whole_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines that are there whole; none where no log can be read."""
    with contextlib.suppress(RefusedError, VanishedError):
        yield from (line for _, line in read_lines(path) if not is_torn(line))


def parse_records(lines: Iterable[bytes]) -> tuple[list[Record], int]:
    """Return the records among lines, those with a kind and a generation; and how many lines are none."""
    records, n_unreadable = [], 0
    for line in lines:
        record = _record(line)
        if record is None:
            n_unreadable += 1
        else:
            records.append(record)
    return records, n_unreadable


def finite_number(value: object) -> float | None:
    """Return a finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond all floats
        return None


def whole_number(value: object) -> int | None:
    """Return a whole number, or None for anything else and for one that no count of ours reaches."""
    return value if type(value) is int and 0 <= value <= MAX_INTEGER else None


def unix_s(record: Record) -> float | None:
    """Return when a record was written, in seconds since 1970; None where it does not say."""
    time = record.get("time")
    return finite_number(time.get("unix_s")) if isinstance(time, dict) else None


def _record(line: bytes) -> Record | None:
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(record, dict) and isinstance(record.get("kind"), str)
    return record if is_event and whole_number(record.get("generation")) is not None else None
