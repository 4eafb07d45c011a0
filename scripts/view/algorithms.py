"""Algorithms of an island, for people and for programs, and whether one keeps its contract.

The list imports nothing numeric.
"""

from __future__ import annotations

import ast
import sys
import textwrap
import time
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from atoll.evo.config import DE, GA, OWN_SETTINGS, SEP_CMA, USER_FILE, all_settings
from atoll.evo.errors import TaskError
from atoll.evo.settings import flag_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from atoll.evo.tasks.check import Finding

INDENT, WIDTH = 17, 120
TOGETHER = "\N{NO-BREAK SPACE}"
"""Stands between a flag and its value until the lines are broken."""
MODULES = {GA: "genetic", SEP_CMA: "cma", DE: "shade"}
"""The module of each algorithm that is not called like it."""
YOUR_OWN = "a class of your own ('cli.py tutorial' shows how), which 'cli.py algorithms check' tries"


def describe_json() -> dict[str, Any]:
    """Return every algorithm with the settings that are its own."""
    defaults = {name: field.default for name, field in all_settings().items()}
    return {
        name: {"summary": _summary(name), "settings": {setting: defaults[setting] for setting in settings}}
        for name, settings in OWN_SETTINGS.items()
    }


def _summary(name: str) -> str:
    """Return the first line of the docstring of an algorithm's module, which is read and not imported."""
    module = MODULES.get(name, name.replace("-", "_"))
    source = files("atoll.evo.algorithms").joinpath(f"{module}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n", 1)[0]


def describe() -> str:
    """Return the same as text, and how to use an algorithm of one's own."""
    told = {
        name: [
            each["summary"],
            *[f"{flag_name(setting)}{TOGETHER}{value}" for setting, value in each["settings"].items()],
        ]
        for name, each in describe_json().items()
    }
    return "\n".join([*[_entry(name, *parts) for name, parts in told.items()], f"{USER_FILE}\n{_indented(YOUR_OWN)}"])


def _entry(name: str, summary: str, *settings: str) -> str:
    first, *rest = _indented(summary).splitlines()
    lines = [f"{name:<{INDENT}}{first[INDENT:]}", *rest]
    return "\n".join([*lines, _indented("  ".join(settings))] if settings else lines)


def _indented(text: str) -> str:
    margin = " " * INDENT
    filled = textwrap.fill(text, WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
    return filled.replace(TOGETHER, " ")


def show_check(name: str, task: str, options: Mapping[str, str], *, is_json: bool, out: IO[str]) -> int:
    """Check an algorithm on a task and print each finding on `out`; see `show_findings`.

    Raises:
        ConfigError: There is no such algorithm, file, task or option, or the algorithm cannot vary such genes.
        TaskError: The task cannot be loaded, or fails.
    """
    from atoll.scripts.view.findings import show_findings  # noqa: PLC0415 - it is numeric

    return show_findings("algorithm", name, partial(_findings, name, task, options), is_json=is_json, out=out)


def _findings(name: str, task_name: str, options: Mapping[str, str], printed: Callable[[], bool]) -> Iterator[Finding]:
    from atoll.evo.algorithms import check  # noqa: PLC0415
    from atoll.evo.algorithms.choice import algorithm_of  # noqa: PLC0415
    from atoll.evo.algorithms.user_algorithm import ROLE  # noqa: PLC0415
    from atoll.evo.tasks.check import broken_by, loaded, process_state, side_effects  # noqa: PLC0415
    from atoll.evo.tasks.loader import load_task  # noqa: PLC0415

    here = Path.cwd()
    task, config = load_task(task_name, options), check.config_of(name, task_name)
    make = partial(algorithm_of, config, task.spec, directory=here)
    before, state, began_s = set(sys.modules), process_state(), time.perf_counter()
    try:
        make()
    except TaskError as error:
        yield broken_by(error, "loading", name, role=ROLE)
        return
    yield loaded(time.perf_counter() - began_s, before, set(sys.modules))
    elsewhere = partial(check.live_elsewhere, name, task_name, options, directory=here)
    yield from check.check_algorithm(make, task, config, elsewhere=elsewhere)
    yield side_effects(state, process_state(), is_printing=printed())
