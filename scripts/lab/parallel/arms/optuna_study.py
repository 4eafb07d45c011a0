"""What the arms with an Optuna study share: the search space, the queue of configurations, and the objective."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import optuna

from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.parallel import workload
from atoll.scripts.lab.parallel.space import SEARCH_SPACE, OneOf, Real, TrialConfig
from atoll.scripts.lab.parallel.worker import value_of, work

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.scripts.lab.parallel.request import Request, Setting

FAIL = optuna.trial.TrialState.FAIL
INDEX = "index"
"""The attribute that says which trial of the run a queued one is; its number says it no more after a second try."""


def create(setting: Setting, *, storage: optuna.storages.BaseStorage | None = None) -> optuna.Study:
    """Return a new study with a place in its queue for each trial: its configuration, or nothing for the sampler."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", storage=storage, sampler=sampler(setting))
    for index, config in enumerate(workload.sample_configs(setting.n_trials, seed=setting.seed)):
        study.enqueue_trial({} if setting.is_search else asdict(config), user_attrs={INDEX: index})
    return study


def sampler(setting: Setting, *, worker: int = 0) -> optuna.samplers.BaseSampler:
    """Return the sampler of one worker; each has a seed of its own."""
    return optuna.samplers.TPESampler(seed=1000 * setting.seed + worker)


def suggest(trial: optuna.Trial) -> TrialConfig:
    """Return the trial's configuration: the queued one, or the sampler's."""
    return strict.from_json(TrialConfig, {name: _suggest(trial, name) for name in SEARCH_SPACE})


def objective(
    request: Request, *, cpu_clock: Callable[[], float] = time.process_time
) -> Callable[[optuna.Trial], float]:
    """Return the function that a study maximises."""

    def run(trial: optuna.Trial) -> float:
        index = trial.user_attrs.get(INDEX)
        if index is None:  # the queue is empty
            trial.study.stop()
            raise optuna.TrialPruned
        return value_of(work(request, index, suggest(trial), cpu_clock=cpu_clock))

    return run


def _suggest(trial: optuna.Trial, name: str) -> Any:  # noqa: ANN401 - a number or a word
    domain = SEARCH_SPACE[name]
    if isinstance(domain, Real):
        return trial.suggest_float(name, domain.low, domain.high, log=domain.is_log)
    if isinstance(domain, OneOf):
        return trial.suggest_categorical(name, domain.words)
    return trial.suggest_int(name, domain.low, domain.high)
