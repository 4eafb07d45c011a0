"""Append-only JSON lines: one writer, any number of readers, one torn last line forgiven.

Every start of an island appends a `start` line with its epoch and the generation it goes on from. Lines that an
earlier epoch wrote at or after that generation are superseded: the same generations are lived again.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

from atoll.evo import atomic, records, strict_json
from atoll.evo.errors import DamagedFileError
from atoll.evo.records import Start

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Record = dict[str, Any]
"""A line as JSON has it; `records.py` has types for those of islands."""
L = TypeVar("L", Record, records.Record)

TAIL_BYTES = 1 << 16
KIND = re.compile(rb'"kind":"([a-z]+)"')
"""A record's kind, as canonical JSON spells it; where a line has two, one is deeper inside."""


def append(path: Path, record: Record) -> None:
    """Add one record."""
    append_all(path, [record])


def append_all(path: Path, lines: Iterable[Record]) -> None:
    """Add records in one write."""
    atomic.append_lines(path, [strict_json.encode(line) for line in lines])


def read(path: Path) -> list[Record]:
    """Return all records, a torn last line left out; DamagedFileError if another line is not a JSON object."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    return [_record(line, path, number) for number, line in enumerate(data.split(b"\n")[:-1], start=1)]


def current(lines: Iterable[L]) -> list[L]:
    """Leave out what later starts supersede; of the start lines only the last remains."""
    kept: list[L] = []
    for line in lines:
        if _is_start(line):
            kept = [old for old in kept if not _is_start(old) and _generation(old) < _generation(line)]
        kept.append(line)
    return kept


def read_last(path: Path) -> dict[str, Record]:
    """Return the last whole record of each kind since the last start, from the end of the file alone.

    As much of the end is read as holds one whole record, and 64 KiB at least.
    """
    last: dict[str, Record] = {}
    for line in reversed(_last_lines(path)):
        kinds = KIND.findall(line)
        if len(kinds) == 1 and kinds[0].decode() in last:
            continue  # a later one is known: whoever watches islands has no time to parse them all
        record = _lenient(line)
        if record is not None and isinstance(record.get("kind"), str):
            last.setdefault(record["kind"], record)
            if record["kind"] == "start":
                break
    return last


def read_starts(path: Path) -> list[Start]:
    """Return the record of every start, oldest first, however much the island has logged since."""
    try:
        with path.open("rb") as file:
            found = [records.parse(line) for line in file if b'"kind":"start"' in line]
    except FileNotFoundError:
        return []
    return [record for record in found if isinstance(record, Start)]


def read_tail(path: Path) -> list[records.Record]:
    """Return the records at the end of the file, oldest first: those among its last 64 KiB, and its last whole line."""
    return [record for record in map(records.parse, _last_lines(path)) if record is not None]


def _is_start(line: Record | records.Record) -> bool:
    return line.get("kind") == "start" if isinstance(line, dict) else isinstance(line, Start)


def _generation(line: Record | records.Record) -> int:
    generation: int = line["generation"] if isinstance(line, dict) else line.generation
    return generation


def _last_lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            wanted = TAIL_BYTES
            while True:
                file.seek(max(0, size - wanted))
                lines = file.read(wanted).split(b"\n")
                first = 1 if wanted < size else 0  # the first line may have begun before the place we read from
                if wanted >= size or len(lines) > first + 1:
                    return lines[first:-1]
                wanted *= 4
    except FileNotFoundError:
        return []


def _record(line: bytes, path: Path, number: int) -> Record:
    try:
        record = strict_json.parse(line)
    except DamagedFileError as error:
        raise DamagedFileError(f"{path}, line {number}: {error}") from error
    if not isinstance(record, dict):
        raise DamagedFileError(f"{path}, line {number}: not an object")
    return record


def _lenient(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
