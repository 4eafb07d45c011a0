"""Several trials and all their seeds in one batch of a GPU: there has to be one, and an evaluator for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from atoll.evo.tasks.creatures.task import BACKENDS
from atoll.scripts.lab.parallel.arms.arm import BackendError

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.request import Request, Setting

START_METHODS: tuple[str, ...] = ()
SAMPLERS: tuple[str, ...] = ()
EVALUATOR = "cuda"
DRIVER = Path("/proc/driver/nvidia/version")


def why_not(setting: Setting) -> str | None:  # noqa: ARG001 - it depends on nothing else
    """See `Arm`."""
    if not DRIVER.exists():
        return "there is no GPU here (no NVIDIA driver is loaded)"
    if EVALUATOR not in BACKENDS:
        return f"there is a GPU, but the creatures have no {EVALUATOR} evaluator in this version"
    return "batches of several trials are not made yet"


def run(request: Request) -> None:
    """See `Arm`.

    Raises:
        BackendError: Always, with the reason.
    """
    raise BackendError(str(why_not(request.setting)))
