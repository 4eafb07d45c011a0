"""What one island shows while it evolves: a live line on a terminal, plain lines in a pipe, JSON on request."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from typing import TYPE_CHECKING

from atoll.evo.installation import as_typed
from atoll.scripts.view.plain import JsonDisplay, PlainDisplay
from atoll.scripts.view.streams import unheard

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.runlog import Record
    from atoll.scripts.view.live import LiveDisplay


def choose_display(*, target: int, is_json: bool) -> UndisturbedDisplay:
    """Return the display that fits standard output, and that no failure of it can disturb."""
    if is_json:
        return UndisturbedDisplay(JsonDisplay)
    return UndisturbedDisplay(partial(_live if sys.stdout.isatty() else PlainDisplay, target=target))


def _live(*, target: int) -> LiveDisplay:
    from atoll.scripts.view.live import LiveDisplay  # noqa: PLC0415 - rich is slow to load, and useless in a pipe

    return LiveDisplay(target=target)


class UndisturbedDisplay:
    """Another display until it fails in any way, then none.

    A terminal that closed or is strange, a reader that left or a full disk behind standard output must not end an
    island; nor may they fail what its task prints.
    """

    def __init__(self, make: Callable[[], PlainDisplay | JsonDisplay | LiveDisplay]) -> None:
        self._make = make
        self._shown: PlainDisplay | JsonDisplay | LiveDisplay | None = None

    def say(self, text: str) -> None:
        """Show one line."""
        self._try(lambda shown: shown.say(as_typed(text)))

    def generation(self, record: Record) -> None:
        """Show a record of the log."""
        self._try(lambda shown: shown.generation(record))

    def migration(self, text: str) -> None:
        """Show an event."""
        self._try(lambda shown: shown.migration(text))

    def __enter__(self) -> UndisturbedDisplay:
        self._before = sys.stdout
        sys.stdout = self._out = unheard(sys.stdout)
        with contextlib.suppress(Exception):
            self._shown = self._make()
        self._try(lambda shown: shown.__enter__())
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the display, whatever became of it."""
        self._close()
        with contextlib.suppress(OSError, ValueError):  # the task has closed it
            self._out.flush()
        sys.stdout = self._before

    def _try(self, show: Callable[[PlainDisplay | JsonDisplay | LiveDisplay], object]) -> None:
        try:
            if self._shown is not None:
                show(self._shown)
        except Exception:  # only showing runs here: nobody else's failure is lost
            self._close()

    def _close(self) -> None:
        shown, self._shown = self._shown, None
        if shown is not None:
            with contextlib.suppress(Exception):
                shown.__exit__()
