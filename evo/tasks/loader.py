"""Task loader: from a name and `-o` options to a task; nothing heavy is imported before it is needed."""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atoll.evo.config import USER_FILE, is_built_in, is_user_file
from atoll.evo.errors import ConfigError, suggest
from atoll.evo.settings import setting_fields, spelled
from atoll.evo.tasks.task import parse_arguments, parse_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atoll.evo.tasks.task import OptionValue, Task

GYM = "gym:"
GYM_EXAMPLE = "gym:CartPole-v1"


@dataclass(frozen=True)
class Entry:
    """A built-in task that has not been imported yet."""

    name: str
    summary: str
    module: str
    task: str  # name of its class
    options: str  # name of the dataclass of its options
    backends: tuple[str, ...] = ("numpy",)  # what `--backend` may name besides auto
    takes: tuple[str, ...] = ()  # what it is made with besides its options: `name`, `backend`, `threads`, `device`

    def imported(self, name: str) -> type[Any]:
        """Import a class of the task's module."""
        kind: type[Any] = getattr(importlib.import_module(self.module), name)
        return kind

    def defaults(self) -> dict[str, OptionValue]:
        """Return every option with its default."""
        return dataclasses.asdict(self.imported(self.options)())

    def former_options(self) -> dict[str, OptionValue]:
        """Return the options that files of before do not have, with what such files mean."""
        fields = {field.name: field.metadata["former"] for field in setting_fields(self.imported(self.options))}
        return {name: value for name, value in fields.items() if value is not None}


def _function(name: str, summary: str) -> Entry:
    return Entry(name, summary, "atoll.evo.tasks.functions", "FunctionTask", "FunctionOptions", takes=("name",))


_ENTRIES = (
    Entry(
        "creatures",
        "soft-bodied creatures that learn to walk to pellets (3-D mass-spring bodies, neural controllers)",
        "atoll.evo.tasks.creatures.task",
        "Creatures",
        "CreatureOptions",
        backends=("native", "reference", "cuda"),
        takes=("backend", "threads", "device"),
    ),
    _function("sphere", "sum of squares: the easiest test function"),
    _function("ellipsoid", "a bowl a thousand times as long as wide"),
    _function("rastrigin", "many regular local minima, separable unless rotated"),
    _function("rosenbrock", "a narrow curved valley, not separable"),
    _function("ackley", "a deep hole in a nearly flat plain"),
    _function("schwefel", "deceptive: the second best minimum is far from the best"),
    Entry(
        "trap", "deceptive bits: each block of them leads astray", "atoll.evo.tasks.functions", "Trap", "TrapOptions"
    ),
    Entry(
        GYM_EXAMPLE,
        "a small network in this or another environment of Gymnasium; -o make.NAME=VALUE is an argument of it",
        "atoll.evo.tasks.gym",
        "GymTask",
        "GymOptions",
        backends=("gymnasium",),
    ),
)
ENTRIES = {entry.name: entry for entry in _ENTRIES}


def load_task(
    name: str,
    options: Mapping[str, str],
    *,
    backend: str = "auto",
    threads: int = 1,
    device: str = "",
    is_stopping: Callable[[], bool] = lambda: False,
) -> Task:
    """Build the task that `--task`, `-o`, `--backend` and `--device` describe.

    Raises:
        ConfigError: The task, an option, a value, the backend or the device is unknown, or cannot be had.
        TaskError: A user's file fails.
    """
    if is_user_file(name):
        from atoll.evo.tasks.user_task import load_user_task  # noqa: PLC0415 - imported only when wanted

        _check_backend(name, backend, ("python",))
        _check_device(name, device, takes=())
        return load_user_task(name, options, is_stopping=is_stopping)
    entry = _entry(name)
    _check_backend(name, backend, entry.backends)
    _check_device(name, device, takes=entry.takes)
    if name.startswith(GYM):
        return _environment(name, options, entry)
    parsed = entry.imported(entry.options)(**parse_options(name, options, entry.defaults()))
    given = {"name": name, "backend": backend, "threads": threads, "device": device}
    task: Task = entry.imported(entry.task)(parsed, **{key: given[key] for key in entry.takes})
    return task


def recorded_options(name: str, options: Mapping[str, OptionValue]) -> dict[str, str]:
    """Spell out, for `load_task`, the options of a task that a file recorded; what it lacks is as it was before."""
    former = _entry(name).former_options() if is_built_in(name) else {}
    return {option: spelled(value) for option, value in {**former, **options}.items()}


def _entry(name: str) -> Entry:
    entry = ENTRIES.get(GYM_EXAMPLE if name.startswith(GYM) else name)
    if entry is None:
        known = ", ".join([*ENTRIES, USER_FILE])
        raise ConfigError(f"unknown task {name!r}{suggest(name, ENTRIES)}; known are {known}")
    return entry


def _environment(name: str, options: Mapping[str, str], entry: Entry) -> Task:
    from atoll.evo.tasks.gym import MAKE, GymTask  # noqa: PLC0415

    own = {option: text for option, text in options.items() if not option.startswith(MAKE)}
    parsed = parse_options(name, own, entry.defaults(), also=f"{MAKE}NAME for an argument of the environment")
    arguments = parse_arguments(options, MAKE)
    return GymTask(name.removeprefix(GYM), entry.imported(entry.options)(**parsed), arguments)


def _check_backend(name: str, backend: str, known: tuple[str, ...]) -> None:
    if backend not in {"auto", *known}:
        raise ConfigError(f"task {name} has no --backend {backend!r}; known are auto, {', '.join(known)}")


def _check_device(name: str, device: str, *, takes: tuple[str, ...]) -> None:
    if device and "device" not in takes:
        raise ConfigError(f"task {name} has no evaluator for a GPU: leave out --device {device}")
