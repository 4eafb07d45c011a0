from __future__ import annotations

import os

import pytest

from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.parallel import records
from tests.lab.parallel.made_rows import trial


def test_records_are_read_by_index_and_the_last_of_a_trial_counts(tmp_path):
    records.make_folders(tmp_path)
    for record in (trial(2, 1, 2), trial(10, 1, 2), trial(0, 1, 2, error="E: first"), trial(0, 3, 4)):
        records.write(tmp_path, record)
    assert records.read(tmp_path) == (trial(0, 3, 4), trial(2, 1, 2), trial(10, 1, 2))
    assert records.missing(tmp_path, 4) == [1, 3]


def test_every_start_is_noted_also_the_second_of_one_trial(tmp_path):
    records.make_folders(tmp_path)
    first, second, other = (records.note_start(tmp_path, 3) for _ in range(3))
    named = records.note_start(tmp_path, 1, pid=5)
    assert records.read_starts(tmp_path) == (first, second, other, named)
    assert (first.pid, named.pid) == (os.getpid(), 5)


def test_a_record_that_is_half_written_is_not_seen_and_a_damaged_one_is_refused(tmp_path):
    records.make_folders(tmp_path)
    (tmp_path / records.RECORDS / ".tmp-0.json-1-ab").write_text("{")
    assert records.read(tmp_path) == ()
    (tmp_path / records.RECORDS / "0.json").write_text("{")
    with pytest.raises(DamagedFileError):
        records.read(tmp_path)
