"""What `pool flow` says: whose genes each island has, how much flows between them, what became of the migrants."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from atoll.evo.text import printable
from atoll.migration.observe import snapshot
from atoll.migration.observe.origins import (
    Fate,
    History,
    Influx,
    Origins,
    Shares,
    effective_number,
    pooled,
    read_histories,
)
from atoll.migration.pool.access import open_pool
from atoll.migration.pool.islands import unreadable_of
from atoll.scripts.view.flow import closed, known
from atoll.scripts.view.table import UNKNOWN, aligned, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atoll.evo.genome import GenomeSpec
    from atoll.evo.paths import SharedPaths

HEADER = ("", "island", "gen", "origins", "diversity", "taken", "live")
SHARES = "largest shares"
MOST_NAMED = 3


@dataclass(frozen=True)
class Archipelago:
    """All that is told.

    Attributes:
        histories: Of each island.
        origins: The newest line of each.
        ancestry: Each ancestor's share of the genes of all islands, the largest first.
        effective: The effective number of ancestors of all islands together.
        f_st: Between the islands' newest checkpoints.
        compared: Island -> the generation of the checkpoint that was compared.
        fates: Of every accepted migrant.
        kept: How much of its island consists of each one's genes now.
        unreadable: Islands that may not be read, and why.
    """

    histories: Sequence[History]
    origins: Sequence[Origins]
    ancestry: Shares
    effective: float | None
    f_st: float | None
    compared: dict[str, int]
    fates: Sequence[Fate]
    kept: Sequence[float | None]
    unreadable: Mapping[str, str]


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
    names = known(shared, names)
    pool = open_pool(shared)
    if table == "differentiation":
        for line in closed(unreadable_of(shared)):
            click.echo(printable(line), err=True)
        _print_csv(map(asdict, snapshot.differentiation(pool)), snapshot.Differentiation)
        return 0
    found = look(shared, names, spec=pool.spec)
    if table:
        _print_table(found, table)
        for line in closed(found.unreadable):
            click.echo(printable(line), err=True)
    elif is_json:
        click.echo(json.dumps(as_json(found)))
    else:
        click.echo(printable_lines(as_text(found)))
    return 0


def look(shared: SharedPaths, names: Sequence[str], *, spec: GenomeSpec) -> Archipelago:
    """Read logs, ledgers, newest checkpoints and inboxes."""
    histories = read_histories(shared, names)
    origins = [history.last for history in histories if history.last is not None]
    ancestry = pooled([each.ancestry for each in origins], [each.population or 1 for each in origins])
    snapshots = snapshot.take(shared, [history.island for history in histories])
    fates = [fate for history in histories for fate in history.fates]
    return Archipelago(
        histories,
        origins,
        ancestry,
        effective_number(ancestry.values()) if ancestry else None,
        snapshot.f_st(snapshots, spec),
        {each.island: each.generation for each in snapshots},
        fates,
        snapshot.kept(shared, snapshots, fates),
        unreadable_of(shared, names),
    )


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
            for generation, line in history.lines.items()
            for name, share in line.items()
        )
        _print_csv(shares, None, "island", "generation", "ancestor", "share")


def _print_csv(rows: Iterable[dict[str, Any]], kind: Any, *more: str) -> None:  # noqa: ANN401 - a dataclass or None
    names = [field.name for field in fields(kind)] if kind else []
    writer = csv.DictWriter(sys.stdout, [*names, *more], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    sys.stdout.flush()  # here a failure has its exit code
