"""`concurrent.futures.ProcessPoolExecutor`: a dead worker breaks the pool, and the pool says so."""

from __future__ import annotations

import contextlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel import records
from atoll.scripts.lab.parallel.arms.arm import TRIES
from atoll.scripts.lab.parallel.worker import TrialFailedError, prepare, work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.scripts.lab.parallel.request import Request, Setting

START_METHODS = ("spawn", "forkserver", "fork")
SAMPLERS: tuple[str, ...] = ()


def why_not(setting: Setting) -> str | None:  # noqa: ARG001 - it is always there
    """See `Arm`."""
    return None


def run(request: Request) -> None:
    """See `Arm`: a broken pool is replaced, and what has no record is given to the new one."""
    for _ in range(TRIES):
        left = records.missing(request.path, request.setting.n_trials)
        if left:
            with contextlib.suppress(BrokenProcessPool):
                _run_pool(request, left)


def _run_pool(request: Request, indices: Sequence[int]) -> None:
    context = multiprocessing.get_context(request.setting.start_method)
    with ProcessPoolExecutor(
        request.setting.workers, mp_context=context, initializer=prepare, initargs=(request.setting,)
    ) as pool:
        for future in as_completed([pool.submit(work, request, index) for index in indices]):
            with contextlib.suppress(TrialFailedError):
                future.result()
