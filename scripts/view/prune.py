"""What `pool prune` says."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic
from atoll.evo.config import LOCKSTEP
from atoll.evo.errors import OwnerConflictError, PoolMismatchError
from atoll.evo.text import count, printable
from atoll.migration.pool import identity as pools
from atoll.migration.pool.prune import Pruned, prune

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.paths import SharedPaths


def show_pruned(
    shared: SharedPaths,
    names: Sequence[str],
    *,
    keep: int,
    is_dry_run: bool,
    is_foreign_allowed: bool,
    is_json: bool,
) -> int:
    """Prune, and say what is gone and what was left alone; return the exit code.

    Raises:
        PoolMismatchError: There is no pool, or its islands need what they published.
    """
    pools.check_directory(shared)
    joined = pools.require(shared)
    if joined.agreement["mode"] == LOCKSTEP:
        raise PoolMismatchError(
            "in lockstep every publication is kept, since a slower member or a restart may need it; "
            "'cli.py pool archive' puts the whole run away"
        )
    with atomic.storage_errors("prune the pool"):
        pools.check_account(shared, is_foreign_allowed=is_foreign_allowed)
        rows = prune(shared, names, keep=keep, locks=joined.locks, is_dry_run=is_dry_run)
    if is_json:
        click.echo(json.dumps({"is_dry_run": is_dry_run, "islands": [asdict(row) for row in rows]}))
    else:
        for row in rows:
            click.echo(printable(_line(row, is_dry_run=is_dry_run)))
    return OwnerConflictError.exit_code if any(row.left_alone for row in rows) else 0


def _line(row: Pruned, *, is_dry_run: bool) -> str:
    if row.left_alone:
        return f"{row.island}: left alone, {row.left_alone}"
    done = "would remove" if is_dry_run else "removed"
    return f"{row.island}: {done} {count(len(row.removed), 'publication')}, {row.kept} left"
