"""Arms with an Optuna study: threads of one process, or processes over a journal; and the study that all share.

A study has the search space, a queue of configurations and the objective.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import asdict
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages.journal import JournalFileBackend

from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.parallel import records, workload
from atoll.scripts.lab.parallel.arms.arm import TRIES
from atoll.scripts.lab.parallel.worker import TrialFailedError, prepare, value_of, work
from atoll.scripts.lab.parallel.workload import SEARCH_SPACE, OneOf, Real, TrialConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess

    from atoll.scripts.lab.parallel.setting import Request, Setting

FAIL = optuna.trial.TrialState.FAIL
INDEX = "index"
"""The attribute that says which trial of the run a queued one is; its number says it no more after a second try."""
PID = "pid"
"""The attribute that says which process has a trial: a journal has no heartbeat."""


def run_threads(request: Request) -> None:
    """Run trials by Optuna's `n_jobs`: threads of one process, whatever its name suggests.

    Limits are set before the threads start, as started ones keep theirs.
    """
    setting = request.setting
    prepare(setting)
    create(setting).optimize(
        objective(request, cpu_clock=time.thread_time),
        n_trials=setting.n_trials,
        n_jobs=setting.workers,
        catch=(TrialFailedError,),
    )


def run_processes(request: Request) -> None:
    """Run trials as Optuna's manual advises: processes of one job each, over a study in a journal file.

    What a dead worker had is failed and queued again, and another worker takes its place.
    """
    study = create(request.setting, storage=_storage(request))
    context = multiprocessing.get_context(request.setting.start_method)
    workers = {n: _start(context, request, study.study_name, n) for n in range(request.setting.workers)}
    n_dead = 0
    while workers:
        wait([worker.sentinel for worker in workers.values()])
        for n, worker in [(n, worker) for n, worker in workers.items() if not worker.is_alive()]:
            worker.join()
            del workers[n]
            _queue_again(study, worker.pid)
            n_dead += worker.exitcode != 0
            if worker.exitcode != 0 and n_dead < TRIES and records.missing(request.path, request.setting.n_trials):
                number = n + request.setting.workers
                workers[number] = _start(context, request, study.study_name, number)


def _start(context: Any, request: Request, name: str, number: int) -> BaseProcess:  # noqa: ANN401 - any start method
    process: BaseProcess = context.Process(target=_optimise, args=(request, name, number))
    process.start()
    return process


def _optimise(request: Request, name: str, number: int) -> None:
    """Be worker `number` of a study, until nothing is left."""
    prepare(request.setting)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(
        study_name=name, storage=_storage(request), sampler=sampler(request.setting, worker=number)
    )
    maximised = objective(request)

    def marked(trial: optuna.Trial) -> float:
        trial.set_user_attr(PID, os.getpid())
        return maximised(trial)

    study.optimize(marked, catch=(TrialFailedError,))


def _queue_again(study: optuna.Study, pid: int | None) -> None:
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        if trial.user_attrs.get(PID) == pid:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            study.enqueue_trial(trial.params, user_attrs={INDEX: trial.user_attrs[INDEX]})


def _storage(request: Request) -> optuna.storages.BaseStorage:
    return optuna.storages.JournalStorage(JournalFileBackend(str(request.path / "optuna.journal")))


def create(setting: Setting, *, storage: optuna.storages.BaseStorage | None = None) -> optuna.Study:
    """Return a new study with a place in its queue for each trial: its configuration, or nothing for the sampler."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", storage=storage, sampler=sampler(setting))
    for index, config in enumerate(workload.sample_configs(setting.n_trials, seed=setting.seed)):
        study.enqueue_trial({} if setting.sampler else asdict(config), user_attrs={INDEX: index})
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
