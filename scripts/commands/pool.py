"""The commands of `pool`; each imports what it needs when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from atoll.evo.paths import SharedPaths
from atoll.scripts.commands.options import foreign_option, shared_options

if TYPE_CHECKING:
    from pathlib import Path

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
    from atoll.scripts.view.flow import show_events, show_flow

    show = show_events if with_events else show_flow
    return show(SharedPaths(root), islands, is_json=is_json)


@pool.command()
@click.argument("islands", nargs=-1)
@click.option(
    "--csv",
    "table",
    type=click.Choice(TABLES),
    help="Print as CSV: each ancestor's share in each generation; what each migration brought; what became of each "
    "migrant; F_ST between what was published at each generation.",
)
@shared_options
def flow(islands: tuple[str, ...], table: str | None, root: Path, is_json: bool) -> int:
    """Tell where the genes come from: shares by ancestor, F_ST between islands, gene flow, the fate of migrants.

    An ancestor is the island whose founders a gene descends from. 'origins' is how many ancestors of equal shares would
    be as diverse (the inverse Simpson index); 'live' counts the migrants taken in some of whose genes are still there.

    \b
    Examples:
      python cli.py pool flow
      python cli.py pool flow --json | jq .f_st
      python cli.py pool flow --csv migrants > migrants.csv
    """
    from atoll.scripts.view.origins import show_origins

    if is_json and table:
        raise click.UsageError("--json and --csv exclude each other")
    return show_origins(SharedPaths(root), islands, is_json=is_json, table=table)


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
    from atoll.scripts.view.pool import show_findings

    return show_findings(SharedPaths(root), limit_s=limit_s, is_json=is_json)


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
    from atoll.scripts.view.prune import show_pruned

    return show_pruned(
        SharedPaths(root),
        islands,
        keep=keep,
        is_dry_run=is_dry_run,
        is_foreign_allowed=is_foreign_allowed,
        is_json=is_json,
    )


@pool.command()
@shared_options
def owners(root: Path, is_json: bool) -> int:
    """Tell who holds which island, since when, and whether that process lives.

    \b
    Example:
      python cli.py pool owners
    """
    from atoll.scripts.view.owners import show_owners

    return show_owners(SharedPaths(root), is_json=is_json)


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
    from atoll.scripts.view.pool import put_away

    return put_away(
        SharedPaths(root),
        only_finished=only_finished,
        is_forced=is_forced,
        is_foreign_allowed=is_foreign_allowed,
        is_json=is_json,
    )
