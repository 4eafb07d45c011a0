"""The commands that watch an archipelago, `status` and `tail`; each imports what it needs when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from atoll.evo.paths import SharedPaths, check_island_name
from atoll.scripts.commands.options import shared_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--watch", "is_watching", is_flag=True, help="Keep showing the table until Ctrl-C.")
@click.option("--while", "pids", multiple=True, type=int, metavar="PID", help="Watch while this process lives.")
@click.option("--champions", "with_champions", is_flag=True, help="Also show where each island's champion is.")
@shared_options
def status(root: Path, is_json: bool, is_watching: bool, pids: tuple[int, ...], with_champions: bool) -> int:
    """Show all islands, from their files alone.

    \b
    Examples:
      python cli.py status
      python cli.py status --watch
      python cli.py status --json | jq '.islands[].best'
    """
    from atoll.migration.observe.history import refusals_of
    from atoll.migration.observe.status import read_all
    from atoll.migration.pool import identity as pool
    from atoll.scripts.view import table
    from atoll.scripts.view.watch import watch

    shared = SharedPaths(root)
    pool.check_directory(shared)
    if is_watching or pids:
        watch(shared, pids=pids, is_json=is_json)
        return 0
    rows = read_all(shared)
    if is_json:
        click.echo(table.as_json(rows, refusals={row.name: refusals_of(shared.island(row.name)) for row in rows}))
    else:
        table.show_all(rows, shared, with_champions=with_champions)
    return 0


@click.command()
@click.argument("islands", nargs=-1)
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Lines per island to begin with.",
)
@click.option("--follow/--no-follow", "is_following", default=True, show_default=True, help="Wait for more.")
@shared_options
def tail(islands: tuple[str, ...], lines: int, is_following: bool, root: Path, is_json: bool) -> int:
    """Follow the migration log of one or all islands.

    \b
    Examples:
      python cli.py tail
      python cli.py tail island-01 -n 50 --no-follow
    """
    from atoll.migration.pool import identity as pool
    from atoll.scripts.view.watch import tail as follow

    shared = SharedPaths(root)
    pool.check_directory(shared)
    for name in islands:
        check_island_name(name)
    follow(shared, islands, lines=lines, is_json=is_json, is_following=is_following)
    return 0
