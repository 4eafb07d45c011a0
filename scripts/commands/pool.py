"""The commands of `pool`; each imports what it needs when it is called."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic
from atoll.evo.config import LOCKSTEP
from atoll.evo.errors import ConfigError, DamagedFileError, OwnerConflictError, PoolMismatchError
from atoll.scripts.commands.options import emit, foreign_option, shared_options, shared_paths

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from atoll.evo.paths import SharedPaths

TABLES = ("shares", "intervals", "migrants", "differentiation")


@click.group()
def pool() -> None:
    """Look after the pool of migrants."""


@pool.command()
@click.argument("islands", nargs=-1)
@click.option("--events", "with_events", is_flag=True, help="List every event instead of sums.")
@shared_options
def ledger(islands: tuple[str, ...], with_events: bool, root: Path, is_json: bool) -> int:
    """Tell who gave what to whom, who was refused and why, and what became of those who were let in.

    \b
    Examples:
      python cli.py pool ledger
      python cli.py pool ledger island-01 --events --json
    """
    from atoll.migration.observe.history import read_flow
    from atoll.migration.pool.islands import lived, unreadable_of
    from atoll.scripts.view.pool import event_lines, flow_text
    from atoll.scripts.view.table import closed

    shared = _shared_with(root, islands)
    if not with_events:
        told = read_flow(shared, islands)
        emit(asdict(told), flow_text(told, root=root), as_json=is_json)
        return 0
    unreadable = unreadable_of(shared, islands)
    readable = [name for name in islands or lived(shared) if name not in unreadable]
    for line in event_lines(shared, readable, as_json=is_json):
        click.echo(line)
    _warn(closed(unreadable))
    return 0


@pool.command()
@click.argument("islands", nargs=-1)
@click.option(
    "--csv",
    "table",
    type=click.Choice(TABLES),
    help="Print as CSV: each ancestor's share in each generation; what each migration brought; what became of each "
    "migrant; F_ST between islands over time, of whole populations, or of emigrants where nothing else was kept.",
)
@shared_options
def flow(islands: tuple[str, ...], table: str | None, root: Path, is_json: bool) -> int:
    """Tell where the genes come from: shares by ancestor, F_ST between islands, gene flow, the fate of migrants.

    An ancestor is the island whose founders a gene descends from. 'origins' is how many ancestors of equal shares would
    be as diverse (the inverse Simpson index). Of the migrants taken in, 'distinct' counts copies once, and 'live' those
    some of whose genes are still there.

    \b
    Examples:
      python cli.py pool flow
      python cli.py pool flow --json | jq .f_st
      python cli.py pool flow --csv migrants > migrants.csv
    """
    from atoll.migration.observe import snapshot
    from atoll.migration.pool.access import open_pool
    from atoll.migration.pool.islands import unreadable_of
    from atoll.scripts.view import pool as view
    from atoll.scripts.view.table import closed

    if is_json and table:
        raise click.UsageError("--json and --csv exclude each other")
    shared = _shared_with(root, islands)
    pool = open_pool(shared)
    if table == "differentiation":
        _warn(closed(unreadable_of(shared)))
        rows = snapshot.differentiation(pool)
        view.print_csv(map(asdict, rows), snapshot.Differentiation)
        return 0
    told = snapshot.look(shared, islands, spec=pool.spec)
    if table:
        view.print_table(told, table)
        _warn(closed(told.unreadable))
    else:
        emit(view.gene_flow_json(told), view.gene_flow_text(told), as_json=is_json)
    return 0


@pool.command()
@click.option(
    "--limit-s",
    type=click.FloatRange(min=0.0),
    default=600.0,
    show_default=True,
    help="Stop after so many seconds, and say what was not read.",
)
@shared_options
def verify(root: Path, is_json: bool, limit_s: float) -> int:
    """Read everything, change nothing, report what an island would refuse.

    Private folders are read too; archived runs are not, nor migration.log, which says what the ledger says. Each defect
    has its file, and the byte where that is known. What running or killed processes leave is none. The exit code is 9
    if there is a defect, or if something was not read.

    \b
    Example:
      python cli.py pool verify --migration-dir shared/
    """
    from atoll.migration.observe.verify import verify as read_everything
    from atoll.scripts.view.pool import findings_text

    findings = read_everything(shared_paths(root), limit_s=limit_s)
    emit(asdict(findings), findings_text(findings), as_json=is_json)
    return 0 if findings.is_clean else DamagedFileError.exit_code


@pool.command()
@click.argument("islands", nargs=-1)
@click.option("--keep", type=click.IntRange(min=3), required=True, help="How many publications of each island stay.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what would be removed, and change nothing.")
@foreign_option
@shared_options
def prune(
    islands: tuple[str, ...], keep: int, is_dry_run: bool, is_foreign_allowed: bool, root: Path, is_json: bool
) -> int:
    """Remove old publications of islands that do not run (all, unless named).

    An island that runs, or that somebody reads just now, is left alone and named, and the exit code is 4; a running one
    prunes by itself with evolve --keep-generations. In lockstep nothing is pruned.

    \b
    Example:
      python cli.py pool prune --keep 10 --dry-run
    """
    from atoll.migration.pool import identity as pools
    from atoll.migration.pool.prune import prune as remove
    from atoll.scripts.view.pool import pruned_text

    shared = shared_paths(root)
    identity = pools.require(shared)
    if identity.agreement["mode"] == LOCKSTEP:
        raise PoolMismatchError(
            "in lockstep every publication is kept, since a slower member or a restart may need it; "
            "'cli.py pool archive' puts the whole run away"
        )
    with atomic.storage_errors("prune the pool"):
        pools.check_account(shared, is_foreign_allowed=is_foreign_allowed)
        rows = remove(shared, islands, keep=keep, locks=identity.locks, is_dry_run=is_dry_run)
    if rows or is_json:
        told = {"is_dry_run": is_dry_run, "islands": [asdict(row) for row in rows]}
        emit(told, pruned_text(rows, is_dry_run=is_dry_run), as_json=is_json)
    return OwnerConflictError.exit_code if any(row.left_alone for row in rows) else 0


@pool.command()
@shared_options
def owners(root: Path, is_json: bool) -> int:
    """Tell who holds which island, since when, and whether that process lives.

    \b
    Example:
      python cli.py pool owners
    """
    from atoll.migration.pool import identity as pools
    from atoll.migration.pool.islands import read_owners
    from atoll.scripts.view.pool import owners_text

    shared = shared_paths(root)
    identity = pools.require(shared)
    rows = read_owners(shared, identity.locks)
    told = {"lock_class": identity.lock_class, "owners": [asdict(row) for row in rows]}
    emit(told, owners_text(rows), as_json=is_json)
    return 0


@pool.command()
@click.option("--if-finished", "only_finished", is_flag=True, help="Leave an unfinished run where it is, and say so.")
@click.option("--force", "is_forced", is_flag=True, help="Believe that islands on other hosts have ended.")
@foreign_option
@shared_options
def archive(root: Path, is_json: bool, only_finished: bool, is_forced: bool, is_foreign_allowed: bool) -> int:
    """Put a whole run away, to old/run-<id>/ in the shared directory.

    \b
    Example:
      python cli.py pool archive --if-finished
    """
    from atoll.migration.observe import archive as archives
    from atoll.migration.pool import identity as pools
    from atoll.scripts.view.pool import archived_text

    shared = shared_paths(root)
    run = archives.look(shared)
    is_half_done = run.target is not None and run.target.exists()
    stays = run.run_id is None or (only_finished and not run.is_finished and not is_half_done)
    if not stays:
        with atomic.storage_errors("archive the run"):
            pools.check_account(shared, is_foreign_allowed=is_foreign_allowed)
    target = None if stays else archives.put_away(shared, run, force=is_forced)
    told = {"run_id": run.run_id, "archived_to": str(target) if target else None}
    emit(told, archived_text(root, run, target), as_json=is_json)
    return 0


def _shared_with(root: Path, islands: Iterable[str]) -> SharedPaths:
    """Return the files of a shared directory that has these islands."""
    shared = shared_paths(root)
    for name in islands:
        if not shared.island(name).home.exists():
            raise ConfigError(f"there is no island {name} in {shared.root}; 'cli.py status' lists them")
    return shared


def _warn(lines: Iterable[str]) -> None:
    from atoll.evo.errors import printable

    for line in lines:
        click.echo(printable(line), err=True)
