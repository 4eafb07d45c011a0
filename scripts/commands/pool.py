"""The commands of `cli.py pool` that say what crossed between islands; `cli.py` adds them to its group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from atoll.evo.paths import SharedPaths
from atoll.scripts.commands.options import shared_options

if TYPE_CHECKING:
    from pathlib import Path

TABLES = ("shares", "intervals", "migrants", "differentiation")


@click.command()
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
    from atoll.scripts.view.migration import show_events, show_flow

    show = show_events if with_events else show_flow
    return show(SharedPaths(root), islands, is_json=is_json)


@click.command()
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
    from atoll.scripts.view.migration import show_origins

    if is_json and table:
        raise click.UsageError("--json and --csv exclude each other")
    return show_origins(SharedPaths(root), islands, is_json=is_json, table=table)
