from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.evo.resources import THREAD_VARIABLES
from atoll.scripts.lab.parallel.setting import Request, Setting

PLAIN = Setting("pool", "tiny")


def test_a_request_is_read_as_it_was_written(tmp_path):
    request = Request(replace(PLAIN, workers=3, fault="kill", start_method="fork"), str(tmp_path), "127.0.0.1:6379")
    request.save(tmp_path / "request.json")
    assert Request.load(tmp_path / "request.json") == request
    assert request.path == tmp_path
    (tmp_path / "request.json").write_text("{}")
    with pytest.raises(DamagedFileError):
        Request.load(tmp_path / "request.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"evaluator": "gpu"}, "--evaluator must be one of reference, native; got 'gpu'"),
        ({"limit": "late"}, "--limit"),
        ({"wait_policy": "active"}, "--wait-policy"),
        ({"start_method": "vfork"}, "--start-method"),
        ({"fault": "sulk"}, "--fault"),
        ({"sampler": "random"}, "--sampler"),
        ({"threads": "0"}, "--threads"),
        ({"threads": "many"}, "--threads"),
        ({"threads": "default"}, "go together"),
        ({"limit": "none"}, "go together"),
        ({"workers": 0}, "--workers must be at least 1, got 0"),
        ({"n_trials": 0}, "--trials"),
        ({"n_trials": 1, "fault": "kill"}, "--fault befalls trial 1"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_flag(change, said):
    with pytest.raises(ConfigError, match=said):
        replace(PLAIN, **change)


def test_a_setting_decides_its_variables_whatever_the_caller_has_set():
    caller = dict.fromkeys(THREAD_VARIABLES, "7") | {"OMP_WAIT_POLICY": "ACTIVE", "HOME": "/home"}
    free = replace(PLAIN, threads="default", limit="none")
    assert free.environment(caller) == {"HOME": "/home"}
    assert replace(PLAIN, limit="after_import").environment(caller) == {"HOME": "/home"}
    limited = replace(PLAIN, threads="3", wait_policy="passive").environment(caller)
    assert limited == {"HOME": "/home", "OMP_WAIT_POLICY": "PASSIVE", **dict.fromkeys(THREAD_VARIABLES, "3")}
