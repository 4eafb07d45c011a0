"""Care of the pool, as `pool verify`, `prune`, `owners` and `archive` tell of it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic
from atoll.evo.config import LOCKSTEP
from atoll.evo.errors import DamagedFileError, OwnerConflictError, PoolMismatchError
from atoll.evo.records import count
from atoll.migration.observe import archive, status
from atoll.migration.observe.verify import verify
from atoll.migration.pool import epochs
from atoll.migration.pool import identity as pools
from atoll.migration.pool.ledger import printable
from atoll.migration.pool.owners import Owner, read_owners
from atoll.migration.pool.prune import Pruned, prune
from atoll.scripts.view.table import UNKNOWN, aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.paths import SharedPaths
    from atoll.migration.observe.findings import Findings
    from atoll.migration.observe.status import IslandStatus

OWNERS_HEADER = ("island", "state", "host", "since", "locks", "in the lock", "process", "epoch")


def show_findings(shared: SharedPaths, *, limit_s: float, is_json: bool) -> int:
    """Verify the pool and print what was found; return the exit code."""
    pools.check_directory(shared)
    findings = verify(shared, limit_s=limit_s)
    if is_json:
        click.echo(json.dumps(asdict(findings)))
    else:
        _print_findings(findings)
    return 0 if findings.is_clean else DamagedFileError.exit_code


def _print_findings(findings: Findings) -> None:
    for defect in findings.defects:
        place = "" if defect.byte is None else f", byte {defect.byte}"
        click.echo(printable(f"{defect.path}{place}: {defect.reason}"))
    if findings.more:
        click.echo(f"... and {findings.more} more")
    for what in findings.left_out:
        click.echo(f"not read: {printable(what)}")
    counted = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in findings.counts.items())
    click.echo(f"in order: {counted}; {len(findings.leftovers)} leftovers, {len(findings.defects)} defects")


def put_away(
    shared: SharedPaths, *, only_finished: bool, is_forced: bool, is_foreign_allowed: bool, is_json: bool
) -> int:
    """Archive the run, or say why it stays; return the exit code.

    Raises:
        StorageError: The run belongs to another account, and nobody said that it may.
    """
    pools.check_directory(shared)
    run = archive.look(shared)
    is_half_done = run.target is not None and run.target.exists()
    stays = run.run_id is None or (only_finished and not run.is_finished and not is_half_done)
    if not stays:
        with atomic.storage_errors("archive the run"):
            pools.check_account(shared, is_foreign_allowed=is_foreign_allowed)
    target = None if stays else archive.put_away(shared, run, force=is_forced)
    if is_json:
        click.echo(json.dumps({"run_id": run.run_id, "archived_to": str(target) if target else None}))
    elif run.run_id is None:
        click.echo(f"a new run starts in {shared.root}")
    elif target:
        click.echo(f"archived the run of {len(run.islands)} islands to {target}; a new run starts in {shared.root}")
    else:
        unfinished = [row for row in run.islands if row.condition != status.FINISHED]
        places = ", ".join(map(_place, unfinished))
        click.echo(f"resuming the unfinished run in {shared.root}: {places or 'no island has started yet'}")
    return 0


def _place(row: IslandStatus) -> str:
    return row.name + (" unreadable" if row.unreadable else f" at generation {row.generation or 0} of {row.target}")


def show_owners(shared: SharedPaths, *, is_json: bool) -> int:
    """Print a row for each island of the pool; return the exit code.

    Raises:
        PoolMismatchError: There is no pool, or POOL.json is damaged.
    """
    pools.check_directory(shared)
    joined = pools.read(shared)
    if joined is None:
        raise PoolMismatchError(f"{shared.identity} does not exist: no island has used this directory yet")
    rows = read_owners(shared, lock_class=joined.lock_class)
    if is_json:
        click.echo(json.dumps({"lock_class": joined.lock_class, "owners": [asdict(row) for row in rows]}))
    else:
        click.echo(aligned([OWNERS_HEADER, *map(_cells, rows)], n_words=6))
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
    joined = pools.read(shared)
    if joined is None:
        raise PoolMismatchError(f"{shared.identity} does not exist: no island has used this directory yet")
    if joined.agreement["mode"] == LOCKSTEP:
        raise PoolMismatchError(
            "in lockstep every publication is kept, since a slower member or a restart may need it; "
            "'cli.py pool archive' puts the whole run away"
        )
    with atomic.storage_errors("prune the pool"):
        pools.check_account(shared, is_foreign_allowed=is_foreign_allowed)
        rows = prune(shared, names, keep=keep, lock_class=joined.lock_class, is_dry_run=is_dry_run)
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
