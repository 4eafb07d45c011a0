"""Display of one island while it evolves: a live line on a terminal, plain lines in a pipe, JSON on request."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import click

from atoll.evo.installation import as_typed
from atoll.evo.records import Generation, to_json
from atoll.scripts.view.streams import reserved_stdout, unheard

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.records import Record

QUIET_S = 5.0
REDRAW_S = 0.1


def choose_display(*, target: int, is_json: bool) -> UndisturbedDisplay:
    """Return the display that fits standard output, and that no failure of it can disturb."""
    if is_json:
        return UndisturbedDisplay(JsonDisplay)
    return UndisturbedDisplay(partial(LiveDisplay if sys.stdout.isatty() else PlainDisplay, target=target))


class UndisturbedDisplay:
    """Display that shields an island: another display until that fails in any way, then none.

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


def summary(record: Generation, target: int) -> str:
    """Return a generation in one line."""
    evaluate_s = record.time.evaluate_s if record.time else None
    return (
        f"gen {record.generation}/{target}  best {record.best:.6g}  median {record.median:.6g}  "
        f"diversity {record.diversity:.3f}  {evaluate_s:.3g} s"
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
        if not isinstance(record, Generation):
            return
        is_due = time.monotonic() - self._shown_s >= QUIET_S
        if is_due or record.generation == self._target:
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
        click.echo(json.dumps(to_json(record)), file=self._out)

    def migration(self, text: str) -> None:
        """Show nothing: `tail --json` has the ledger."""

    def __enter__(self) -> JsonDisplay:
        self._out = unheard(self._stack.enter_context(reserved_stdout()))
        return self

    def __exit__(self, *error: object) -> None:
        """Give standard output back."""
        self._stack.close()


class LiveDisplay:
    """Live line for a person at a terminal, redrawn in place."""

    def __init__(self, *, target: int) -> None:
        from rich.console import Console  # noqa: PLC0415 - rich is slow to load, and useless in a pipe
        from rich.live import Live  # noqa: PLC0415

        self._target = target
        self._drawn_s = -REDRAW_S
        self._live = Live(console=Console(file=sys.stdout, highlight=False), auto_refresh=False, transient=True)

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Give the terminal back."""
        self._live.stop()

    def say(self, text: str) -> None:
        """Show one line above the live one."""
        self._print(text)

    def generation(self, record: Record) -> None:
        """Redraw the live line, ten times a second at most."""
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        is_last = record.generation >= self._target
        if not isinstance(record, Generation) or (time.monotonic() - self._drawn_s < REDRAW_S and not is_last):
            return
        self._drawn_s = time.monotonic()
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=self._target, completed=record.generation, width=20)
        grid.add_row(bar, Text(summary(record, self._target), no_wrap=True, overflow="ellipsis"))
        self._live.update(grid, refresh=True)
        if is_last:
            self._print(summary(record, self._target))

    def migration(self, text: str) -> None:
        """Show an event above the live line."""
        self._print(text, style="dim")

    def _print(self, text: str, *, style: str = "") -> None:
        from rich.text import Text  # noqa: PLC0415

        self._live.console.print(Text(text, style=style))
