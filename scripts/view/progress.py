"""What one island shows while it evolves: a live line on a terminal, plain lines in a pipe, JSON on request."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from evo.runlog import Record
    from scripts.view.live import LiveDisplay

QUIET_S = 5.0


def choose_display(*, target: int, is_json: bool) -> UndisturbedDisplay:
    """Return the display that fits standard output, and that no failure of it can disturb."""
    if is_json:
        return UndisturbedDisplay(JsonDisplay())
    if sys.stdout.isatty():
        from scripts.view.live import LiveDisplay  # noqa: PLC0415 - rich is slow to load, and useless in a pipe

        return UndisturbedDisplay(LiveDisplay(target=target))
    return UndisturbedDisplay(PlainDisplay(target=target))


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

    def say(self, text: str) -> None:
        """Show one line."""
        click.echo(text)

    def generation(self, record: Record) -> None:
        """Show a generation now and then."""
        if record["kind"] != "generation":
            return
        is_due = time.monotonic() - self._shown_s >= QUIET_S
        if is_due or record["generation"] == self._target:
            self._shown_s = time.monotonic()
            click.echo(summary(record, self._target))

    def migration(self, text: str) -> None:
        """Show every event."""
        click.echo(text)

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing open."""


class JsonDisplay:
    """The island's log as JSON lines on standard output; everything else on standard error."""

    def say(self, text: str) -> None:
        """Show one line."""
        click.echo(text, err=True)

    def generation(self, record: Record) -> None:
        """Show a record of the log."""
        click.echo(json.dumps(record))

    def migration(self, text: str) -> None:
        """Show nothing: `tail --json` has the ledger."""

    def __enter__(self) -> JsonDisplay:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing open."""


class UndisturbedDisplay:
    """Another display until it fails, then none.

    A terminal that closed, a reader that left or a full disk behind standard output must not end an island.
    """

    def __init__(self, shown: PlainDisplay | JsonDisplay | LiveDisplay) -> None:
        self._shown = shown
        self._is_open = True

    def say(self, text: str) -> None:
        """Show one line."""
        self._try(lambda: self._shown.say(text))

    def generation(self, record: Record) -> None:
        """Show a record of the log."""
        self._try(lambda: self._shown.generation(record))

    def migration(self, text: str) -> None:
        """Show an event."""
        self._try(lambda: self._shown.migration(text))

    def __enter__(self) -> UndisturbedDisplay:
        self._try(self._shown.__enter__)
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the display, whatever became of it."""
        self._try(lambda: self._shown.__exit__(*error))

    def _try(self, show: Callable[[], object]) -> None:
        if not self._is_open:
            return
        try:
            show()
        except OSError:
            self._is_open = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
