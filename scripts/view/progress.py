"""What one island shows while it evolves: a live line on a terminal, plain lines in a pipe, JSON on request."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from scripts.view.plain import JsonDisplay, PlainDisplay

if TYPE_CHECKING:
    from collections.abc import Callable

    from evo.runlog import Record
    from scripts.view.live import LiveDisplay


def choose_display(*, target: int, is_json: bool) -> UndisturbedDisplay:
    """Return the display that fits standard output, and that no failure of it can disturb."""
    if is_json:
        return UndisturbedDisplay(JsonDisplay())
    if sys.stdout.isatty():
        from scripts.view.live import LiveDisplay  # noqa: PLC0415 - rich is slow to load, and useless in a pipe

        return UndisturbedDisplay(LiveDisplay(target=target))
    return UndisturbedDisplay(PlainDisplay(target=target))


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
