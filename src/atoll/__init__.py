"""Neuroevolution on islands that share nothing but a folder: the names for programs and notebooks of others.

In a checkout the folders of this package are links to those at its root; what is installed has the folders themselves.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atoll.evo.algorithms.algorithm import Algorithm
    from atoll.evo.config import IslandConfig, island_config
    from atoll.evo.errors import AtollError, ConfigError, TaskError
    from atoll.evo.generation import Champion, State
    from atoll.evo.genome import GenomeSpec, Kind, Population, Segment
    from atoll.evo.island import evolve
    from atoll.evo.paths import SharedPaths
    from atoll.evo.recorder import MemoryRecorder
    from atoll.evo.tasks.check import check_task
    from atoll.evo.tasks.loader import load_task
    from atoll.evo.tasks.task import Task
    from atoll.scripts.run.archipelago import evolve_together

__all__ = [
    "Algorithm",
    "AtollError",
    "Champion",
    "ConfigError",
    "GenomeSpec",
    "IslandConfig",
    "Kind",
    "MemoryRecorder",
    "Population",
    "Segment",
    "SharedPaths",
    "State",
    "Task",
    "TaskError",
    "check_task",
    "evolve",
    "evolve_together",
    "island_config",
    "load_task",
]

_MODULES = {
    "evo.algorithms.algorithm": ("Algorithm",),
    "evo.config": ("IslandConfig", "island_config"),
    "evo.errors": ("AtollError", "ConfigError", "TaskError"),
    "evo.generation": ("Champion", "State"),
    "evo.genome": ("GenomeSpec", "Kind", "Population", "Segment"),
    "evo.island": ("evolve",),
    "evo.paths": ("SharedPaths",),
    "evo.recorder": ("MemoryRecorder",),
    "evo.tasks.check": ("check_task",),
    "evo.tasks.loader": ("load_task",),
    "evo.tasks.task": ("Task",),
    "scripts.run.archipelago": ("evolve_together",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}
"""The module of each name, which is imported when the name is first asked for."""

if not TYPE_CHECKING:  # to a type checker, any name would be there

    def __getattr__(name: str) -> object:
        if name not in _PLACES:
            raise AttributeError(f"module 'atoll' has no attribute {name!r}")
        return getattr(importlib.import_module(f"atoll.{_PLACES[name]}"), name)


def __dir__() -> "list[str]":  # in quotes: Python 3.6 must be able to read this page, to be told no
    return [*globals(), *__all__]
