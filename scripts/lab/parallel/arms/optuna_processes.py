"""Optuna as its manual advises for many processes: each optimises with one job, over a study in a journal file."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from atoll.scripts.lab.parallel import records
from atoll.scripts.lab.parallel.arms.arm import TRIES, lacks

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    import optuna

    from atoll.scripts.lab.parallel.request import Request, Setting

START_METHODS = ("spawn", "forkserver", "fork")
SAMPLERS = ("tpe",)
PID = "pid"
"""The attribute that says which process has a trial: a journal has no heartbeat."""


def why_not(setting: Setting) -> str | None:  # noqa: ARG001 - it depends on nothing else
    """See `Arm`."""
    return lacks("optuna")


def run(request: Request) -> None:
    """See `Arm`: what a dead worker had is failed and queued again, and another worker takes its place."""
    from atoll.scripts.lab.parallel.arms import optuna_study  # noqa: PLC0415 - loads Optuna

    study = optuna_study.create(request.setting, storage=_storage(request))
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
    import optuna  # noqa: PLC0415 - this is another process

    from atoll.scripts.lab.parallel.arms import optuna_study  # noqa: PLC0415
    from atoll.scripts.lab.parallel.worker import TrialFailedError, prepare  # noqa: PLC0415

    prepare(request.setting)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna_study.sampler(request.setting, worker=number)
    study = optuna.load_study(study_name=name, storage=_storage(request), sampler=sampler)
    objective = optuna_study.objective(request)

    def marked(trial: optuna.Trial) -> float:
        trial.set_user_attr(PID, os.getpid())
        return objective(trial)

    study.optimize(marked, catch=(TrialFailedError,))


def _queue_again(study: optuna.Study, pid: int | None) -> None:
    import optuna  # noqa: PLC0415 - loaded by now

    from atoll.scripts.lab.parallel.arms.optuna_study import INDEX  # noqa: PLC0415

    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        if trial.user_attrs.get(PID) == pid:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            study.enqueue_trial(trial.params, user_attrs={INDEX: trial.user_attrs[INDEX]})


def _storage(request: Request) -> optuna.storages.BaseStorage:
    import optuna  # noqa: PLC0415 - loaded by now
    from optuna.storages.journal import JournalFileBackend  # noqa: PLC0415

    return optuna.storages.JournalStorage(JournalFileBackend(str(request.path / "optuna.journal")))
