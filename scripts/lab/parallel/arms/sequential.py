"""One trial after the other, in one process: what everything else is compared with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.worker import TrialFailedError, work

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.request import Request, Setting

START_METHODS: tuple[str, ...] = ()
SAMPLERS: tuple[str, ...] = ()


def why_not(setting: Setting) -> str | None:
    """See `Arm`."""
    return None if setting.workers == 1 else "one after the other means one worker"


def run(request: Request) -> None:
    """See `Arm`."""
    for index in range(request.setting.n_trials):
        with contextlib.suppress(TrialFailedError):
            work(request, index)
