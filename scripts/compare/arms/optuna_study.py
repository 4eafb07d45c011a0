"""What the arms with an Optuna study share: the search space, the queue of configurations, and the objective."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import optuna

from scripts.compare import strict, workload
from scripts.compare.space import SEARCH_SPACE, OneOf, Real, TrialConfig
from scripts.compare.worker import value_of, work

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.compare.request import Request, Setting

FAIL = optuna.trial.TrialState.FAIL
INDEX = "index"
"""The attribute that says which trial of the list a queued one is; its number says it no more after a second try."""


def create(setting: Setting, *, storage: optuna.storages.BaseStorage | None = None) -> optuna.Study:
    """Return a new study; its queue holds the configurations of the list, unless the sampler is to propose them."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", storage=storage, sampler=sampler(setting))
    if not setting.is_search:
        for index, config in enumerate(workload.sample_configs(setting.n_trials, seed=setting.seed)):
            study.enqueue_trial(asdict(config), user_attrs={INDEX: index})
    return study


def sampler(setting: Setting, *, worker: int = 0) -> optuna.samplers.BaseSampler:
    """Return the sampler of one worker; each has a seed of its own."""
    return optuna.samplers.TPESampler(seed=1000 * setting.seed + worker)


def suggest(trial: optuna.Trial) -> TrialConfig:
    """Return the trial's configuration: the queued one, or the sampler's."""
    return strict.from_json(TrialConfig, {name: _suggest(trial, name) for name in SEARCH_SPACE})


def index_of(trial: optuna.Trial, setting: Setting) -> int | None:
    """Return which trial of the run this is; None if it is one too many."""
    index = trial.user_attrs.get(INDEX, trial.number if setting.is_search else None)
    return index if index is not None and index < setting.n_trials else None


def objective(
    request: Request, *, cpu_clock: Callable[[], float] = time.process_time
) -> Callable[[optuna.Trial], float]:
    """Return the function that a study maximises."""

    def run(trial: optuna.Trial) -> float:
        index = index_of(trial, request.setting)
        if index is None:
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
