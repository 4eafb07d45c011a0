from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from atoll.evo import strict_json
from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.parallel import rows
from tests.lab.parallel import synthetic

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [synthetic.run("sequential", synthetic.ALONE, block=block) for block in (1, 2)]
LINES = b"".join(strict_json.encode(row.to_json()) + b"\n" for row in ROWS)


def test_compressed_or_not_the_rows_are_the_same(tmp_path: Path) -> None:
    for row in ROWS:
        rows.append(tmp_path / "runs.jsonl", row)
    plain = rows.read_all(tmp_path)
    (tmp_path / "runs.jsonl").unlink()
    (tmp_path / "runs.jsonl.gz").write_bytes(gzip.compress(LINES))
    assert plain == rows.read_all(tmp_path) == ROWS


def test_rows_of_other_kinds_are_left_out_and_a_torn_last_line_too(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_bytes(b'{"what":"threads","k":2}\n' + LINES + b'{"what":"ru')
    assert rows.read_all(tmp_path) == ROWS


def test_a_damaged_row_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_bytes(LINES.replace(b'"workers":1', b'"workers":"1"', 1))
    with pytest.raises(DamagedFileError, match=r"runs\.jsonl, line 1"):
        rows.read_all(tmp_path)


@pytest.mark.parametrize("data", [b"plain text", gzip.compress(LINES)[:-9]])
def test_what_is_not_compressed_as_its_name_says_is_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "runs.jsonl.gz").write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"runs\.jsonl\.gz"):
        rows.read_all(tmp_path)
