"""Tables of real runs: stopped, killed and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.evo import strict_json
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.parallel import rows
from atoll.scripts.lab.parallel.plan import MARK, PLAN, ROWS, RUNS, load
from atoll.scripts.lab.parallel.rows import FINISHED
from atoll.scripts.lab.parallel.run import marked, new_mark, scratch_of
from atoll.scripts.processes.proc import MARKER
from tests.processes import ROOT, check_refused, hang_s, kill_all_in, run, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    try:
        yield tmp_path / "table"
    finally:
        kill_all_in(tmp_path)


def command(folder: Path, name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "atoll.scripts.lab", "compare", name, *arguments, "--out", str(folder)]


def begin(folder: Path, *arguments: str) -> list[str]:
    evaluator = Creatures(CreatureOptions()).backend  # the fast one, where it can be built
    quick = ("--tier", "tiny", "--calibration-s", "0.01", "--tries", "1", "--trials", "2", "--evaluator", evaluator)
    return command(folder, "run", *quick, *arguments)


def places(folder: Path) -> list[tuple[int, int]]:
    return [(row.block, row.order) for row in rows.read(folder / ROWS)]


def test_a_table_is_made_to_its_end_and_said_as_it_grows(folder):
    ended = run(*begin(folder, "--arms", "process_pool,gpu_batch", "--blocks", "1"))
    assert (ended.returncode, ended.stdout) == (0, f"complete: {folder / ROWS}\n"), ended.stderr
    found = rows.read(folder / ROWS)
    assert places(folder) == [(0, 0), (1, 0), (1, 1), (1, 2), (1, 3)]
    assert sorted(row.setting.arm for row in found[1:]) == ["gpu_batch", "process_pool", "sequential", "sequential"]
    assert [row.is_repeat for row in found if row.setting.arm == "sequential"] == [False, False, True]
    assert {row.session for row in found} == {load(folder).session}
    assert {row.outcome for row in found if row.setting.arm != "gpu_batch"} == {FINISHED}
    for row in found[1:]:
        assert row.deadline_s < 1000
    pool = next(row for row in found if row.setting.arm == "process_pool")
    assert pool.usage.peak_processes >= 3
    assert pool.provenance.environment["OMP_NUM_THREADS"] == "1"
    assert pool.provenance.boot_id == load(folder).boot_id
    assert "run 5 of 5, block 1" in ended.stderr
    assert " left" in ended.stderr
    assert list((folder / RUNS).iterdir()) == []
    assert not (folder / MARK).exists()
    check_refused(run(*begin(folder, "--arms", "pool")), 2, "holds a table already")
    assert run(*command(folder, "resume")).stdout == f"complete: {folder / ROWS}\n"
    assert rows.read(folder / ROWS) == found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_table_that_is_stopped_or_killed_goes_on_and_nothing_runs_on(folder, number):
    harness = subprocess.Popen(begin(folder, "--arms", "process_pool", "--blocks", "1"), cwd=ROOT)
    wait_until(lambda: len(places(folder)) >= 1 and (folder / MARK).exists(), "the second run")
    mark = (folder / MARK).read_text()
    wait_until(lambda: len(marked(mark)) > 0 or not (folder / MARK).exists(), "its processes")
    harness.send_signal(number)
    code = harness.wait(hang_s())
    before = places(folder)
    if number == signal.SIGKILL:
        assert code == -number
    else:
        assert code == 128 + number
        assert marked(mark) == []
    ended = run(*command(folder, "resume"))
    assert ended.returncode == 0, ended.stderr
    assert marked(mark) == []
    assert not scratch_of(mark).exists()
    assert places(folder) == [(0, 0), (1, 0), (1, 1), (1, 2)]
    assert places(folder)[: len(before)] == before
    assert len({row.session for row in rows.read(folder / ROWS)}) == 1


def test_a_row_that_was_torn_by_a_power_cut_is_made_again(folder):
    assert run(*begin(folder, "--arms", "sequential", "--blocks", "1")).returncode == 0
    whole = rows.read(folder / ROWS)
    os.truncate(folder / ROWS, (folder / ROWS).stat().st_size - 10)
    assert run(*command(folder, "resume")).returncode == 0
    assert [(row.block, row.order) for row in rows.read(folder / ROWS)] == [(row.block, row.order) for row in whole]


def test_what_a_killed_harness_left_is_ended_by_the_next_and_said(folder):
    assert run(*begin(folder, "--arms", "sequential", "--blocks", "1")).returncode == 0
    mark = new_mark()
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], env={**os.environ, MARKER: mark})
    (folder / MARK).write_text(mark)
    scratch_of(mark).mkdir()
    (scratch_of(mark) / "left").write_text("half a store")
    ended = run(*command(folder, "resume"))
    assert (ended.returncode, left.wait(hang_s())) == (0, -signal.SIGKILL)
    assert "ended 1 processes that an earlier call had left behind" in ended.stderr
    assert not (folder / MARK).exists()
    assert not scratch_of(mark).exists()


def test_another_boot_is_refused_and_the_table_stays(folder):
    assert run(*begin(folder, "--arms", "sequential", "--blocks", "1")).returncode == 0
    plan = strict.to_json(load(folder))
    (folder / PLAN).write_bytes(strict_json.encode(plan | {"boot_id": "another"}))
    before = (folder / ROWS).read_bytes()
    check_refused(run(*command(folder, "resume")), 3, "boot another", "never share a table")
    assert (folder / ROWS).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--arms", "pol"], ["no arm is called 'pol'", "did you mean 'pool'"]),
        (["--arms", "pool", "--workers", "two"], ["--workers", "'two'"]),
        (["--arms", "pool", "--tier", "huge"], ["--tier"]),
        (["--arms", "pool", "--fault", "sulk"], ["--fault"]),
        (["--arms", ","], ["nothing to compare"]),
        (["--arms", "pool", "--blocks", "0"], ["--blocks"]),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line_and_begins_no_table(folder, arguments, words):
    check_refused(run(*command(folder, "run", *arguments)), 2, *words)
    assert not (folder / PLAN).exists()
    check_refused(run(*command(folder, "resume")), 2, "holds no table")


def test_the_plan_is_plain_json(folder):
    assert run(*begin(folder, "--arms", "gpu_batch", "--blocks", "1")).returncode == 0
    assert json.loads((folder / PLAN).read_bytes())["settings"][0]["arm"] == "gpu_batch"
