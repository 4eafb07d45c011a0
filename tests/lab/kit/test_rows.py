from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.kit.machine import describe
from atoll.scripts.lab.kit.rows import Rows, newest, read

MEASUREMENTS = Path(__file__).parents[3] / "docs" / "measurements"


def test_a_row_says_what_when_and_where_and_is_there_at_once(tmp_path: Path) -> None:
    writer = Rows(tmp_path / "bench", "speed", {"population": 7})
    for wall_s in (0.5, 0.25):
        writer.write({"what": "it", "repetition": 0, "wall_s": wall_s})
        row = json.loads((tmp_path / "bench" / "speed.jsonl").read_text().splitlines()[-1])
        assert row.items() >= {"bench": "speed", "population": 7, "what": "it", "wall_s": wall_s}.items()
        assert row.items() >= describe().items()
        assert row["run"] <= row["at"]
        assert row["load_1min"] >= 0
        assert row["filesystem"]


def test_a_case_may_say_its_own_size(tmp_path: Path) -> None:
    Rows(tmp_path, "speed", {"population": 7}).write({"population": 9, "repetition": 0})
    assert read(tmp_path)[0].rows[0]["population"] == 9


def test_calls_are_told_apart_and_nothing_is_replaced(tmp_path: Path) -> None:
    for repetitions in (2, 3):
        writer = Rows(tmp_path, "speed", {})
        for repetition in range(repetitions):
            writer.write({"repetition": repetition})
    assert [len(run.rows) for run in read(tmp_path)] == [2, 3]
    assert [len(run.rows) for run in newest(read(tmp_path))] == [3]


def test_a_row_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    Rows(tmp_path, "speed", {}).write({"repetition": 0})
    with (tmp_path / "speed.jsonl").open("a") as file:
        file.write('{"bench": "spe')
    assert [len(run.rows) for run in read(tmp_path)] == [1]


def test_another_machine_is_another_table(tmp_path: Path, monkeypatch) -> None:
    for host in ("a", "b", "a"):
        monkeypatch.setattr(rows, "describe", lambda host=host: {"host": host, "cpu": "x", "cores": 2})
        Rows(tmp_path, "speed", {}).write({"repetition": 0})
    assert [run.rows[0]["host"] for run in newest(read(tmp_path))] == ["a", "b"]


def test_rows_that_name_no_run_are_those_of_their_file() -> None:
    runs = {run.bench: run for run in read(MEASUREMENTS)}
    assert (len(runs["native"].rows), runs["native"].name) == (66, "native")


LINES = b'{"a":1}\n{"b":2}\n'


def test_compressed_or_not_rows_are_the_same_and_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES + b'{"c":')
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "b.jsonl.gz").write_bytes(gzip.compress(LINES))
    assert rows.records(tmp_path) == 2 * [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("line", [b"{]", b"[1]", b"1", b'{"a": NaN}'])
def test_a_line_that_is_no_object_is_named_by_its_place(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES + line + b"\n")
    with pytest.raises(DamagedFileError, match=r"a\.jsonl, line 3"):
        rows.records(tmp_path)
    with pytest.raises(DamagedFileError, match=r"a\.jsonl, line 3"):
        read(tmp_path)


@pytest.mark.parametrize("data", [b"plain text", gzip.compress(LINES, mtime=0)[:-9]], ids=["plain", "cut short"])
def test_what_is_not_compressed_as_its_name_says_is_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"a\.jsonl\.gz"):
        rows.records(tmp_path)


def test_where_a_run_was_measured_is_said_as_far_as_it_is_known() -> None:
    runs = {run.bench: run for run in read(MEASUREMENTS)}
    known = runs["native"].provenance
    assert known.startswith("AMD EPYC, 2 cores, 16 lanes, kernel d07f9d1467a7fa86")
    assert "commit unknown" in known
    row = {"cpu": "x", "cores": 2, "commit": "0123456789abcdef", "dirty": True, "load_1min": 0.25, "python": "3"}
    assert rows.Run("b", "now", (row,)).provenance == (
        "x, 2 cores; python 3; commit 0123456789 and changes; load 0.2 to 0.2; run now"
    )
