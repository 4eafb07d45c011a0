"""Tasks: the problems that can be evolved, for people and for programs, and whether one keeps its contract."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from atoll.evo.config import USER_FILE
from atoll.evo.errors import TaskError
from atoll.evo.tasks.check import broken_by, check_task, loaded, process_state, score_elsewhere, side_effects
from atoll.evo.tasks.loader import ENTRIES, load_task
from atoll.scripts.view.findings import show_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from atoll.evo.tasks.check import Finding

INDENT = 17
YOUR_OWN = f"""{USER_FILE}
{"":{INDENT}}a class or function of your own ('cli.py tutorial' shows how), which 'cli.py tasks check' tries"""


def describe_json() -> dict[str, Any]:
    """Return every task with its backends and options."""
    return {
        name: {"summary": entry.summary, "backends": ["auto", *entry.backends], "options": entry.defaults()}
        for name, entry in ENTRIES.items()
    }


def describe() -> str:
    """Return the same as text, and how to use a task of one's own."""
    lines = []
    for name, task in describe_json().items():
        lines.append(f"{name:<{INDENT}}{task['summary']}")
        options = "  ".join(f"-o {option}={str(value).lower()}" for option, value in task["options"].items())
        lines += [f"{'':{INDENT}}{options}", f"{'':{INDENT}}--backend {'|'.join(task['backends'])}"]
    return "\n".join([*lines, YOUR_OWN])


def show_check(name: str, options: Mapping[str, str], *, backend: str, is_json: bool, out: IO[str]) -> int:
    """Check a task and print each finding on `out`; see `show_findings`.

    Raises:
        ConfigError: There is no such task, file, option or backend.
    """
    return show_findings("task", name, partial(_findings, name, options, backend), is_json=is_json, out=out)


def _findings(name: str, options: Mapping[str, str], backend: str, printed: Callable[[], bool]) -> Iterator[Finding]:
    before, state, began_s = set(sys.modules), process_state(), time.perf_counter()
    elsewhere = partial(score_elsewhere, name, options, backend, directory=Path.cwd())
    try:
        task = load_task(name, options, backend=backend)
    except TaskError as error:
        yield broken_by(error, "loading", name)
        return
    yield loaded(time.perf_counter() - began_s, before, set(sys.modules))
    yield from check_task(task, name, elsewhere=elsewhere)
    yield side_effects(state, process_state(), is_printing=printed())
