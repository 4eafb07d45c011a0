"""`report`: read an archipelago's files, simulate its champions again, write one page."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic
from atoll.evo.errors import ConfigError
from atoll.evo.text import printable
from atoll.migration.pool import identity as pool
from atoll.migration.pool.islands import unreadable_of
from atoll.scripts.report import page, walks
from atoll.scripts.report.document import document
from atoll.scripts.report.history import read_history
from atoll.scripts.report.output import check_output

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.paths import SharedPaths


def write_report(shared: SharedPaths, out: Path, *, is_json: bool) -> int:
    """Write the page of an archipelago; return the exit code.

    Raises:
        ConfigError: There are no islands.
        StorageError: The directory cannot be read, or the page not be written.
    """
    check_output(out)
    pool.check_directory(shared)
    histories = read_history(shared)
    left_out = [f"{name} may not be read: {why}" for name, why in unreadable_of(shared).items()]
    if not histories:
        raise ConfigError(
            f"no islands in {shared.root}, so there is nothing to report; name the directory that --migration-dir named"
            if not left_out
            else f"no island in {shared.root} may be read: {left_out[0]}"
        )
    champions, unread = walks.read_champions(shared, [history.name for history in histories])
    walkers, unfilmed = walks.film(shared, champions)
    made = time.strftime("%Y-%m-%d %H:%M:%S")
    shown = document(
        histories,
        champions,
        walkers,
        title=shared.root.resolve().name or str(shared.root),
        made=made,
        notes=[*left_out, *unread, *unfilmed],
    )
    data = page.build(shown).encode()
    with atomic.storage_errors("write the report"):
        atomic.replace_file(out, data, durable=False)
    notes = shown["notes"]
    if is_json:
        told = {"page": str(out), "bytes": len(data), "islands": len(histories), "walkers": len(walkers)}
        click.echo(json.dumps({**told, "notes": notes}))
        return 0
    for note in notes:
        click.echo(printable(f"note: {note}"), err=True)
    click.echo(f"{out}: {len(histories)} islands, {len(walkers)} champions on the move, {len(data) / 1e6:.1f} MB")
    return 0
