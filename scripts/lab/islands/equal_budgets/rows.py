"""The rows of all runs, compressed or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo import strict_json
from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.parallel.report.load import PATTERNS, lines

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.runlog import Record

ROWS, STARTS = "rows.jsonl", "starts.jsonl"


def read(folder: Path) -> dict[str, Record]:
    """Return each run's row by the key of its job; a last line that was cut off is left out.

    Raises:
        DamagedFileError: A file is not what its name says, or a line is no row.
    """
    return {row["job"]: row for row in records(folder) if "job" in row}


def read_starts(folder: Path) -> list[Record]:
    """Return the starts of the experiment: where and with what its rows were made.

    Raises:
        DamagedFileError: See `read`.
    """
    return [row for row in records(folder) if "job" not in row]


def records(folder: Path) -> list[Record]:
    """Return every record of every file in a folder, by the names of the files.

    Raises:
        DamagedFileError: See `read`.
    """
    files = sorted(path for pattern in PATTERNS for path in folder.glob(pattern))
    found = []
    for path in files:
        for number, line in enumerate(lines(path), start=1):
            try:
                record = strict_json.parse(line)
            except DamagedFileError as error:
                raise DamagedFileError(f"{path}, line {number}: {error}") from error
            if not isinstance(record, dict):
                raise DamagedFileError(f"{path}, line {number}: expected an object, got {type(record).__name__}")
            found.append(record)
    return found
