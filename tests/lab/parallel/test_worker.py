from __future__ import annotations

import os
import threading
import time

import pytest

from atoll.evo.errors import ConfigError
from atoll.scripts.lab.parallel import records, worker, workload
from atoll.scripts.lab.parallel.setting import Request, Setting
from atoll.scripts.lab.parallel.worker import TrialFailedError, work
from atoll.scripts.lab.parallel.workload import Tier


@pytest.fixture
def request_here(tmp_path, monkeypatch) -> Request:
    """A run of trials that take no time, in a process that may have any threads."""
    monkeypatch.setitem(workload.TIERS, "tiny", Tier(12, 2, 2, life_s=0.1))
    records.make_folders(tmp_path)
    return Request(Setting("sequential", "tiny", threads="default", limit="none"), str(tmp_path))


def test_a_trial_is_recorded_where_and_when_it_ran(request_here):
    before_s = time.monotonic()
    record = work(request_here, 2)
    assert records.read(request_here.path) == (record,)
    [start] = records.read_starts(request_here.path)
    assert (start.index, start.pid, start.start_s) == (2, os.getpid(), record.start_s)
    assert before_s <= record.start_s < record.end_s <= time.monotonic()
    assert (record.pid, record.tid) == (os.getpid(), threading.get_native_id())
    assert (len(record.fitness), record.error, record.evaluations) == (2, None, 2 * 12 * 3)
    assert worker.value_of(record) == pytest.approx(sum(record.fitness) / 2)


def test_a_configuration_of_ones_own_takes_the_place_of_the_lists(request_here):
    listed = workload.sample_configs(3, seed=1)
    assert work(request_here, 1).result_hash == work(request_here, 1, listed[1]).result_hash
    assert work(request_here, 1).result_hash != work(request_here, 1, listed[2]).result_hash


def test_a_trial_that_raises_is_recorded_and_told(request_here, monkeypatch):
    def fail(*_, **__):
        raise ConfigError("first line\nsecond line")

    worker.prepare(request_here.setting)
    monkeypatch.setattr(workload, "run_trial", fail)
    with pytest.raises(TrialFailedError, match="trial 0 raised ConfigError: first line"):
        work(request_here, 0)
    [record] = records.read(request_here.path)
    assert (record.error, record.fitness, record.result_hash) == ("ConfigError: first line", (), "")
    assert records.missing(request_here.path, 2) == [1]


def test_a_fault_befalls_its_trial_alone_and_half_way(request_here):
    setting = Setting("sequential", "tiny", threads="default", limit="none", fault="raise")
    faulty = Request(setting, request_here.folder)
    work(faulty, 0)
    with pytest.raises(TrialFailedError, match="InjectedError: as told, in generation 1"):
        work(faulty, 1)
