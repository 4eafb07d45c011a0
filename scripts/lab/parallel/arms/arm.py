"""Arms: the backends, by name; what each may choose, why it cannot run here, and the module that runs it.

A backend's module is loaded when it runs, in the driver's process: whoever asks what an arm may choose loads none.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.evo.errors import AtollError, ConfigError, suggest
from atoll.scripts.lab.parallel.setting import BASELINE, BEFORE_IMPORT, START_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.scripts.lab.parallel.setting import Request, Setting

TRIES = 3
"""How often an arm begins anew with what a dead worker took with it, the first time included."""
TPE = ("tpe",)
GPU_EVALUATOR = "cuda"  # and the package that it needs
GPU_DRIVER = Path("/proc/driver/nvidia/version")


class BackendError(AtollError):
    """A backend did not do what its trials need."""


@dataclass(frozen=True)
class Arm:
    """A backend.

    Attributes:
        runner: The module of this package and its function that runs every trial of a request; those whose worker died
            are tried again where the backend lets us know.
        start_methods: The ways in which its workers may be started, if it has the choice; the first is the default.
        samplers: What may propose configurations, besides the fixed list.
    """

    runner: str
    start_methods: tuple[str, ...] = ()
    samplers: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    refuses: Callable[[Setting], str | None] = lambda _: None

    def why_not(self, setting: Setting) -> str | None:
        """Say in one line why this setting cannot run here; None if it can."""
        return lacks(*self.libraries) or self.refuses(setting)

    def run(self, request: Request) -> None:
        """Run every trial."""
        module, _, function = self.runner.partition(".")
        getattr(importlib.import_module(f"atoll.scripts.lab.parallel.arms.{module}"), function)(request)


def lacks(*libraries: str) -> str | None:
    """Say which of these libraries is not installed."""
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    return f"{', '.join(missing)} is not installed; run 'make setup'" if missing else None


def why_no_gpu(_: Setting) -> str | None:
    """Say why no GPU runs all trials at once: there has to be one, and the packages of its evaluator."""
    if not GPU_DRIVER.exists():
        return "there is no GPU here (no NVIDIA driver is loaded)"
    return lacks(GPU_EVALUATOR)


ARMS = {
    BASELINE: Arm(
        "pools.run_sequential",
        refuses=lambda setting: None if setting.workers == 1 else "one after the other means one worker",
    ),
    "optuna_threads": Arm("optuna_arms.run_threads", samplers=TPE, libraries=("optuna",)),
    "optuna_processes": Arm("optuna_arms.run_processes", START_METHODS, TPE, ("optuna",)),
    "pool": Arm("pools.run_pool", START_METHODS),
    "process_pool": Arm("pools.run_process_pool", START_METHODS),
    "loky": Arm("pools.run_loky", libraries=("joblib",)),
    "ray_tasks": Arm("ray_arms.run_tasks", samplers=TPE, libraries=("ray", "optuna")),
    "ray_tune": Arm("ray_arms.run_tune", samplers=TPE, libraries=("ray", "optuna", "pandas", "pyarrow")),
    "islands": Arm(
        "islands.run",
        refuses=lambda setting: (
            None if setting.limit == BEFORE_IMPORT else "cli.py sets its limit itself, before it loads anything"
        ),
    ),
    "gpu_batch": Arm("gpu.run_batch", refuses=why_no_gpu),
}


def load(name: str) -> Arm:
    """Return the arm of that name; the backend itself is not loaded before it runs."""
    if name not in ARMS:
        raise ConfigError(f"no arm is called {name!r}{suggest(name, tuple(ARMS))}; known are {', '.join(ARMS)}")
    return ARMS[name]
