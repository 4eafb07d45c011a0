"""What `pool owners` says."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from atoll.migration.pool import epochs
from atoll.migration.pool import identity as pools
from atoll.migration.pool.islands import Owner, read_owners
from atoll.scripts.view.table import UNKNOWN, aligned

if TYPE_CHECKING:
    from atoll.evo.paths import SharedPaths

HEADER = ("island", "state", "host", "since", "locks", "in the lock", "process", "epoch")


def show_owners(shared: SharedPaths, *, is_json: bool) -> int:
    """Print a row for each island of the pool; return the exit code.

    Raises:
        PoolMismatchError: There is no pool, or POOL.json is damaged.
    """
    pools.check_directory(shared)
    joined = pools.require(shared)
    rows = read_owners(shared, joined.locks)
    if is_json:
        click.echo(json.dumps({"lock_class": joined.lock_class, "owners": [asdict(row) for row in rows]}))
    else:
        click.echo(aligned([HEADER, *map(_cells, rows)], n_words=6))
    return 0


def _cells(row: Owner) -> tuple[str, ...]:
    since = UNKNOWN if row.since_s is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.since_s))
    return (
        row.island,
        row.state,
        epochs.shown_place(row.host) if row.host else UNKNOWN,
        since,
        row.lock_class,
        row.lock_holder or UNKNOWN,
        UNKNOWN if row.pid is None else str(row.pid),
        UNKNOWN if row.epoch is None else str(row.epoch),
    )
