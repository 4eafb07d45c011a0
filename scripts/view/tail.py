"""The migration logs of one or all islands, followed."""

from __future__ import annotations

import errno
import json
import select
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from atoll.evo.errors import ConfigError
from atoll.evo.paths import is_island_name
from atoll.migration.pool.bounded_io import list_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from atoll.evo.paths import SharedPaths

POLL_S = 0.3


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
    places: dict[Path, int] = {}
    recent: list[str] = []
    for path in _logs(shared, names, is_json=is_json):
        text, places[path] = reader.read(path, 0)
        recent += text[-lines:] if lines else []
    for line in sorted(recent, key=_unix_s if is_json else _stamp):  # stable: an island's own order stays
        click.echo(line)
    while is_following:
        time.sleep(POLL_S)
        _check_reader()
        for path in _logs(shared, names, is_json=is_json):
            added, places[path] = reader.read(path, places.get(path, 0))
            for line in added:
                click.echo(line)


def _check_reader() -> None:
    """End like a program that writes to a closed pipe, also while there is nothing to write."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    if poll.poll(0):
        raise BrokenPipeError(errno.EPIPE, "the reader has gone")


def _stamp(line: str) -> str:
    return line[: len("2026-11-23 12:00:00")]


def _unix_s(line: str) -> float:
    time_s: float = json.loads(line)["time"]["unix_s"]
    return time_s


def _logs(shared: SharedPaths, names: Sequence[str], *, is_json: bool) -> Iterator[Path]:
    for name in names or [name for name in list_names(shared.homes) if is_island_name(name)]:
        paths = shared.island(name)
        yield paths.ledger if is_json else paths.migration_log


@dataclass
class _Reader:
    """Reads logs, and says once of each that may not be read."""

    _closed: set[Path] = field(default_factory=set)

    def read(self, path: Path, place: int) -> tuple[list[str], int]:
        try:
            return _read_from(path, place)
        except PermissionError as error:
            if path not in self._closed:
                self._closed.add(path)
                click.echo(f"{path.parent.name} may not be read: {path}: {error.strerror}", err=True)
            return [], place


def _read_from(path: Path, place: int) -> tuple[list[str], int]:
    """Return the whole lines from `place` on, and where they end; a log that was archived starts again at 0."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(place if place <= size else 0)
            start = file.tell()
            data = file.read()
    except FileNotFoundError:
        return [], 0
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode(errors="replace").split("\n")[:-1], start + len(whole)
