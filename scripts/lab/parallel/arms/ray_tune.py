"""Ray Tune with Optuna as its searcher: one actor for each trial that runs, used again for the next one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.parallel import workload
from atoll.scripts.lab.parallel.arms.arm import TRIES, lacks
from atoll.scripts.lab.parallel.space import TrialConfig
from atoll.scripts.lab.parallel.worker import value_of, work

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna

    from atoll.scripts.lab.parallel.request import Request, Setting

START_METHODS: tuple[str, ...] = ()
SAMPLERS = ("tpe",)
METRIC, INDEX = "fitness", "index"


def why_not(setting: Setting) -> str | None:  # noqa: ARG001 - it depends on nothing else
    """See `Arm`."""
    return lacks("ray", "optuna", "pandas", "pyarrow")


def run(request: Request) -> None:
    """See `Arm`; Tune tries a failed trial again whatever its failure was, also one that raised."""
    from atoll.scripts.lab.parallel.arms import ray_cluster  # noqa: PLC0415

    with ray_cluster.cluster(request):
        _tune(request)


def _tune(request: Request) -> None:
    from ray import tune  # noqa: PLC0415 - only this arm needs it
    from ray.tune.search.optuna import OptunaSearch  # noqa: PLC0415

    from atoll.scripts.lab.parallel.arms import optuna_study  # noqa: PLC0415

    setting = request.setting
    listed = [] if setting.is_search else workload.sample_configs(setting.n_trials, seed=setting.seed)
    search = OptunaSearch(
        _space,
        metric=METRIC,
        mode="max",
        sampler=optuna_study.sampler(setting),
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
    """Suggest a trial's configuration, and number it."""
    from atoll.scripts.lab.parallel.arms import optuna_study  # noqa: PLC0415 - loads Optuna

    return {**asdict(optuna_study.suggest(trial)), INDEX: trial.number}


def _trainable(request: Request) -> Callable[[dict[str, Any]], None]:
    def train(config: dict[str, Any]) -> None:
        from ray import tune  # noqa: PLC0415 - this is another process

        index = config[INDEX]
        named = {name: value for name, value in config.items() if name != INDEX}
        tune.report({METRIC: value_of(work(request, index, strict.from_json(TrialConfig, named)))})

    return train
