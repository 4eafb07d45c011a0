"""What an arm is: a module that runs a request's trials on one backend, or says why it cannot."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Protocol, cast

from atoll.evo.errors import AtollError, ConfigError
from atoll.evo.text import suggest

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.request import Request, Setting

NAMES = (
    "sequential",
    "optuna_threads",
    "optuna_processes",
    "pool",
    "process_pool",
    "loky",
    "ray_tasks",
    "ray_tune",
    "islands",
    "gpu_batch",
)
TRIES = 3
"""How often an arm begins anew with what a dead worker took with it, the first time included."""


class BackendError(AtollError):
    """A backend did not do what its trials need."""


class Arm(Protocol):
    """A module of this package."""

    START_METHODS: tuple[str, ...]
    """The ways in which its workers may be started, if it has the choice; the first is the default."""

    SAMPLERS: tuple[str, ...]
    """What may propose configurations, besides the fixed list."""

    def why_not(self, setting: Setting) -> str | None:
        """Say in one line why this setting cannot run here; None if it can."""
        ...

    def run(self, request: Request) -> None:
        """Run every trial; those whose worker died are tried again where the backend lets us know."""
        ...


def load(name: str) -> Arm:
    """Return the arm of that name; the backend itself is not loaded before it runs.

    Raises:
        ConfigError: There is none.
    """
    if name not in NAMES:
        raise ConfigError(f"no arm is called {name!r}{suggest(name, NAMES)}; known are {', '.join(NAMES)}")
    return cast("Arm", importlib.import_module(f"atoll.scripts.lab.parallel.arms.{name}"))


def lacks(*libraries: str) -> str | None:
    """Say which of these libraries is not installed."""
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    return f"{', '.join(missing)} is not installed; run 'make setup'" if missing else None
