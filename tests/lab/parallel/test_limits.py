"""What each way of setting the limit does, in real workers: the variable after the import does nothing."""

from __future__ import annotations

import os

import pytest

from atoll.scripts.lab.parallel.plan import Slot
from atoll.scripts.lab.parallel.run import run_once
from atoll.scripts.lab.parallel.setting import Setting
from tests.processes import hang_s

pytestmark = pytest.mark.slow


def threads_of(bench, **changes):
    changes = {"wait_policy": "passive", **changes}  # threads that spin take minutes where others want the cores too
    row = run_once(Slot(1, 0, Setting("sequential", "tiny", n_trials=1, **changes)), bench, deadline_s=hang_s())
    return row.trials[0].torch_threads, row.provenance.environment


def test_the_limit_before_the_import_and_the_call_work_and_the_variable_after_the_import_does_not(bench):
    free, environment = threads_of(bench, threads="default", limit="none")
    assert "OMP_NUM_THREADS" not in environment
    if free == 1:
        pytest.skip("a machine with one core has nothing to limit")
    assert threads_of(bench, threads="1", limit="before_import")[0] == 1
    assert threads_of(bench, threads="1", limit="set_num_threads")[0] == 1
    assert threads_of(bench, threads="1", limit="after_import")[0] == free


def test_the_callers_own_variables_do_not_reach_a_run(bench, monkeypatch):
    before = threads_of(bench, threads="default", limit="none")
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")
    monkeypatch.setitem(os.environ, "OMP_WAIT_POLICY", "ACTIVE")
    assert threads_of(bench, threads="default", limit="none") == before
