"""Rows from files, compressed or not."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

from atoll.evo import strict_json
from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.parallel.rows import RUN, RunRow

if TYPE_CHECKING:
    from pathlib import Path

PATTERNS = ("*.jsonl", "*.jsonl.gz", "*/*.jsonl", "*/*.jsonl.gz")
"""One table, or a folder of tables."""


def read(folder: Path) -> list[RunRow]:
    """Return the rows of all runs whose files lie in `folder`, or in a folder of it; rows of other kinds are left out.

    A last line that was cut off is left out; so runs can be looked at while others are measured.

    Raises:
        DamagedFileError: A file is not what its name says, or a line is no row.
    """
    files = sorted(path for pattern in PATTERNS for path in folder.glob(pattern))
    return [row for path in files for row in read_file(path)]


def read_file(path: Path) -> list[RunRow]:
    """Return the rows of one file.

    Raises:
        DamagedFileError: As for `read`.
    """
    found = []
    for number, line in enumerate(lines(path), start=1):
        try:
            record = strict_json.parse(line)
            if isinstance(record, dict) and record.get("what") != RUN:
                continue
            found.append(RunRow.from_json(record))
        except DamagedFileError as error:
            raise DamagedFileError(f"{path}, line {number}: {error}") from error
    return found


def lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file, decompressed if its name ends in `.gz`.

    Raises:
        DamagedFileError: It is not what its name says.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DamagedFileError(f"{path}: not compressed by gzip, or cut short: {error}") from error
    return data.split(b"\n")[:-1]
