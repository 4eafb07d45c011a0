from __future__ import annotations

import pytest

from atoll.evo.errors import ConfigError
from atoll.evo.tasks.creatures import cuda
from atoll.scripts.lab.gpu import emulated
from atoll.scripts.lab.parallel import records, workload
from atoll.scripts.lab.parallel.arms import arm, gpu, islands
from atoll.scripts.lab.parallel.setting import START_METHODS, Request, Setting


@pytest.mark.parametrize("name", arm.ARMS)
def test_every_arm_is_loaded_without_its_backend_and_knows_what_it_may_choose(name):
    backend = arm.load(name)
    assert set(backend.start_methods) <= set(START_METHODS)
    assert set(backend.samplers) <= {"tpe"}


def test_an_unknown_arm_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="did you mean 'ray_tasks'"):
        arm.load("ray_task")


def test_a_library_that_is_not_installed_is_named():
    assert arm.lacks("optuna", "joblib") is None
    assert arm.lacks("optuna", "no_such_library") == "no_such_library is not installed; run 'make setup'"


def test_one_after_the_other_means_one_worker():
    assert arm.load("sequential").why_not(Setting("sequential", "tiny")) is None
    assert arm.load("sequential").why_not(Setting("sequential", "tiny", workers=2)) == (
        "one after the other means one worker"
    )


def test_without_a_gpu_its_arm_says_so_and_with_one_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(arm, "GPU_DRIVER", tmp_path / "nothing")
    assert "no GPU here" in arm.load("gpu_batch").why_not(Setting("gpu_batch", "tiny"))
    monkeypatch.setattr(arm, "GPU_DRIVER", tmp_path)
    monkeypatch.setattr(arm, "lacks", lambda *_: None)
    assert arm.load("gpu_batch").why_not(Setting("gpu_batch", "tiny")) is None


def test_trials_that_share_a_gpu_return_what_each_returns_alone(tmp_path, monkeypatch):
    """The GPU's program is run on the processor."""
    pytest.importorskip("cuda.core", reason="cuda-core is not installed (the extra cuda)")
    monkeypatch.setitem(workload.TIERS, "tiny", workload.Tier(12, 2, 2, life_s=0.5))
    kernel = emulated.load()
    monkeypatch.setattr(cuda, "load", lambda *_: kernel)
    records.make_folders(tmp_path)
    gpu.run_batch(Request(Setting("gpu_batch", "tiny", n_trials=3), str(tmp_path)))
    found = records.read(tmp_path)
    tier = workload.tier_named("tiny")
    for index, config in enumerate(workload.sample_configs(3, seed=Setting("gpu_batch", "tiny").seed)):
        law = workload.run_trial(index, config, workload.seeds_of(tier), budget=tier, evaluator="native")
        assert (found[index].result_hash, found[index].fitness) == (law.sha256, law.fitness)


def test_a_gpu_that_fails_is_told_in_every_trial(tmp_path, monkeypatch):
    def fail(*_):
        raise ConfigError("no NVIDIA driver is installed")

    monkeypatch.setattr(cuda, "load", fail)
    records.make_folders(tmp_path)
    gpu.run_batch(Request(Setting("gpu_batch", "tiny", n_trials=2), str(tmp_path)))
    assert ["no NVIDIA driver" in record.error for record in records.read(tmp_path)] == [True, True]


def test_an_island_is_started_by_the_command_that_anybody_would_type(tmp_path):
    setting = Setting("islands", "small", threads="2", workers=2)
    command = islands.command(setting, 3, seed=2, root=tmp_path)
    assert command[2:4] == ["evolve", "trial-3"]
    flags = dict(zip(command[4:-2:2], command[5:-2:2], strict=True))
    assert (flags["--seed"], flags["--threads"], flags["--topology"]) == ("2", "2", "none")
    assert (flags["--population"], flags["--generations"], flags["--backend"]) == ("200", "20", "reference")
    assert command[-2:] == ["--migration-dir", str(tmp_path)]
    migrating = islands.command(Setting("islands", "small", migrate_every=5), 3, seed=2, root=tmp_path)
    assert migrating[migrating.index("--topology") + 1] == "full"
    assert migrating[migrating.index("--migrate-every") + 1] == "5"
