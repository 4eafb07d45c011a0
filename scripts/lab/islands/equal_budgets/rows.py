"""The rows of all runs, compressed or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.scripts.lab.kit.rows import records

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
