"""The limit of threads, set in a worker the ways that people try; what the environment says came before all this."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from atoll.evo.resources import limit_threads
from atoll.scripts.lab.parallel.request import AFTER_IMPORT, REFERENCE, SET_NUM_THREADS

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.request import Setting


def apply(setting: Setting) -> None:
    """Set the limit in this process as the setting says, if it is to be set here at all."""
    if setting.limit == AFTER_IMPORT:
        import numpy as np  # noqa: F401, PLC0415 - now, before the limit: that is the experiment

        if setting.evaluator == REFERENCE:
            import torch  # noqa: PLC0415
        limit_threads(int(setting.threads))
    elif setting.limit == SET_NUM_THREADS and setting.evaluator == REFERENCE:
        import torch  # noqa: PLC0415 - a second to load, for nothing with the native evaluator

        torch.set_num_threads(int(setting.threads))


def torch_threads() -> int | None:
    """Return how many threads PyTorch says it uses here; None where it is not loaded."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())
