"""The table of all islands, again and again, until somebody stops it or the islands have ended."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click
import psutil

from atoll.evo.signals import interruptible
from atoll.migration.observe import status
from atoll.scripts.view import table
from atoll.scripts.view.board import Board

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.evo.paths import SharedPaths
    from atoll.migration.observe.status import IslandStatus

INTERVAL_S = 1.0
PLAIN_INTERVAL_S = 5.0
MAX_SHARE = 0.015
"""Part of a core that watching may take."""


def watch(shared: SharedPaths, *, pids: Sequence[int], is_json: bool) -> None:
    """Show the table until interrupted, or with `pids` until the last of these processes has ended.

    On a terminal it is drawn anew, with what migrates below; in a pipe it is shown once, or with `pids` as a short line
    now and then; as JSON it is one object a look.
    """
    observer = status.BeatWatch(shared, clock=time.monotonic)

    def is_over() -> bool:
        return bool(pids) and not any(map(_lives, pids))

    if is_json:
        _watch_json(observer.look, is_over)
    elif sys.stdout.isatty():
        _watch_live(observer.look, is_over, Board(shared))
    elif pids:
        _watch_plain(observer.look, is_over)
    else:
        table.show_all(observer.look(), shared, with_champions=False)


def pause_s(cost_s: float) -> float:
    """Return how long to rest after a look that took the processor so long: a watcher must not slow what it watches."""
    return max(INTERVAL_S, cost_s / MAX_SHARE)


def _watch_live(look: Callable[[], list[IslandStatus]], is_over: Callable[[], bool], board: Board) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to load, and useless in a pipe
    from rich.live import Live  # noqa: PLC0415

    console = Console(highlight=False)
    with interruptible(), Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        while not is_over():
            before_s = time.process_time()
            live.update(board.draw(look(), width=console.width, height=console.height - 1), refresh=True)
            time.sleep(pause_s(time.process_time() - before_s))


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
