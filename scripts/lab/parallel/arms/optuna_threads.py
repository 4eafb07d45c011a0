"""Optuna's `n_jobs`: threads of one process, whatever its name suggests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.arms.arm import lacks
from atoll.scripts.lab.parallel.worker import TrialFailedError, prepare

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.request import Request, Setting

START_METHODS: tuple[str, ...] = ()
SAMPLERS = ("tpe",)


def why_not(setting: Setting) -> str | None:  # noqa: ARG001 - it depends on nothing else
    """See `Arm`."""
    return lacks("optuna")


def run(request: Request) -> None:
    """See `Arm`; limits are set before the threads start, as started ones keep theirs."""
    from atoll.scripts.lab.parallel.arms import optuna_study  # noqa: PLC0415 - loads Optuna

    setting = request.setting
    prepare(setting)
    optuna_study.create(setting).optimize(
        optuna_study.objective(request, cpu_clock=time.thread_time),
        n_trials=setting.n_trials,
        n_jobs=setting.workers,
        catch=(TrialFailedError,),
    )
