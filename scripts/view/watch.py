"""The table of all islands, again and again, until somebody stops it or the islands have ended."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click
import psutil

from migration import status
from scripts.view import table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evo.paths import SharedPaths
    from migration.status import IslandStatus

INTERVAL_S = 1.0
PLAIN_INTERVAL_S = 5.0


def watch(shared: SharedPaths, *, pids: Sequence[int], is_json: bool) -> None:
    """Show the table until interrupted, or with `pids` until the last of these processes has ended.

    On a terminal it is drawn anew, in a pipe it is a short line now and then, and as JSON one object a look.
    """
    observer = status.BeatWatch(shared, clock=time.monotonic)

    def is_over() -> bool:
        return bool(pids) and not any(map(_lives, pids))

    show = _watch_live if sys.stdout.isatty() else _watch_plain
    show = _watch_json if is_json else show
    show(observer.look, is_over)


def _watch_live(look: Callable[[], list[IslandStatus]], is_over: Callable[[], bool]) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to load, and useless in a pipe
    from rich.live import Live  # noqa: PLC0415

    console = Console()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not is_over():
            live.update(table.as_rich(look(), width=console.width), refresh=True)
            time.sleep(INTERVAL_S)


def _watch_plain(look: Callable[[], list[IslandStatus]], is_over: Callable[[], bool]) -> None:
    shown_s = time.monotonic()
    while not is_over():
        rows = look()
        if time.monotonic() - shown_s >= PLAIN_INTERVAL_S and rows:
            shown_s = time.monotonic()
            click.echo(" | ".join(_short(row) for row in rows))
        time.sleep(INTERVAL_S)


def _watch_json(look: Callable[[], list[IslandStatus]], is_over: Callable[[], bool]) -> None:
    while not is_over():
        click.echo(table.as_json(look()))
        time.sleep(INTERVAL_S)


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _short(row: IslandStatus) -> str:
    _, condition, generation, best, *_ = table.cells(row)
    return f"{row.name} {condition} {generation} best {best}"
