"""Export of a run's tables as CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import io
import itertools
import json
from typing import IO, TYPE_CHECKING

from atoll.evo import atomic
from atoll.scripts.report.frames import NUMBER, TEXT, TRUTH, WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from atoll.scripts.report.frames import Frame, Row

ROWS_AT_A_TIME = 10_000


def write_csv(frame: Frame, out: IO[str]) -> int:
    """Write a table as CSV (RFC 4180) with a header; an empty cell is a value that is not known. Return its rows."""
    writer = csv.writer(out)
    writer.writerow([column.name for column in frame.columns])
    n = 0
    for row in frame.rows:
        writer.writerow([_spelled(cell) for cell in row])
        n += 1
    return n


def write_jsonl(frame: Frame, out: IO[str]) -> int:
    """Write a table as JSON lines: an object per row, null where a value is not known. Return its rows."""
    names = [column.name for column in frame.columns]
    n = 0
    for row in frame.rows:
        out.write(json.dumps(dict(zip(names, row, strict=True))) + "\n")
        n += 1
    return n


def write_parquet(frame: Frame, out: IO[bytes]) -> int:
    """Write a table as Parquet, with the types and units of its columns. Return its rows."""
    import pyarrow as pa  # noqa: PLC0415 - in the extra `data`
    from pyarrow import parquet  # noqa: PLC0415

    types = {TEXT: pa.string(), WHOLE: pa.int64(), NUMBER: pa.float64(), TRUTH: pa.bool_()}
    schema = pa.schema(
        [
            pa.field(column.name, types[column.kind], metadata={"unit": column.unit, "says": column.says})
            for column in frame.columns
        ]
    )
    n = 0
    with parquet.ParquetWriter(out, schema) as writer:
        for rows in _batches(frame):
            columns = zip(*rows, strict=True)
            arrays = [pa.array(cells, field.type) for cells, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            n += len(rows)
    return n


def write(frame: Frame, kind: str, path: Path | None, *, standard_output: IO[str]) -> int:
    """Write a table as `kind`, to standard output where there is no path; return its rows.

    Raises:
        StorageError: The file cannot be written.
    """
    if path is None:
        return _TEXT[kind](frame, standard_output)
    n, data = _encoded(frame, kind)
    with atomic.storage_errors("write the table"):
        atomic.replace_file(path, data, durable=False)
    return n


def _encoded(frame: Frame, kind: str) -> tuple[int, bytes]:
    if kind == "parquet":
        binary = io.BytesIO()
        return write_parquet(frame, binary), binary.getvalue()
    text = io.StringIO(newline="")
    return _TEXT[kind](frame, text), text.getvalue().encode()


_TEXT: dict[str, Callable[[Frame, IO[str]], int]] = {"csv": write_csv, "jsonl": write_jsonl}


def _batches(frame: Frame) -> Iterator[list[Row]]:
    while rows := list(itertools.islice(frame.rows, ROWS_AT_A_TIME)):
        yield rows


def _spelled(cell: object) -> object:
    """Spell a cell for CSV: floats so that they read back as they are, truths as other programs spell them."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return repr(cell) if isinstance(cell, float) else cell
