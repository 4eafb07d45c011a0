"""The problems that can be evolved, for people and for programs, and whether one keeps its contract."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from evo.errors import TaskError
from evo.tasks.check import broken_by, check_task, loaded
from evo.tasks.contract import BROKEN
from evo.tasks.elsewhere import score_elsewhere
from evo.tasks.loader import ENTRIES, load_task
from evo.tasks.options import USER_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evo.tasks.check import Finding

INDENT = 17
YOUR_OWN = f"""{USER_FILE}
{"":{INDENT}}a class or function of your own (docs/tutorial.md), which 'cli.py tasks check' tries"""


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


def show_check(name: str, options: Mapping[str, str], *, backend: str, is_json: bool) -> int:
    """Check a task and print each finding as it comes; return the exit code.

    Raises:
        ConfigError: There is no such task, file, option or backend.
    """
    findings, out = [], sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # what the task prints is not what the check says
        for finding in _findings(name, options, backend=backend):
            findings.append(finding)
            if not is_json:
                click.echo(_told(finding), file=out)
    n_broken = sum(finding.outcome == BROKEN for finding in findings)
    if is_json:
        found = [asdict(finding) for finding in findings]
        click.echo(json.dumps({"task": name, "is_sound": not n_broken, "findings": found}))
    else:
        click.echo(f"{name} breaks its contract: {n_broken} to mend" if n_broken else f"{name} keeps its contract")
    return TaskError.exit_code if n_broken else 0


def _findings(name: str, options: Mapping[str, str], *, backend: str) -> Iterator[Finding]:
    before, began_s = set(sys.modules), time.perf_counter()
    try:
        task = load_task(name, options, backend=backend)
    except TaskError as error:
        yield broken_by(error, "loading", name)
        return
    yield loaded(time.perf_counter() - began_s, before, set(sys.modules))
    yield from check_task(task, name, elsewhere=partial(score_elsewhere, name, options, backend))


def _told(finding: Finding) -> str:
    lines = [f"{finding.outcome:<8}{finding.check:<17}{finding.says}"]
    lines += [f"{'':<25}{line}" for line in finding.trace.splitlines()]
    lines += [f"{'':<25}to do: {finding.advice}"] if finding.advice else []
    return "\n".join(lines)
