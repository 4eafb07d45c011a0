"""`multiprocessing.Pool`: it replaces a dead worker, and waits for ever for what that one was doing."""

from __future__ import annotations

import contextlib
import multiprocessing
from functools import partial
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.worker import TrialFailedError, prepare, work

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.request import Request, Setting

START_METHODS = ("spawn", "forkserver", "fork")
SAMPLERS: tuple[str, ...] = ()


def why_not(setting: Setting) -> str | None:  # noqa: ARG001 - it is always there
    """See `Arm`."""
    return None


def run(request: Request) -> None:
    """See `Arm`; one trial at a time is handed out: `map` gives a worker several, and shows nothing till the end."""
    setting = request.setting
    context = multiprocessing.get_context(setting.start_method)
    with context.Pool(setting.workers, initializer=prepare, initargs=(setting,)) as pool:
        results = pool.imap_unordered(partial(work, request), range(setting.n_trials), chunksize=1)
        for _ in range(setting.n_trials):
            with contextlib.suppress(TrialFailedError):
                next(results)
