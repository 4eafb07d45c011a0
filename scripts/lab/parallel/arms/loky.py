"""joblib with its loky backend: processes that stay for the next call; a dead one ends the call."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel import records
from atoll.scripts.lab.parallel.arms.arm import TRIES, lacks
from atoll.scripts.lab.parallel.worker import TrialFailedError, work

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.request import Request, Setting

START_METHODS: tuple[str, ...] = ()
SAMPLERS: tuple[str, ...] = ()


def why_not(setting: Setting) -> str | None:  # noqa: ARG001 - it depends on nothing else
    """See `Arm`."""
    return lacks("joblib")


def run(request: Request) -> None:
    """See `Arm`: a call that a dead worker ended is made again, with what has no record."""
    from joblib import Parallel, delayed  # noqa: PLC0415 - only this arm needs it
    from joblib.externals.loky.process_executor import TerminatedWorkerError  # noqa: PLC0415

    warnings.filterwarnings("error", message=".*n_jobs=1")  # joblib would go on with one worker
    for _ in range(TRIES):
        left = records.missing(request.path, request.setting.n_trials)
        with contextlib.suppress(TerminatedWorkerError):
            parallel = Parallel(
                n_jobs=request.setting.workers, backend="loky", return_as="generator_unordered", batch_size=1
            )
            for _ in parallel(delayed(_work)(request, index) for index in left):
                pass


def _work(request: Request, index: int) -> None:
    """Run a trial; joblib would end the whole call if it raised."""
    with contextlib.suppress(TrialFailedError):
        work(request, index)
