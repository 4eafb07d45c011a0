"""Rows are read from plain and compressed files, the same."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.islands.equal_budgets import rows

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b'{"job":"a","best":[1.0]}\n{"commit":"c"}\n{"job":"b","best":[2.0]}\n{"job":"cut'
FOUND = {"a": {"job": "a", "best": [1.0]}, "b": {"job": "b", "best": [2.0]}}


def test_rows_are_told_from_starts_and_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    (tmp_path / rows.ROWS).write_bytes(TEXT)
    assert rows.read(tmp_path) == FOUND
    assert rows.read_starts(tmp_path) == [{"commit": "c"}]


def test_compressed_rows_are_the_same(tmp_path: Path) -> None:
    (tmp_path / f"{rows.ROWS}.gz").write_bytes(gzip.compress(TEXT))
    assert rows.read(tmp_path) == FOUND


def test_an_empty_or_absent_folder_has_none(tmp_path: Path) -> None:
    assert rows.read(tmp_path) == rows.read(tmp_path / "absent") == {}


@pytest.mark.parametrize("line", [b"{]", b"[1]", b'{"job":NaN}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / rows.ROWS).write_bytes(b'{"job":"a"}\n' + line + b"\n")
    with pytest.raises(DamagedFileError, match=r"rows\.jsonl, line 2"):
        rows.read(tmp_path)
