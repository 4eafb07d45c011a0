"""What `pool verify` and `pool archive` say."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic
from atoll.evo.errors import DamagedFileError
from atoll.evo.text import printable
from atoll.migration.observe import archive, status
from atoll.migration.observe.verify import verify
from atoll.migration.pool import identity as pools

if TYPE_CHECKING:
    from atoll.evo.paths import SharedPaths
    from atoll.migration.observe.status import IslandStatus
    from atoll.migration.observe.verify import Findings


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
