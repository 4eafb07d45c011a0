"""A process that runs, or a command that is started, looked at: prints the diagnosis and its findings."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from atoll.evo.errors import ConfigError
from atoll.evo.signals import StopSignal
from atoll.scripts.doctor import observe
from atoll.scripts.doctor.diagnosis import OK, WARNING, Finding, diagnose, explain
from atoll.scripts.processes import makers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.scripts.doctor.observe import Observation

PATIENCE_S = 10.0
"""How long a command may take to end after it was asked to."""


def show_process(pid: int, *, seconds: float, is_json: bool) -> int:
    """Look at a process for so many seconds, or until it ends or somebody stops us."""
    observe.check(pid)
    with StopSignal() as stop:
        seen = observe.observe(pid, is_over=lambda so_far_s: so_far_s >= seconds or stop())
    _show(seen, [], is_json=is_json)
    return 128 + stop.received if stop.received else 0


def show_command(command: Sequence[str], *, is_json: bool) -> int:
    """Run a command to its end and look at it meanwhile; what it prints goes where errors go if we print JSON.

    Raises:
        ConfigError: It cannot be started, or ended at once.
    """
    with StopSignal() as stop:
        try:
            process = subprocess.Popen(command, stdout=sys.stderr if is_json else None)  # noqa: S603 - the user's own
        except OSError as error:
            raise ConfigError(f"cannot start {command[0]}: {error.strerror or error}") from error
        try:
            seen = observe.observe(process.pid, is_over=lambda _: stop())
        finally:
            code = _end(process, stop.received)
    verdict = OK if code == 0 else WARNING
    _show(seen, [Finding("command", verdict, f"ended with {code}")], is_json=is_json)
    return 128 + stop.received if stop.received else 0


def _end(process: subprocess.Popen[bytes], received: int) -> int:
    """Pass on the signal that we received, if any, and wait for the end."""
    if received:
        process.send_signal(received)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(PATIENCE_S)
        process.kill()
    return process.wait()


def _show(seen: Observation, more: Sequence[Finding], *, is_json: bool) -> None:
    findings = [*more, *_blind_spots(seen), *explain(seen)]
    if is_json:
        told = {"diagnosis": asdict(diagnose(seen)), "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(told | {"seen": asdict(seen)}))
        return
    for line in (line for finding in findings for line in finding.lines()):
        click.echo(_wrapped(line) if sys.stdout.isatty() else line)


def _blind_spots(seen: Observation) -> list[Finding]:
    """Say why nobody knows who made some threads, if this system hides it from us."""
    unseen = any(thread.maker is None for process in seen.processes for thread in process.threads)
    reason = makers.check() if unseen else None
    return [Finding("makers of threads", WARNING, reason)] if reason else []


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 3 if line.startswith(" ") else 8)
    return textwrap.fill(line, shutil.get_terminal_size().columns, subsequent_indent=indent, break_long_words=False)
