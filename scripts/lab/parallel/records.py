"""Records of trials, left by workers in the folder of a run: a note when a trial begins, its record when it ends.

Each is a file of its own that appears whole, so that whatever becomes of a worker, of its neighbours or of the driver,
what was done stays.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from atoll.evo import atomic, strict_json
from atoll.scripts.lab.kit import strict

if TYPE_CHECKING:
    from pathlib import Path

RECORDS, STARTS = "trials", "starts"
T = TypeVar("T", "TrialRecord", "TrialStart")


@dataclass(frozen=True)
class TrialRecord:
    """One trial, as the worker that ran it tells.

    Attributes:
        index: Its place in the ordered list of configurations and seeds.
        start_s: When it began, on the clock that all processes of one boot share (`time.monotonic`).
        cpu_s: Processor time of the worker meanwhile: of its process, or of its thread where workers are threads.
        torch_threads: What PyTorch says it uses in the worker; None where it is not loaded, or cannot be asked.
        result_hash: SHA-256 over the last genes, their fitness and the champion of every seed; empty if it raised.
    """

    index: int
    start_s: float
    end_s: float
    cpu_s: float
    pid: int
    tid: int
    torch_threads: int | None
    fitness: tuple[float, ...]
    evaluations: int
    result_hash: str
    error: str | None


@dataclass(frozen=True)
class TrialStart:
    """A note that a trial has begun: what of a trial that never ended is left.

    A trial that is tried again after its worker died has several.
    """

    index: int
    start_s: float
    pid: int


def make_folders(folder: Path) -> None:
    """Make the folders that workers write to."""
    for name in (RECORDS, STARTS):
        atomic.make_directory(folder / name, durable=False)


def note_start(folder: Path, index: int, pid: int | None = None) -> TrialStart:
    """Note that a trial begins now, in this process unless another is named."""
    start = TrialStart(index, time.monotonic(), os.getpid() if pid is None else pid)
    name = f"{index}-{start.pid}-{time.monotonic_ns()}.json"
    atomic.replace_file(folder / STARTS / name, strict_json.encode(strict.to_json(start)), durable=False)
    return start


def write(folder: Path, record: TrialRecord) -> None:
    """Write the record of a trial that has ended; the last one counts."""
    place = folder / RECORDS / f"{record.index}.json"
    atomic.replace_file(place, strict_json.encode(strict.to_json(record)), durable=False)


def read(folder: Path) -> tuple[TrialRecord, ...]:
    """Return the records, by index."""
    return tuple(sorted(_read(TrialRecord, folder / RECORDS), key=lambda record: record.index))


def read_starts(folder: Path) -> tuple[TrialStart, ...]:
    """Return the notes, in the order of time."""
    return tuple(sorted(_read(TrialStart, folder / STARTS), key=lambda start: start.start_s))


def missing(folder: Path, n_trials: int) -> list[int]:
    """Return the trials that have no record yet."""
    done = {record.index for record in read(folder)}
    return [index for index in range(n_trials) if index not in done]


def _read(kind: type[T], folder: Path) -> list[T]:
    return [strict.from_json(kind, strict_json.parse(path.read_bytes())) for path in folder.glob("*.json")]
