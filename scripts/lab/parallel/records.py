"""What workers leave in the folder of a run: a note when a trial begins, its record when it ends.

Each is a file of its own that appears whole, so that whatever becomes of a worker, of its neighbours or of the driver,
what was done stays.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from atoll.evo import atomic, strict_json
from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.parallel.rows import TrialRecord, TrialStart

if TYPE_CHECKING:
    from pathlib import Path

RECORDS, STARTS = "trials", "starts"


def make_folders(folder: Path) -> None:
    """Make the folders that workers write to."""
    for name in (RECORDS, STARTS):
        atomic.make_directory(folder / name, durable=False)


def note_start(folder: Path, index: int, *, pid: int | None = None) -> TrialStart:
    """Note that a trial begins now, in this process unless another is named."""
    start = TrialStart(index, time.monotonic(), os.getpid() if pid is None else pid)
    name = f"{index}-{start.pid}-{time.monotonic_ns()}.json"
    atomic.replace_file(folder / STARTS / name, strict_json.encode(strict.to_json(start)), durable=False)
    return start


def write(folder: Path, record: TrialRecord) -> None:
    """Write the record of a trial that has ended; the last one counts."""
    atomic.replace_file(folder / RECORDS / f"{record.index}.json", strict_json.encode(record.to_json()), durable=False)


def read(folder: Path) -> tuple[TrialRecord, ...]:
    """Return the records, by index.

    Raises:
        DamagedFileError: A file holds something else.
    """
    found = (TrialRecord.from_json(strict_json.parse(path.read_bytes())) for path in (folder / RECORDS).glob("*.json"))
    return tuple(sorted(found, key=lambda record: record.index))


def read_starts(folder: Path) -> tuple[TrialStart, ...]:
    """Return the notes, in the order of time.

    Raises:
        DamagedFileError: A file holds something else.
    """
    paths = (folder / STARTS).glob("*.json")
    found = (strict.from_json(TrialStart, strict_json.parse(path.read_bytes())) for path in paths)
    return tuple(sorted(found, key=lambda start: start.start_s))


def missing(folder: Path, n_trials: int) -> list[int]:
    """Return the trials that have no record yet."""
    done = {record.index for record in read(folder)}
    return [index for index in range(n_trials) if index not in done]
