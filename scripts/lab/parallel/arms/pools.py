"""Arms in processes of Python's own libraries and of joblib, and the sequential one that all are compared with."""

from __future__ import annotations

import contextlib
import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel import records
from atoll.scripts.lab.parallel.arms.arm import TRIES
from atoll.scripts.lab.parallel.worker import TrialFailedError, prepare, work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.scripts.lab.parallel.setting import Request


def run_sequential(request: Request) -> None:
    """Run one trial after the other, in one process: what everything else is compared with."""
    for index in range(request.setting.n_trials):
        with contextlib.suppress(TrialFailedError):
            work(request, index)


def run_pool(request: Request) -> None:
    """Run trials in `multiprocessing.Pool`: it replaces a dead worker, and waits for ever for what that one was doing.

    One trial at a time is handed out: `map` gives a worker several, and shows nothing till the end.
    """
    setting = request.setting
    context = multiprocessing.get_context(setting.start_method)
    with context.Pool(setting.workers, initializer=prepare, initargs=(setting,)) as pool:
        results = pool.imap_unordered(partial(work, request), range(setting.n_trials), chunksize=1)
        for _ in range(setting.n_trials):
            with contextlib.suppress(TrialFailedError):
                next(results)


def run_process_pool(request: Request) -> None:
    """Run trials in `concurrent.futures.ProcessPoolExecutor`: a dead worker breaks the pool, and the pool says so.

    A broken pool is replaced, and what has no record is given to the new one.
    """
    for _ in range(TRIES):
        left = records.missing(request.path, request.setting.n_trials)
        if left:
            with contextlib.suppress(BrokenProcessPool):
                _run_executor(request, left)


def _run_executor(request: Request, indices: Sequence[int]) -> None:
    context = multiprocessing.get_context(request.setting.start_method)
    with ProcessPoolExecutor(
        request.setting.workers, mp_context=context, initializer=prepare, initargs=(request.setting,)
    ) as pool:
        for future in as_completed([pool.submit(work, request, index) for index in indices]):
            with contextlib.suppress(TrialFailedError):
                future.result()


def run_loky(request: Request) -> None:
    """Run trials in joblib with its loky backend: processes that stay for the next call; a dead one ends the call.

    A call that a dead worker ended is made again, with what has no record.
    """
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
