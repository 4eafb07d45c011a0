"""From a name and `-o` options to a task; nothing heavy is imported before it is needed."""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evo.config import suggest
from evo.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evo.tasks.task import OptionValue, Task


@dataclass(frozen=True)
class Entry:
    """A built-in task that has not been imported yet.

    Attributes:
        name: How `--task` names it.
        summary: One line for `cli.py tasks`.
        options_at: Module and class of its options.
        backends: What `--backend` may name besides auto.
    """

    name: str
    summary: str
    options_at: tuple[str, str]
    backends: tuple[str, ...]

    def options_class(self) -> type[Any]:
        """Import the dataclass of the task's options."""
        module, name = self.options_at
        options: type[Any] = getattr(importlib.import_module(module), name)
        return options


_FUNCTION_OPTIONS = ("evo.tasks.functions", "FunctionOptions")
_ENTRIES = (
    Entry(
        "creatures",
        "soft-bodied creatures that learn to walk to pellets (3-D mass-spring bodies, neural controllers)",
        ("evo.tasks.creatures.options", "CreatureOptions"),
        ("native", "reference"),
    ),
    Entry("sphere", "sum of squares: the easiest test function", _FUNCTION_OPTIONS, ("numpy",)),
    Entry("rastrigin", "many regular local minima, separable", _FUNCTION_OPTIONS, ("numpy",)),
    Entry("rosenbrock", "a narrow curved valley, not separable", _FUNCTION_OPTIONS, ("numpy",)),
    Entry("ackley", "a deep hole in a nearly flat plain", _FUNCTION_OPTIONS, ("numpy",)),
    Entry("schwefel", "deceptive: the second best minimum is far from the best", _FUNCTION_OPTIONS, ("numpy",)),
)
ENTRIES = {entry.name: entry for entry in _ENTRIES}


def load_task(name: str, options: Mapping[str, str], *, backend: str = "auto", threads: int = 1) -> Task:
    """Build the task that `--task`, `-o` and `--backend` describe.

    Raises:
        ConfigError: The task, an option, a value or the backend is unknown.
    """
    if name not in ENTRIES:
        raise ConfigError(f"unknown task {name!r}{suggest(name, ENTRIES)}; known are {', '.join(ENTRIES)}")
    entry = ENTRIES[name]
    if backend != "auto" and backend not in entry.backends:
        raise ConfigError(f"task {name} has no --backend {backend!r}; known are auto, {', '.join(entry.backends)}")
    parsed = parse_options(entry, options)
    if name == "creatures":
        from evo.tasks.creatures.task import Creatures  # noqa: PLC0415 - imported only when wanted

        return Creatures(parsed, backend=backend, threads=threads)
    from evo.tasks.functions import FunctionTask  # noqa: PLC0415

    return FunctionTask(name, parsed)


def parse_options(entry: Entry, options: Mapping[str, str]) -> Any:  # noqa: ANN401 - each task has its own class
    """Read `-o name=value` pairs into the task's options.

    Raises:
        ConfigError: A name is unknown, or a value is not of the option's type.
    """
    options_class = entry.options_class()
    fields = {field.name: field for field in dataclasses.fields(options_class)}
    for name in options:
        if name not in fields:
            raise ConfigError(
                f"task {entry.name} has no option {name!r}{suggest(name, fields)}; known are {', '.join(fields)}"
            )
    values = {name: _parse(name, text, type(fields[name].default)) for name, text in options.items()}
    return options_class(**values)


def _parse(name: str, text: str, kind: type) -> OptionValue:
    if kind is bool:
        if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        raise ConfigError(f"-o {name} must be true or false, got {text!r}")
    try:
        value: OptionValue = kind(text)
    except ValueError:
        raise ConfigError(f"-o {name} must be of type {kind.__name__}, got {text!r}") from None
    return value
