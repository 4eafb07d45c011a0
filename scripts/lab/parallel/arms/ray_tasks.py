"""Ray tasks under an Optuna study: the driver asks for a configuration, a task runs it, the driver tells the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atoll.scripts.lab.parallel.arms.arm import TRIES, lacks
from atoll.scripts.lab.parallel.worker import TrialFailedError, value_of, work

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.scripts.lab.parallel.request import Request, Setting
    from atoll.scripts.lab.parallel.space import TrialConfig

START_METHODS: tuple[str, ...] = ()
SAMPLERS = ("tpe",)


def why_not(setting: Setting) -> str | None:  # noqa: ARG001 - it depends on nothing else
    """See `Arm`."""
    return lacks("ray", "optuna")


def run(request: Request) -> None:
    """See `Arm`. Ray would run a crashed task again by itself and say nothing; here it is done once more, openly."""
    from atoll.scripts.lab.parallel.arms import ray_cluster  # noqa: PLC0415

    with ray_cluster.cluster(request):
        _ask_and_tell(request)


def _ask_and_tell(request: Request) -> None:
    import ray  # noqa: PLC0415 - only this arm needs it

    from atoll.scripts.lab.parallel.arms import optuna_study  # noqa: PLC0415

    setting = request.setting
    study = optuna_study.create(setting)
    start: Callable[[int, TrialConfig], Any] = _starter(request)
    pending: dict[Any, tuple[Any, int, TrialConfig, int]] = {}
    n_asked = 0
    while n_asked < setting.n_trials or pending:
        while n_asked < setting.n_trials and len(pending) < setting.workers:
            trial = study.ask()
            config = optuna_study.suggest(trial)
            pending[start(trial.number, config)] = (trial, trial.number, config, 1)
            n_asked += 1
        [done], _ = ray.wait(list(pending), num_returns=1)
        trial, index, config, tries = pending.pop(done)
        try:
            study.tell(trial, value_of(ray.get(done)))
        except TrialFailedError:
            study.tell(trial, state=optuna_study.FAIL)
        except ray.exceptions.WorkerCrashedError:
            if tries < TRIES:
                pending[start(index, config)] = (trial, index, config, tries + 1)
            else:
                study.tell(trial, state=optuna_study.FAIL)


def _starter(request: Request) -> Callable[[int, TrialConfig], Any]:
    import ray  # noqa: PLC0415 - loaded by now

    remote: Any = ray.remote(num_cpus=1, max_retries=0)(work)
    return lambda index, config: remote.remote(request, index, config)
