"""Tasks: the problems that can be evolved, for people and for programs, and whether one keeps its contract."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from atoll.evo.config import USER_FILE
from atoll.evo.errors import TaskError
from atoll.evo.tasks.check import BROKEN, broken_by, check_task, loaded, process_state, score_elsewhere, side_effects
from atoll.evo.tasks.loader import ENTRIES, load_task

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
        lines.append(f"{'':{INDENT}}{options}  --backend {'|'.join(task['backends'])}")
    return "\n".join([*lines, YOUR_OWN])


def show_check(name: str, options: Mapping[str, str], *, backend: str, is_json: bool, out: IO[str]) -> int:
    """Check a task and print each finding on `out` as it comes, but nothing that the task prints; return the exit code.

    Raises:
        ConfigError: There is no such task, file, option or backend.
    """
    findings = []
    task_out = _Noted(sys.stderr)
    with contextlib.redirect_stdout(task_out):
        for finding in _findings(name, options, backend=backend, printed=lambda: task_out.is_written_to):
            findings.append(finding)
            if not is_json:
                click.echo(_told(finding), file=out)
    n_broken = sum(finding.outcome == BROKEN for finding in findings)
    text = f"{name} " + (f"breaks its contract: {n_broken} to mend" if n_broken else "keeps its contract")
    if is_json:
        text = json.dumps({"task": name, "is_sound": not n_broken, "findings": list(map(asdict, findings))})
    click.echo(text, file=out)
    return TaskError.exit_code if n_broken else 0


def _findings(name: str, options: Mapping[str, str], *, backend: str, printed: Callable[[], bool]) -> Iterator[Finding]:
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


class _Noted(io.TextIOBase):
    """Standard error in the place of standard output, which knows whether anybody has written to it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.is_written_to = False

    def write(self, text: str) -> int:
        self.is_written_to |= bool(text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _told(finding: Finding) -> str:
    lines = [f"{finding.outcome:<8}{finding.check:<17}{finding.says}"]
    lines += [f"{'':<25}{line}" for line in finding.trace.splitlines()]
    lines += [f"{'':<25}to do: {finding.advice}"] if finding.advice else []
    return "\n".join(lines)
