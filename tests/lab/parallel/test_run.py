from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from atoll.scripts.lab.parallel import run
from atoll.scripts.lab.parallel.plan import Slot
from atoll.scripts.lab.parallel.run import StoppedError, run_once
from atoll.scripts.lab.parallel.setting import Setting
from atoll.scripts.processes.proc import MARKER
from tests.processes import hang_s

SLOT = Slot(2, 3, Setting("process_pool", "tiny", workers=2, start_method="spawn", fault="hang"))


def test_what_may_change_a_run_is_told_and_secrets_are_not():
    environment = {"RAY_X": "1", "RAY_AUTH_TOKEN": "s", "OMP_NUM_THREADS": "2", "HOME": "/", "PYTHONHASHSEED": "0"}
    assert run.told(environment) == {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "0", "RAY_X": "1"}


def test_a_driver_gets_its_settings_variables_a_place_and_a_mark():
    made = run.environment_of(SLOT.setting, {"A": "b", "OMP_NUM_THREADS": "9"}, scratch="place", mark="m")
    assert made["OMP_NUM_THREADS"] == "1"
    assert (made["A"], made["TMPDIR"], made[MARKER], made["RAY_USAGE_STATS_ENABLED"]) == ("b", "place", "m", "0")


def test_where_a_run_takes_place_is_known_down_to_the_boot_and_the_commit():
    here = run.provenance()
    assert all([here.host, here.boot_id, here.cpu, here.cores, here.python, here.numpy, here.torch, here.commit])
    assert run._version("no such library") is None


@pytest.mark.slow
def test_a_stop_ends_the_run_at_once_and_with_all_its_processes(bench):
    marks = []
    stop_s = time.monotonic() + 3.0
    stopping = replace(bench, is_stopping=lambda: time.monotonic() > stop_s, note=marks.append)
    with pytest.raises(StoppedError):
        run_once(SLOT, stopping, deadline_s=hang_s())
    assert run.marked(marks[0]) == []


@pytest.mark.slow
def test_a_backend_that_begins_no_trial_is_ended_too(bench, monkeypatch):
    monkeypatch.setattr(run, "SETUP_LIMIT_S", 0.1)
    row = run_once(SLOT, bench, deadline_s=hang_s())
    assert (row.outcome, row.trials, row.starts) == ("deadline", (), ())
    assert "trial 0 never began" in row.reason
    assert (row.block, row.order, row.setting.arm) == (2, 3, "process_pool")


@pytest.mark.slow
def test_a_finished_run_leaves_no_file_and_another_one_its_folder(bench):
    plain = Slot(1, 0, Setting("sequential", "tiny", n_trials=2))
    assert run_once(plain, bench, deadline_s=hang_s()).outcome == "finished"
    assert list(bench.runs.iterdir()) == []
    failed = replace(plain, setting=replace(plain.setting, fault="raise"))
    assert run_once(failed, bench, deadline_s=hang_s()).outcome == "failed"
    [folder] = bench.runs.iterdir()
    assert (folder / "driver.txt").exists()
    assert os.listdir(folder / "trials")
