"""Every backend for real, at the smallest size: what it returns, and what becomes of the others if one trial fails."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.parallel import workload
from atoll.scripts.lab.parallel.arms import arm
from atoll.scripts.lab.parallel.plan import Slot
from atoll.scripts.lab.parallel.rows import DEADLINE, FAILED, FINISHED, SKIPPED
from atoll.scripts.lab.parallel.run import run_once
from atoll.scripts.lab.parallel.setting import FAULTY_TRIAL, Setting
from tests.processes import hang_s, slowness

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.rows import RunRow
    from atoll.scripts.lab.parallel.run import RunContext

pytestmark = pytest.mark.slow

ARMS = [name for name in arm.ARMS if name != "gpu_batch"]
IN_ONE_PROCESS = {"sequential", "optuna_threads"}
"""Where a killed worker is the driver itself."""
ALONE = {"sequential"}
"""Where nothing goes on beside a trial that hangs."""
IMPATIENT_S = 4.0
"""Longer than the trials take that do not hang."""
N_TRIALS = 4
OTHERS = [index for index in range(N_TRIALS) if index != FAULTY_TRIAL]


@cache
def quick() -> str:
    """The fast evaluator, where it can be built."""
    return Creatures(CreatureOptions()).backend


def setting_for(name: str, **changes) -> Setting:
    starts = arm.load(name).start_methods
    workers = 1 if name == "sequential" else 2
    return Setting(name, "tiny", workers=workers, start_method=starts[0] if starts else None, **changes)


def made(bench: RunContext, setting: Setting, *, deadline_s: float | None = None) -> RunRow:
    return run_once(Slot(1, 0, setting), bench, deadline_s=deadline_s or hang_s())


def faulty(bench: RunContext, name: str, fault: str, *, deadline_s: float | None = None) -> RunRow:
    evaluator = "reference" if name == "islands" else quick()  # slow enough to be hit in the middle
    return made(bench, setting_for(name, fault=fault, evaluator=evaluator), deadline_s=deadline_s)


@cache
def expected() -> tuple[str, ...]:
    """The results' hashes, computed here by the fast evaluator."""
    tier = workload.TIERS["tiny"]
    configs = workload.sample_configs(N_TRIALS, seed=1)
    seeds = workload.seeds_of(tier)
    results = (
        workload.run_trial(index, config, seeds, budget=tier, evaluator=quick()) for index, config in enumerate(configs)
    )
    return tuple(result.sha256 for result in results)


def done(row: RunRow) -> list[int]:
    return [trial.index for trial in row.trials if trial.error is None]


def check_hashes(row: RunRow) -> None:
    assert all(trial.result_hash == expected()[trial.index] for trial in row.trials if trial.error is None)


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_returns_the_same_results_and_leaves_nobody_behind(bench, name):
    row = made(bench, setting_for(name))
    assert (row.outcome, row.usage.stray_processes) == (FINISHED, 0), row.reason
    assert done(row) == list(range(N_TRIALS))
    check_hashes(row)
    assert [trial.torch_threads for trial in row.trials] == [None if name == "islands" else 1] * N_TRIALS
    n_processes = len({trial.pid for trial in row.trials})
    assert n_processes == {"islands": N_TRIALS}.get(name, 1 if name in IN_ONE_PROCESS else 2)
    assert all(row.launched_s < trial.start_s < trial.end_s < row.exited_s for trial in row.trials)


@pytest.mark.parametrize("name", ARMS)
def test_a_trial_that_raises_is_reported_and_costs_no_other(bench, name):
    row = faulty(bench, name, "raise")
    assert row.outcome == FAILED
    assert f"trial {FAULTY_TRIAL} raised" in row.reason
    assert " /" not in row.reason  # where it was run is no part of a row that is kept
    assert (done(row), row.usage.stray_processes) == (OTHERS, 0)
    check_hashes(row)


@pytest.mark.parametrize("name", ARMS)
def test_a_killed_worker_is_reported_and_loses_nothing_that_was_recorded(bench, name):
    row = faulty(bench, name, "kill", deadline_s=IMPATIENT_S * slowness() if name == "pool" else None)
    assert row.usage.stray_processes == 0
    check_hashes(row)
    if name in IN_ONE_PROCESS:
        assert row.outcome == FAILED
        assert "killed by signal 9" in row.reason
        assert set(done(row)) <= {0}
    elif name == "pool":
        assert row.outcome == DEADLINE
        assert f"trial {FAULTY_TRIAL} was lost with process" in row.reason
        assert done(row) == OTHERS
    else:
        assert row.outcome == FINISHED
        assert f"trial {FAULTY_TRIAL} was begun 2 times" in row.reason
        assert done(row) == list(range(N_TRIALS))


@pytest.mark.parametrize("name", ARMS)
def test_a_trial_that_hangs_is_ended_at_the_deadline_and_the_others_are_kept(bench, name):
    deadline_s = slowness() * (6 * IMPATIENT_S if name == "islands" else IMPATIENT_S)  # it starts a process a trial
    row = faulty(bench, name, "hang", deadline_s=deadline_s)
    assert row.outcome == DEADLINE
    assert f"trial {FAULTY_TRIAL} began in process" in row.reason
    assert "never ended" in row.reason
    assert row.exited_s - row.starts[0].start_s >= deadline_s
    assert done(row) == ([0] if name in ALONE else OTHERS)
    check_hashes(row)


@pytest.mark.parametrize("start_method", ["forkserver", "fork"])
@pytest.mark.parametrize("name", ["pool", "process_pool", "optuna_processes"])
def test_however_processes_start_results_are_the_same(bench, name, start_method):
    row = made(bench, Setting(name, "tiny", workers=2, start_method=start_method, evaluator=quick()))
    assert (row.outcome, done(row), row.setting.start_method) == (FINISHED, list(range(N_TRIALS)), start_method), (
        row.reason
    )
    check_hashes(row)


@pytest.mark.parametrize("name", ["optuna_threads", "optuna_processes", "ray_tasks", "ray_tune"])
def test_a_sampler_searches_elsewhere_than_the_list_does(bench, name):
    row = made(bench, setting_for(name, sampler="tpe", evaluator=quick()))
    assert (row.outcome, done(row)) == (FINISHED, list(range(N_TRIALS))), row.reason
    assert not {trial.result_hash for trial in row.trials} & set(expected())


def test_islands_that_migrate_return_other_results(bench):
    """All but those, if any, that were over before another had published."""
    row = made(bench, setting_for("islands", migrate_every=2, evaluator=quick()))
    assert (row.outcome, done(row)) == (FINISHED, list(range(N_TRIALS))), row.reason
    assert {trial.result_hash for trial in row.trials} - set(expected())


def test_an_arm_that_cannot_run_here_says_why(bench):
    row = made(bench, setting_for("gpu_batch"))
    assert (row.outcome, row.trials) == (SKIPPED, ())
    assert "GPU" in row.reason
    row = made(bench, setting_for("islands", threads="default", limit="none"))
    assert (row.outcome, row.trials) == (SKIPPED, ())


def test_the_import_that_the_plan_begins_with_is_in_no_installed_release():
    """Its first experiment rests on it; the integration that exists is Ray Tune's search, the arm `ray_tune`."""
    import optuna_integration  # noqa: F401, PLC0415 - without it the import fails for another reason

    with pytest.raises((ImportError, AttributeError), match="RayStudy"):
        from optuna.integration import RayStudy  # noqa: F401, PLC0415
