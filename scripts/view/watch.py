"""Watch a run: its table again and again (`status --watch`), or its migration logs as they grow (`tail`)."""

from __future__ import annotations

import errno
import json
import select
import sys
import time
from typing import TYPE_CHECKING

import click
import psutil

from atoll.evo.errors import ConfigError
from atoll.evo.paths import is_island_name
from atoll.evo.signals import interruptible
from atoll.migration.observe import status
from atoll.migration.pool.bounded_io import list_names
from atoll.scripts.view import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from atoll.evo.paths import SharedPaths
    from atoll.migration.observe.status import IslandStatus

INTERVAL_S = 1.0
PLAIN_INTERVAL_S = 5.0
POLL_S = 0.3
MAX_SHARE = 0.015
"""Part of a core that watching may take."""


def watch(shared: SharedPaths, *, pids: Sequence[int], is_json: bool) -> None:
    """Show the table until interrupted, or with `pids` until the last of these processes has ended.

    On a terminal it is drawn anew, with what migrates below; in a pipe it is shown once, or with `pids` as a short line
    now and then; as JSON it is one object a look.
    """
    looks = _looks(shared, pids)
    if is_json:
        for rows in looks:
            click.echo(table.as_json(rows))
    elif sys.stdout.isatty():
        _watch_live(looks, table.Board(shared))
    elif pids:
        shown_s = time.monotonic()
        for rows in looks:
            if time.monotonic() - shown_s >= PLAIN_INTERVAL_S and rows:
                shown_s = time.monotonic()
                click.echo(" | ".join(map(_short, rows)))
    else:
        table.show_all(next(looks), shared, with_champions=False)


def _looks(shared: SharedPaths, pids: Sequence[int]) -> Iterator[list[IslandStatus]]:
    """Yield looks at all islands until the last of these processes has ended, what is done with one in its cost."""
    look = status.BeatWatch(shared, clock=time.monotonic).look
    while not pids or any(map(_lives, pids)):
        before_s = time.process_time()
        yield look()
        time.sleep(pause_s(time.process_time() - before_s))


def pause_s(cost_s: float) -> float:
    """Return how long to rest after a look that took the processor so long: a watcher must not slow what it watches."""
    return max(INTERVAL_S, cost_s / MAX_SHARE)


def _watch_live(looks: Iterable[list[IslandStatus]], board: table.Board) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to load, and useless in a pipe
    from rich.live import Live  # noqa: PLC0415

    console = Console(highlight=False)
    with interruptible(), Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        for rows in looks:
            live.update(board.draw(rows, width=console.width, height=console.height - 1), refresh=True)


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _short(row: IslandStatus) -> str:
    name, condition, generation, best, *_ = table.cells(row)
    return f"{name} {condition} {generation} best {best}"


def tail(shared: SharedPaths, names: Sequence[str], *, lines: int, is_json: bool, is_following: bool) -> None:
    """Print the last lines of each log, merged by time, then whatever is added; islands may come later.

    Raises:
        ConfigError: An island that was named does not exist, and nobody wants to wait for it.
    """
    for name in names:
        if not shared.island(name).home.exists():
            if not is_following:
                raise ConfigError(f"there is no island {name} in {shared.root}; 'cli.py status' lists them")
            click.echo(f"waiting for island {name} to start in {shared.root}", err=True)
    reader = _Reader()
    recent: list[str] = []
    for path in _logs(shared, names, is_json=is_json):
        added = reader.read(path)
        recent += added[-lines:] if lines else []
    recent.sort(
        key=(lambda line: json.loads(line)["time"]["unix_s"]) if is_json else (lambda line: line[: table.STAMP])
    )
    for line in recent:  # the sort is stable: an island's own order stays
        click.echo(line)
    while is_following:
        time.sleep(POLL_S)
        _check_reader()
        for path in _logs(shared, names, is_json=is_json):
            for line in reader.read(path):
                click.echo(line)


def _check_reader() -> None:
    """End like a program that writes to a closed pipe, also while there is nothing to write."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    if poll.poll(0):
        raise BrokenPipeError(errno.EPIPE, "the reader has gone")


def _logs(shared: SharedPaths, names: Sequence[str], *, is_json: bool) -> Iterator[Path]:
    for name in names or [name for name in list_names(shared.homes) if is_island_name(name)]:
        paths = shared.island(name)
        yield paths.ledger if is_json else paths.migration_log


class _Reader:
    """Reads what was added to logs, and says once of each that may not be read."""

    def __init__(self) -> None:
        self._places: dict[Path, int] = {}
        self._closed: set[Path] = set()

    def read(self, path: Path) -> list[str]:
        try:
            lines, self._places[path] = table.read_added(path, self._places.get(path, 0))
        except FileNotFoundError:
            self._places[path] = 0
        except PermissionError as error:
            if path not in self._closed:
                self._closed.add(path)
                click.echo(f"{path.parent.name} may not be read: {path}: {error.strerror}", err=True)
        else:
            return lines
        return []
