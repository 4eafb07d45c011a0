from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from atoll.evo import runlog, strict_json
from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.parallel import rows
from atoll.scripts.lab.parallel.records import TrialRecord
from atoll.scripts.lab.parallel.rows import RunRow
from tests.lab.parallel.made_rows import run_row, trial
from tests.processes import ROOT

KEPT = ROOT / "docs" / "measurements" / "compare"


def test_rows_are_read_as_they_were_written(tmp_path):
    written = [run_row((trial(0, 1.0, 2.0), trial(1, 1.5, 2.5, error="E: no"))), run_row((), outcome="skipped")]
    for row in written:
        rows.append(tmp_path / "runs.jsonl", row)
    assert rows.read(tmp_path / "runs.jsonl") == written
    assert strict.from_json(TrialRecord, strict.to_json(written[0].trials[0])) == written[0].trials[0]


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


def test_kept_rows_are_written_again_as_they_are():
    """The parts of a row lie flat in files, as they did before rows had parts."""
    for table in ("core", "hang", "threads"):
        for line in gzip.decompress((KEPT / f"{table}.jsonl.gz").read_bytes()).splitlines():
            kept = strict_json.parse(line)
            assert strict_json.parse(strict_json.encode(RunRow.from_json(kept).to_json())) == kept


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threads": "many"}, "--threads"),
        ({"setting": {}}, "unknown"),
        ({"weather": "fine"}, "unknown"),
        ({"cpu_s": "1"}, r"Usage\.cpu_s"),
        ({"psi_share": "1"}, r"Interference\.psi_share"),
    ],
)
def test_a_part_of_a_row_that_is_wrong_is_named(change, said):
    with pytest.raises(DamagedFileError, match=said):
        RunRow.from_json(run_row(()).to_json() | change)


def test_a_row_that_lacks_a_field_of_a_part_is_refused():
    flat = run_row(()).to_json()
    del flat["tier"]
    with pytest.raises(DamagedFileError, match=r"Setting: missing fields \['tier'\]"):
        RunRow.from_json(flat)
