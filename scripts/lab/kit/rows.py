"""Raw rows as JSON lines: written as they are measured, read back one by one or as the runs that they are of.

Everything that is said of a measurement is said of rows. A row of a bench is a flat JSON object: `bench`, `run` and
`repetition` say which round of which call of which bench it belongs to, `what`, `part` and sizes say what was measured,
names with units hold what was found, and the rest says where: settings, machine, versions, commit.
"""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic, runlog, strict_json
from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.kit.machine import describe, filesystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


Row = dict[str, Any]

PATTERNS = ("*.jsonl", "*.jsonl.gz", "*/*.jsonl", "*/*.jsonl.gz")
"""Files of rows in a folder: those of one table, or of a folder of tables."""


class Rows:
    """The rows of one run of one bench, appended to FOLDER/BENCH.jsonl."""

    def __init__(self, folder: Path, bench: str, setting: Mapping[str, Any]) -> None:
        atomic.make_directory(folder)
        self._path = folder / f"{bench}.jsonl"
        where = {**describe(), "filesystem": filesystem(folder)}
        self._common = {"bench": bench, "run": _now(), **setting, **where}

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row; the load says whether the machine was ours alone."""
        runlog.append(self._path, {**self._common, "at": _now(), "load_1min": os.getloadavg()[0], **row})


@dataclass(frozen=True)
class Run:
    """One call of one bench."""

    bench: str
    name: str
    rows: tuple[Row, ...]

    @property
    def machine(self) -> tuple[object, ...]:
        """The machine: only runs of one are comparable."""
        return tuple(self.rows[0].get(name) for name in ("host", "cpu", "cores"))

    @property
    def provenance(self) -> str:
        """Machine, versions, commit and load, for people."""
        row = self.rows[0]
        known = [str(row[name]) for name in ("cpu", "build", "controller", "filesystem") if row.get(name)]
        cores = f"{row.get('cores')} cores"
        versions = ", ".join(f"{name} {row[name]}" for name in ("python", "numpy", "torch") if name in row)
        commit = str(row.get("commit", "unknown"))[:10] + (" and changes" if row.get("dirty") else "")
        loads = [each["load_1min"] for each in self.rows if "load_1min" in each]
        load = f"load {min(loads):.1f} to {max(loads):.1f}" if loads else "load unknown"
        where = ", ".join([*known[:1], cores, *known[1:]])
        return "; ".join([where, versions, f"commit {commit}", load, f"run {self.name}"])


def records(folder: Path) -> list[Row]:
    """Return every row of every file in a folder, or in a folder of it, by the names of the files."""
    files = sorted(path for pattern in PATTERNS for path in folder.glob(pattern))
    return [row for path in files for _, row in numbered(path)]


def numbered(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield each row of a file with its place, for errors; a last line that was cut off is left out.

    Raises:
        DamagedFileError: The file is not what its name says, or a line is no JSON object.
    """
    for number, line in enumerate(_lines(path), start=1):
        place = f"{path}, line {number}"
        try:
            row = strict_json.parse(line)
        except DamagedFileError as error:
            raise DamagedFileError(f"{place}: {error}") from error
        if not isinstance(row, dict):
            raise DamagedFileError(f"{place}: expected an object, got {type(row).__name__}")
        yield place, row


def _lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file, decompressed if its name ends in `.gz`."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DamagedFileError(f"{path}: not compressed by gzip, or cut short: {error}") from error
    return data.split(b"\n")[:-1]


def read(folder: Path) -> list[Run]:
    """Return every run whose rows lie in `folder`, in the order in which they began."""
    runs: dict[tuple[str, str], list[Row]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for _, row in numbered(path):
            runs.setdefault((row.get("bench", path.stem), row.get("run", path.stem)), []).append(row)
    found = [Run(bench, name, tuple(rows)) for (bench, name), rows in runs.items()]
    return sorted(found, key=lambda run: str(run.rows[0].get("at", "")))


def newest(runs: Iterable[Run]) -> list[Run]:
    """Return the last run of each bench on each machine."""
    return list({(run.bench, run.machine): run for run in runs}.values())


def _now() -> str:
    return datetime.now(UTC).isoformat()
