"""What one island shows in a pipe or a file, and as JSON."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING

import click

from atoll.scripts.view.reserved import reserved_stdout
from atoll.scripts.view.streams import unheard

if TYPE_CHECKING:
    from atoll.evo.runlog import Record

QUIET_S = 5.0


def summary(record: Record, target: int) -> str:
    """Return a generation in one line."""
    return (
        f"gen {record['generation']}/{target}  best {record['best']:.6g}  median {record['median']:.6g}  "
        f"diversity {record['diversity']:.3f}  {record['time']['evaluate_s']:.3g} s"
    )


class PlainDisplay:
    """Lines for a pipe or a file: the first and last generation, and in between one every five seconds."""

    def __init__(self, *, target: int) -> None:
        self._target = target
        self._shown_s = -QUIET_S
        self._out = sys.stdout  # a task may put something else in its place

    def say(self, text: str) -> None:
        """Show one line."""
        click.echo(text, file=self._out)

    def generation(self, record: Record) -> None:
        """Show a generation now and then."""
        if record["kind"] != "generation":
            return
        is_due = time.monotonic() - self._shown_s >= QUIET_S
        if is_due or record["generation"] == self._target:
            self._shown_s = time.monotonic()
            click.echo(summary(record, self._target), file=self._out)

    def migration(self, text: str) -> None:
        """Show every event."""
        click.echo(text, file=self._out)

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing open."""


class JsonDisplay:
    """The island's log as JSON lines on standard output; everything else, a task's prints too, on standard error."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def say(self, text: str) -> None:
        """Show one line."""
        click.echo(text, err=True)

    def generation(self, record: Record) -> None:
        """Show a record of the log."""
        click.echo(json.dumps(record), file=self._out)

    def migration(self, text: str) -> None:
        """Show nothing: `tail --json` has the ledger."""

    def __enter__(self) -> JsonDisplay:
        self._out = unheard(self._stack.enter_context(reserved_stdout()))
        return self

    def __exit__(self, *error: object) -> None:
        """Give standard output back."""
        self._stack.close()
