"""Arms on a Ray cluster: tasks under an Optuna study, or Ray Tune; a small cluster of its own, or an existing one.

Ray is loaded inside the functions: it reads its environment when it is loaded.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.parallel import workload
from atoll.scripts.lab.parallel.arms import optuna_arms
from atoll.scripts.lab.parallel.arms.arm import TRIES
from atoll.scripts.lab.parallel.worker import TrialFailedError, value_of, work
from atoll.scripts.lab.parallel.workload import TrialConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import optuna

    from atoll.scripts.lab.parallel.setting import Request

OBJECT_STORE_BYTES = 100_000_000
"""Nothing large goes through it; Ray wants 75 MiB at least."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
}
"""What keeps Ray from reporting its use over the network, and from saying what nobody can act upon."""
METRIC, INDEX = "fitness", "index"


def run_tasks(request: Request) -> None:
    """Run trials as Ray tasks under an Optuna study: ask for a configuration, run it in a task, tell the result.

    Ray would run a crashed task again by itself and say nothing; here it is done once more, openly.
    """
    with cluster(request):
        _ask_and_tell(request)


def _ask_and_tell(request: Request) -> None:
    import ray  # noqa: PLC0415 - only this arm needs it

    setting = request.setting
    study = optuna_arms.create(setting)
    remote: Any = ray.remote(num_cpus=1, max_retries=0)(work)
    pending: dict[Any, tuple[Any, int, TrialConfig, int]] = {}
    n_asked = 0
    while n_asked < setting.n_trials or pending:
        while n_asked < setting.n_trials and len(pending) < setting.workers:
            trial = study.ask()
            config = optuna_arms.suggest(trial)
            pending[remote.remote(request, trial.number, config)] = (trial, trial.number, config, 1)
            n_asked += 1
        [done], _ = ray.wait(list(pending), num_returns=1)
        trial, index, config, tries = pending.pop(done)
        try:
            study.tell(trial, value_of(ray.get(done)))
        except TrialFailedError:
            study.tell(trial, state=optuna_arms.FAIL)
        except ray.exceptions.WorkerCrashedError:
            if tries < TRIES:
                pending[remote.remote(request, index, config)] = (trial, index, config, tries + 1)
            else:
                study.tell(trial, state=optuna_arms.FAIL)


def run_tune(request: Request) -> None:
    """Run trials by Ray Tune with Optuna as its searcher: one actor for each trial that runs, used again for the next.

    Tune tries a failed trial again whatever its failure was, also one that raised.
    """
    with cluster(request):
        _tune(request)


def _tune(request: Request) -> None:
    from ray import tune  # noqa: PLC0415 - only this arm needs it
    from ray.tune.search.optuna import OptunaSearch  # noqa: PLC0415

    setting = request.setting
    listed = [] if setting.sampler else workload.sample_configs(setting.n_trials, seed=setting.seed)
    search = OptunaSearch(
        _space,
        metric=METRIC,
        mode="max",
        sampler=optuna_arms.sampler(setting),
        points_to_evaluate=[asdict(config) for config in listed],
    )
    tune.Tuner(
        tune.with_resources(_trainable(request), {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=search,
            num_samples=setting.n_trials,
            max_concurrent_trials=setting.workers,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            storage_path=str(request.path / "tune"),
            failure_config=tune.FailureConfig(max_failures=TRIES - 1),
            verbose=0,
        ),
    ).fit()


def _space(trial: optuna.Trial) -> dict[str, Any]:
    return {**asdict(optuna_arms.suggest(trial)), INDEX: trial.number}


def _trainable(request: Request) -> Callable[[dict[str, Any]], None]:
    def train(config: dict[str, Any]) -> None:
        from ray import tune  # noqa: PLC0415 - this is another process

        index = config[INDEX]
        named = {name: value for name, value in config.items() if name != INDEX}
        tune.report({METRIC: value_of(work(request, index, strict.from_json(TrialConfig, named)))})

    return train


@contextlib.contextmanager
def cluster(request: Request) -> Iterator[None]:
    """Be connected to a cluster; one that was started here ends with it."""
    os.environ.update(QUIET)
    if request.ray_address is None:  # Ray would put a secret of its own into the user's home
        os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)})
    import ray  # noqa: PLC0415 - reads its environment when it is loaded

    if request.ray_address is not None:
        ray.init(address=request.ray_address, logging_level=logging.WARNING, log_to_driver=False)
    else:
        ray.init(
            num_cpus=request.setting.workers,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            logging_level=logging.WARNING,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
        )
    try:
        yield
    finally:
        ray.shutdown()
