"""Runs are made once each, in a fixed order, and the same again whenever they are repeated; rows may be compressed."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from atoll.evo import runlog
from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.scripts.lab.islands.equal_budgets import plan
from atoll.scripts.lab.islands.equal_budgets.findings import found
from atoll.scripts.lab.islands.equal_budgets.plan import PROBLEMS, quick
from atoll.scripts.lab.islands.equal_budgets.run import (
    ROWS,
    estimate_s,
    interleaved,
    measure,
    progress,
    read,
    read_starts,
    repeat,
    run_job,
)

if TYPE_CHECKING:
    from pathlib import Path


TINY = replace(quick(PROBLEMS[0]), budget=240, population=40, islands=4, splits=(2,), seeds=1, is_swept=False)


def run(folder: Path, *, workers: int) -> list[str]:
    told: list[str] = []
    measure([TINY], folder, workers=workers, tell=told.append)
    return told


def test_a_row_is_a_pure_function_of_its_job():
    job = plan.tuning(TINY)[0]
    row = run_job(job)
    assert row == run_job(job)
    assert row["job"] == job.key
    assert row["evaluations"][-1] <= TINY.budget
    assert run_job(replace(job, seed=job.seed + 1)) != row


def test_creatures_are_looked_at_on_unseen_courses():
    creatures = quick(PROBLEMS[-1])
    job = plan.tuning(replace(creatures, budget=40, population=10, islands=2, options={"courses": "1"}))[0]
    assert {"unseen_fitness", "unseen_pellets"} <= run_job(job).keys()


@pytest.mark.slow
def test_everything_is_run_once_whoever_of_the_workers_is_faster_and_goes_on_where_it_was(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run(one, workers=1)
    whole = (one / ROWS).read_bytes()
    told = run(two, workers=2)
    assert (two / ROWS).read_bytes() == whole
    assert any(line.startswith("comparison: ") and "about" in line for line in told)
    lines = whole.splitlines(keepends=True)
    (two / ROWS).write_bytes(b"".join(lines[: len(lines) // 2]) + lines[-1][:10])
    run(two, workers=2)
    assert (two / ROWS).read_bytes() == whole
    assert found(TINY, read(two)).seeds == 1
    assert len(read_starts(two)) == 2
    assert [is_equal for _, is_equal in repeat([TINY], two, n=3, seed=1)] == [True] * 3


def test_a_row_that_was_changed_is_found_out(tmp_path: Path) -> None:
    job = plan.tuning(TINY)[0]
    row = run_job(job)
    runlog.append(tmp_path / ROWS, row)
    assert repeat([TINY], tmp_path, n=5, seed=1) == [(job, True)]
    runlog.append(tmp_path / ROWS, {**row, "best": [*row["best"][:-1], row["best"][-1] + 1]})
    assert repeat([TINY], tmp_path, n=5, seed=1) == [(job, False)]


def test_nothing_to_repeat_is_a_mistake_that_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no rows of trap"):
        repeat([TINY], tmp_path, n=1, seed=1)


def test_jobs_of_several_problems_take_turns_seed_by_seed():
    other = replace(TINY, name="other", options={"dimensions": "8"})
    mixed = interleaved([plan.tuning(TINY), plan.tuning(other)])
    assert sorted(job.key for job in mixed) == sorted(job.key for job in (*plan.tuning(TINY), *plan.tuning(other)))
    assert [job.seed for job in mixed] == sorted(job.seed for job in mixed)


def test_more_islands_take_longer_for_the_same_evaluations():
    job = plan.tuning(TINY)[0]
    small = replace(job, arm=replace(job.arm, islands=4, population=job.arm.population // 4))
    assert estimate_s([small]) > estimate_s([job])
    assert estimate_s([job, small]) == pytest.approx(estimate_s([job]) + estimate_s([small]))
    assert estimate_s([]) == 0


def test_progress_says_how_long_it_will_take_until_it_is_done():
    assert progress("tuning", 3, 9, left_s=120.0) == "tuning: 3 of 9 runs, about 2.0 min left"
    assert progress("tuning", 9, 9, left_s=0.0) == "tuning: 9 of 9 runs"


TEXT = b'{"job":"a","best":[1.0]}\n{"commit":"c"}\n{"job":"b","best":[2.0]}\n{"job":"cut'
FOUND = {"a": {"job": "a", "best": [1.0]}, "b": {"job": "b", "best": [2.0]}}


def test_rows_are_told_from_starts_and_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    (tmp_path / ROWS).write_bytes(TEXT)
    assert read(tmp_path) == FOUND
    assert read_starts(tmp_path) == [{"commit": "c"}]


def test_compressed_rows_are_the_same(tmp_path: Path) -> None:
    (tmp_path / f"{ROWS}.gz").write_bytes(gzip.compress(TEXT))
    assert read(tmp_path) == FOUND


def test_an_empty_or_absent_folder_has_none(tmp_path: Path) -> None:
    assert read(tmp_path) == read(tmp_path / "absent") == {}


@pytest.mark.parametrize("line", [b"{]", b"[1]", b'{"job":NaN}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / ROWS).write_bytes(b'{"job":"a"}\n' + line + b"\n")
    with pytest.raises(DamagedFileError, match=r"rows\.jsonl, line 2"):
        read(tmp_path)
