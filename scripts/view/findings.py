"""Findings of a contract's checks, for people as they come and for programs when all are there."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import asdict
from typing import IO, TYPE_CHECKING

import click

from atoll.evo.errors import TaskError
from atoll.evo.tasks.check import BROKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from atoll.evo.tasks.check import Finding


def show_findings(
    what: str, name: str, findings: Callable[[Callable[[], bool]], Iterator[Finding]], *, is_json: bool, out: IO[str]
) -> int:
    """Print each finding on `out` as it comes, but nothing that is printed meanwhile; return the exit code.

    Args:
        what: What is checked, as programs are told: `task` for example.
        name: How the user named it.
        findings: Yields what is found, and can ask whether anybody has printed something.
        is_json: Print them as one line of JSON in the end.
        out: Where to.
    """
    found = []
    noted = _Noted(sys.stderr)
    with contextlib.redirect_stdout(noted):
        for finding in findings(lambda: noted.is_written_to):
            found.append(finding)
            if not is_json:
                click.echo(_told(finding), file=out)
    n_broken = sum(finding.outcome == BROKEN for finding in found)
    text = f"{name} " + (f"breaks its contract: {n_broken} to mend" if n_broken else "keeps its contract")
    if is_json:
        text = json.dumps({what: name, "is_sound": not n_broken, "findings": list(map(asdict, found))})
    click.echo(text, file=out)
    return TaskError.exit_code if n_broken else 0


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
