"""Display of islands while they evolve: a live line on a terminal, plain lines in a pipe, JSON on request."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING

import click

from atoll.evo.installation import as_typed
from atoll.evo.records import Generation, to_json
from atoll.scripts.view.streams import reserved_stdout, unheard

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.records import Record


def choose_display(*, is_json: bool, is_shared: bool = False) -> UndisturbedDisplay:
    """Return the display that fits standard output, which other processes may share, and that nothing can disturb."""
    if is_json:
        return UndisturbedDisplay(_Json)
    return UndisturbedDisplay(_Live if sys.stdout.isatty() and not is_shared else _Plain)


class UndisturbedDisplay:
    """Display that shields an island: another display until that fails in any way, then none.

    A terminal that closed or is strange, a reader that left or a full disk behind standard output must not end an
    island; nor may they fail what its task prints.
    """

    def __init__(self, make: Callable[[], _Plain]) -> None:
        self._make = make
        self._shown: _Plain | None = None

    def say(self, text: str) -> None:
        """Show one line."""
        self._try(lambda shown: shown.say(as_typed(text)))

    def begin(self, target: int) -> None:
        """Take the generation that is to be reached."""
        self._try(lambda shown: shown.begin(target))

    def generation(self, record: Record) -> None:
        """Show a record of the log."""
        self._try(lambda shown: shown.generation(record))

    def record_of(self, island: str, record: Record) -> None:
        """Show a record of the log of one island of several, to a program."""
        self._try(lambda shown: shown.record_of(island, record))

    def progress(self, generation: int, text: str) -> None:
        """Show how far several islands are, to people; the slowest of them is at this generation."""
        self._try(lambda shown: shown.progress(generation, text))

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

    def _try(self, show: Callable[[_Plain], object]) -> None:
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


class JointDisplay:
    """Display of several islands in one: a line for how far all are, and whatever each says, once.

    What an island says of itself names it; what all say alike is shown for the first of them.
    """

    def __init__(self, display: UndisturbedDisplay) -> None:
        self._display = display
        self._said: set[str] = set()
        self._targets: dict[str, int] = {}
        self._newest: dict[str, Generation] = {}

    def of(self, island: str) -> _Member:
        """Return the display of one island."""
        return _Member(island, self)

    def say(self, text: str) -> None:
        """Show one line, unless it has been shown."""
        if text not in self._said:
            self._said.add(text)
            self._display.say(text)

    def begin(self, island: str, target: int) -> None:
        """Take the generation that an island is to reach."""
        self._targets[island] = target
        self._display.begin(max(self._targets.values()))

    def generation(self, island: str, record: Record) -> None:
        """Show a record of an island's log, and how far all are."""
        self._display.record_of(island, record)
        if not isinstance(record, Generation):
            return
        self._newest[island] = record
        reached = [each.generation for each in self._newest.values()]
        slowest, fastest = min(reached), max(reached)
        leader, best = max(((name, each.best or 0.0) for name, each in self._newest.items()), key=lambda pair: pair[1])
        span = f"{slowest}" if slowest == fastest else f"{slowest} to {fastest}"
        text = f"gen {span}/{max(self._targets.values())} of {len(self._targets)} islands  best {best:.6g} ({leader})"
        self._display.progress(slowest, text)


class _Member:
    """One island's part in the display of several; its migrations are shown by `tail`."""

    def __init__(self, island: str, joint: JointDisplay) -> None:
        self._island = island
        self._joint = joint
        self.say = joint.say

    def begin(self, target: int) -> None:
        self._joint.begin(self._island, target)

    def generation(self, record: Record) -> None:
        self._joint.generation(self._island, record)

    def migration(self, text: str) -> None:
        pass


class _Plain:
    """Lines for a pipe or a file: every event, the last generation, and one every so many seconds."""

    interval_s = 5.0

    def __init__(self) -> None:
        self._target = 0
        self._shown_s = -self.interval_s
        self._out = sys.stdout  # a task may put something else in its place

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass

    def begin(self, target: int) -> None:
        self._target = target

    def say(self, text: str) -> None:
        click.echo(text, file=self._out)

    def migration(self, text: str) -> None:
        self.say(text)

    def generation(self, record: Record) -> None:
        if not isinstance(record, Generation):
            return
        evaluate_s = record.time.evaluate_s if record.time else None
        text = (
            f"gen {record.generation}/{self._target}  best {record.best:.6g}  median {record.median:.6g}  "
            f"diversity {record.diversity:.3f}  distinct {record.distinct}  {evaluate_s:.3g} s"
        )
        self.progress(record.generation, text)

    def record_of(self, island: str, record: Record) -> None:
        """Show nothing: many such lines are for nobody to read."""

    def progress(self, generation: int, text: str) -> None:
        now_s, is_last = time.monotonic(), generation >= self._target
        if now_s - self._shown_s >= self.interval_s or is_last:
            self._shown_s = now_s
            self._draw(generation, text, is_last=is_last)

    def _draw(self, generation: int, text: str, *, is_last: bool) -> None:  # noqa: ARG002 - for who draws a bar
        self.say(text)


class _Json(_Plain):
    """The island's log as JSON lines on standard output; everything else, a task's prints too, on standard error."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> None:
        self._lines = unheard(self._stack.enter_context(reserved_stdout()))

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def say(self, text: str) -> None:
        click.echo(text, err=True)

    def migration(self, text: str) -> None:
        """Show nothing: `tail --json` has the ledger."""

    def generation(self, record: Record) -> None:
        click.echo(json.dumps(to_json(record)), file=self._lines)

    def record_of(self, island: str, record: Record) -> None:
        click.echo(json.dumps({"island": island, **to_json(record)}), file=self._lines)

    def progress(self, generation: int, text: str) -> None:
        """Show nothing: a program gets the records."""


class _Live(_Plain):
    """Live line for a person at a terminal, redrawn in place; other lines stay above it."""

    interval_s = 0.1

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - rich is slow to load, and useless in a pipe
        from rich.live import Live  # noqa: PLC0415

        super().__init__()
        self._live = Live(console=Console(file=sys.stdout, highlight=False), auto_refresh=False, transient=True)

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._live.console.print(text, markup=False, emoji=False)

    def migration(self, text: str) -> None:
        self._live.console.print(text, style="dim", markup=False, emoji=False)

    def _draw(self, generation: int, text: str, *, is_last: bool) -> None:
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=self._target, completed=generation, width=20)
        grid.add_row(bar, Text(text, no_wrap=True, overflow="ellipsis"))
        self._live.update(grid, refresh=True)
        if is_last:
            self.say(text)
