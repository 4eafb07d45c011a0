"""Migration of a run, as `pool ledger` and `pool flow` tell of it: who gave what to whom, and whose genes live on."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import click

from atoll.evo import records, runlog
from atoll.evo.errors import ConfigError, PoolMismatchError
from atoll.migration.observe.history import Fate, Flow, Influx, Origins, read_flow, whole_lines
from atoll.migration.pool import identity as pools
from atoll.migration.pool.islands import lived, unreadable_of
from atoll.migration.pool.ledger import printable
from atoll.scripts.view.table import UNKNOWN, aligned, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from atoll.evo.paths import SharedPaths
    from atoll.evo.records import Record, Shares
    from atoll.migration.observe.snapshot import Archipelago

HEADER = ("", "island", "gen", "origins", "diversity", "taken", "live")
SHARES = "largest shares"
MOST_NAMED = 3


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
    events = [(name, *event) for name in islands for event in _events(shared.island(name).ledger)]
    for name, record, raw in sorted(events, key=lambda event: event[1].unix_s or 0.0):  # an island's own order stays
        line = f"{name}  gen {record.generation}  {record}"
        click.echo(json.dumps(raw) if is_json else printable(line))
    for line in closed(unreadable):
        click.echo(printable(line), err=True)
    return 0


def _events(ledger: Path) -> list[tuple[Record, runlog.Record]]:
    """Return the records of a ledger that stand, each also as JSON has it: with what only other versions know."""
    lines = [json.loads(line) for line in whole_lines(ledger) if records.parse(line) is not None]
    parsed = ((records.from_json(raw), raw) for raw in runlog.current(lines))
    return [(record, raw) for record, raw in parsed if record is not None]


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


def show_origins(shared: SharedPaths, names: Sequence[str], *, is_json: bool, table: str | None) -> int:
    """Print where the genes come from; return the exit code.

    Args:
        shared: The archipelago's files.
        names: Islands; all if there are none.
        is_json: As one JSON object.
        table: As CSV, one of `pool_commands.TABLES`.

    Raises:
        ConfigError: An island that was named has no private folder.
        PoolMismatchError: There is no pool, or POOL.json is damaged.
    """
    from atoll.migration.observe import snapshot  # noqa: PLC0415 - `pool ledger` needs no NumPy
    from atoll.migration.observe.verify import spec_of  # noqa: PLC0415

    names = known(shared, names)
    pool = pools.read(shared)
    if pool is None:
        raise PoolMismatchError(f"{shared.identity} does not exist: no island has used this directory yet")
    spec = spec_of(pool.task)
    if table == "differentiation":
        for line in closed(unreadable_of(shared)):
            click.echo(printable(line), err=True)
        _print_csv(
            map(asdict, snapshot.differentiation(shared, run_id=pool.run_id, spec=spec)), snapshot.Differentiation
        )
        return 0
    found = snapshot.look(shared, names, spec=spec)
    if table:
        _print_table(found, table)
        for line in closed(found.unreadable):
            click.echo(printable(line), err=True)
    elif is_json:
        click.echo(json.dumps(as_json(found)))
    else:
        click.echo(printable_lines(as_text(found)))
    return 0


def as_json(found: Archipelago) -> dict[str, Any]:
    """Return all but the history of shares, which is in the logs and in `--csv shares`."""
    return {
        "islands": [asdict(each) for each in found.origins],
        "all": {"ancestry": found.ancestry, "effective": found.effective},
        "f_st": found.f_st,
        "compared": found.compared,
        "intervals": [asdict(each) for history in found.histories for each in history.influxes],
        "migrants": _migrants(found),
        "unreadable": dict(found.unreadable),
    }


def as_text(found: Archipelago) -> list[str]:
    """Return a numbered row for each island, with whose genes it has, and what is true of all of them.

    An ancestor is named by the number of its row, so that the lines fit 80 columns.
    """
    if not found.origins:
        return [*closed(found.unreadable), "no island has logged anything yet"]
    last = {each.island: each for each in found.origins}
    names = sorted({*last, *found.ancestry})
    number = {name: str(i) for i, name in enumerate(names, start=1)}
    rows = [_row(found, last[name]) if name in last else (name, *[UNKNOWN] * (len(HEADER) - 2)) for name in names]
    table = aligned([HEADER, *((number[row[0]], *row) for row in rows)], n_words=2).splitlines()
    shares = [SHARES, *(_largest(last[name].ancestry, number) if name in last else UNKNOWN for name in names)]
    return [*(f"{row}  {share}" for row, share in zip(table, shares, strict=True)), *summary(found)]


def summary(found: Archipelago) -> list[str]:
    """Return the archipelago in a few lines."""
    n_live = sum(bool(each) for each in found.kept)
    n_led = sum(fate.is_led for fate in found.fates)
    f_st = "F_ST between islands: not to be told (it takes checkpoints of two islands that differ)"
    if found.f_st is not None:
        reached = sorted(set(found.compared.values()))
        when = f"generation {reached[0]}" if len(reached) == 1 else f"generations {reached[0]} to {reached[-1]}"
        f_st = f"F_ST between islands: {found.f_st:.3f}, of {len(found.compared)} checkpoints at {when}"
    return [
        together(found.ancestry),
        f_st,
        f"migrants: {len(found.fates)} taken, {n_led} led on arrival, foreign genes of {n_live} live",
        *closed(found.unreadable),
    ]


def printable_lines(lines: Iterable[str]) -> str:
    """Return lines that may quote a stranger as a terminal can show them."""
    return "\n".join(map(printable, lines))


def _row(found: Archipelago, island: Origins) -> tuple[str, ...]:
    own = [share for fate, share in zip(found.fates, found.kept, strict=True) if fate.island == island.island]
    return (
        island.island,
        str(island.generation),
        f"{island.effective:.2f}",
        UNKNOWN if island.diversity is None else f"{island.diversity:.3f}",
        str(len(own)),
        str(sum(bool(share) for share in own)),
    )


def _largest(ancestry: Shares, number: Mapping[str, str]) -> str:
    largest = sorted(ancestry.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{number[name]} {share:.0%}" for name, share in largest[:MOST_NAMED])
    more = len(largest) - MOST_NAMED
    return named + (f" + {more}" if more > 0 else "")


def _migrants(found: Archipelago) -> list[dict[str, Any]]:
    return [{**asdict(fate), "kept": share} for fate, share in zip(found.fates, found.kept, strict=True)]


def _print_table(found: Archipelago, table: str) -> None:
    if table == "intervals":
        _print_csv((asdict(each) for history in found.histories for each in history.influxes), Influx)
    elif table == "migrants":
        rows = _migrants(found)
        _print_csv(({**row, "ancestry": json.dumps(row["ancestry"])} for row in rows), Fate, "kept")
    else:
        shares = (
            {"island": history.island, "generation": generation, "ancestor": name, "share": share}
            for history in found.histories
            for generation, line in history.shares.items()
            for name, share in line.items()
        )
        _print_csv(shares, None, "island", "generation", "ancestor", "share")


def _print_csv(rows: Iterable[dict[str, Any]], kind: Any, *more: str) -> None:  # noqa: ANN401 - a dataclass or None
    names = [field.name for field in fields(kind)] if kind else []
    writer = csv.DictWriter(sys.stdout, [*names, *more], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    sys.stdout.flush()  # here a failure has its exit code
