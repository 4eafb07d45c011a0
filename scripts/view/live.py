"""One island on a terminal: migration events scroll, the last line shows the generation."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from atoll.scripts.view.plain import summary

if TYPE_CHECKING:
    from atoll.evo.runlog import Record


REDRAW_S = 0.1


class LiveDisplay:
    """A live line for a person."""

    def __init__(self, *, target: int) -> None:
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
        self._live.console.print(Text(text))

    def generation(self, record: Record) -> None:
        """Redraw the live line, ten times a second at most."""
        is_last = record.get("generation", 0) >= self._target
        if record["kind"] != "generation" or (time.monotonic() - self._drawn_s < REDRAW_S and not is_last):
            return
        self._drawn_s = time.monotonic()
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=self._target, completed=record["generation"], width=20)
        grid.add_row(bar, Text(summary(record, self._target), no_wrap=True, overflow="ellipsis"))
        self._live.update(grid, refresh=True)
        if is_last:
            self._live.console.print(Text(summary(record, self._target)))

    def migration(self, text: str) -> None:
        """Show an event above the live line."""
        self._live.console.print(Text(text, style="dim"))
