from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.evo import runlog
from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.parallel import rows
from atoll.scripts.lab.parallel.rows import RunRow, TrialRecord
from tests.lab.parallel.made_rows import run_row, trial


def test_rows_are_read_as_they_were_written(tmp_path):
    written = [run_row((trial(0, 1.0, 2.0), trial(1, 1.5, 2.5, error="E: no"))), run_row((), outcome="skipped")]
    for row in written:
        rows.append(tmp_path / "runs.jsonl", row)
    assert rows.read(tmp_path / "runs.jsonl") == written
    assert TrialRecord.from_json(written[0].trials[0].to_json()) == written[0].trials[0]


def test_a_table_that_is_not_there_is_empty_and_a_torn_last_line_is_left_out(tmp_path):
    path = tmp_path / "runs.jsonl"
    assert rows.read(path) == []
    rows.append(path, run_row(()))
    with path.open("ab") as file:
        file.write(b'{"what": "run"')
    assert rows.read(path) == [run_row(())]


@pytest.mark.parametrize("change", [{"what": "walk"}, {"outcome": "fine"}, {"workers": "2"}])
def test_a_line_that_is_no_row_is_refused(tmp_path, change):
    runlog.append(tmp_path / "runs.jsonl", run_row(()).to_json() | change)
    with pytest.raises(DamagedFileError):
        rows.read(tmp_path / "runs.jsonl")


def test_a_row_is_a_value():
    assert replace(run_row(()), block=2) != run_row(())
    assert RunRow.from_json(run_row(()).to_json()) == run_row(())
