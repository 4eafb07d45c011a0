"""What `pool ledger` says: a table of givers and takers, or every event."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from atoll.evo.errors import ConfigError
from atoll.evo.text import printable
from atoll.migration.observe.flow import IMPORTED, PUBLISHED, REFUSED, Flow, n_published, read_events, read_flow
from atoll.migration.pool import identity as pools
from atoll.migration.pool.islands import lived, unreadable_of
from atoll.scripts.view.table import UNKNOWN, aligned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atoll.evo.paths import SharedPaths
    from atoll.evo.runlog import Record


def show_flow(shared: SharedPaths, names: Sequence[str], *, is_json: bool) -> int:
    """Print who gave what to whom; return the exit code.

    Raises:
        ConfigError: An island that was named has no ledger.
    """
    flow = read_flow(shared, known(shared, names))
    if is_json:
        click.echo(json.dumps(asdict(flow)))
        return 0
    if not flow.islands and not flow.unreadable:
        click.echo(f"no islands in {shared.root} yet")
        return 0
    click.echo(_table(flow))
    for line in (*_refusals(flow), *_unreadable(flow), *closed(flow.unreadable)):
        click.echo(printable(line))
    return 0


def show_events(shared: SharedPaths, names: Sequence[str], *, is_json: bool) -> int:
    """Print every event that stands, by time; return the exit code.

    Raises:
        ConfigError: An island that was named has no ledger.
    """
    asked = known(shared, names)
    unreadable = unreadable_of(shared, asked)
    islands = [name for name in asked or lived(shared) if name not in unreadable]
    events = [(name, record) for name in islands for record in read_events(shared.island(name))[0]]
    for name, record in sorted(events, key=lambda event: _unix_s(event[1])):  # stable: an island's own order stays
        line = f"{name}  gen {record['generation']}  {_event(record)}"
        click.echo(json.dumps(record) if is_json else printable(line))
    for line in closed(unreadable):
        click.echo(printable(line), err=True)
    return 0


def _table(flow: Flow) -> str:
    """Return a row for each giver and a numbered column for each taker; the numbers are those of the givers' rows.

    Behind the takers: how many of a giver's genomes were taken in all; how many of them led, which is to say were
    better than all who lived where they came to; how many scored there what the giver had said; and what was refused.
    """
    givers = flow.givers
    number = {name: str(i) for i, name in enumerate(givers, start=1)}
    taken = {(passage.giver, passage.taker): passage.genomes for passage in flow.passages}
    refused: Counter[str] = Counter()
    for refusal in flow.refusals:
        refused[refusal.giver] += refusal.times
    lines = [("", "giver", *(number[taker] for taker in flow.islands), "published", "taken", "led", "equal", "refused")]
    for giver in givers:
        own = [passage for passage in flow.passages if passage.giver == giver]
        sums = (
            flow.published.get(giver),
            sum(passage.genomes for passage in own),
            sum(passage.led for passage in own),
            sum(passage.equal for passage in own),
            refused[giver],
        )
        cells = (taken.get((giver, taker)) for taker in flow.islands)
        lines.append((number[giver], giver, *map(_number, (*cells, *sums))))
    return aligned(lines, n_words=2)


def _refusals(flow: Flow) -> list[str]:
    return [
        f"{refusal.taker} refused {refusal.giver} {refusal.times} times: {refusal.reason}" for refusal in flow.refusals
    ]


def _unreadable(flow: Flow) -> list[str]:
    return [f"{n} lines of the ledger of {name} cannot be read" for name, n in flow.unreadable_lines.items()]


def closed(unreadable: Mapping[str, str]) -> list[str]:
    """Return a line for each island that may not be read."""
    return [f"{name} may not be read: {why}" for name, why in unreadable.items()]


def _event(record: Record) -> str:
    kind = record["kind"]
    if kind == IMPORTED:
        scores = f"{record.get('fitness_there')} there, {record.get('fitness_here')} here"
        again = ", again" if record.get("again") is True else ""
        place = f"{record.get('source')} gen {record.get('source_generation')}{again}"
        return f"imported {record.get('id')} from {place}: {scores}"
    if kind == REFUSED:
        place = f"{record.get('source')} gen {record.get('source_generation')}"
        return f"refused {place}, {record.get('reason')}: {record.get('detail')}"
    if kind == PUBLISHED:
        return f"published {n_published(record)} genomes, best {record.get('best')}"
    details = {name: value for name, value in record.items() if name not in {"kind", "island", "generation", "time"}}
    return f"{kind} {json.dumps(details)}" if details else str(kind)


def _unix_s(record: Record) -> float:
    time = record.get("time")
    unix_s = time.get("unix_s") if isinstance(time, dict) else None
    return float(unix_s) if isinstance(unix_s, int | float) else 0.0


def known(shared: SharedPaths, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of islands that a user gave.

    Raises:
        ConfigError: There is no such island.
        StorageError: There is no such directory.
    """
    pools.check_directory(shared)
    for name in names:
        if not shared.island(name).home.exists():
            raise ConfigError(f"there is no island {name} in {shared.root}; 'cli.py status' lists them")
    return tuple(names)


def _number(n: int | None) -> str:
    return UNKNOWN if n is None else str(n)
