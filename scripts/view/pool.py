"""Texts and tables of the `pool` commands: who gave what to whom, whose genes live on, owners, defects, pruning."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from atoll.evo import records, runlog
from atoll.evo.errors import count, printable
from atoll.migration.observe.history import Fate, Flow, Influx, Origins, whole_lines
from atoll.migration.observe.status import FINISHED
from atoll.migration.pool import epochs
from atoll.scripts.view.table import UNKNOWN, aligned, closed, shown, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from atoll.evo.paths import SharedPaths
    from atoll.evo.records import Record, Shares
    from atoll.migration.observe.archive import Run
    from atoll.migration.observe.snapshot import Archipelago
    from atoll.migration.observe.verify import Findings
    from atoll.migration.pool.islands import Owner
    from atoll.migration.pool.prune import Pruned

FLOW_HEADER = ("", "island", "gen", "origins", "diversity", "taken", "distinct", "live")
LEDGER_HEADER = ("published", "taken", "distinct", "repeated", "led", "equal", "refused")
OWNERS_HEADER = ("island", "state", "host", "since", "locks", "in the lock", "process", "epoch")
MOST_NAMED = 3


def flow_text(flow: Flow, *, root: Path) -> str:
    """Return who gave what to whom, who was refused and why, and what could not be read."""
    if not flow.islands and not flow.unreadable:
        return f"no islands in {root} yet"
    lines = [
        *(f"{each.taker} refused {each.giver} {each.times} times: {each.reason}" for each in flow.refusals),
        *(f"{n} lines of the ledger of {name} cannot be read" for name, n in flow.unreadable_lines.items()),
        *closed(flow.unreadable),
    ]
    return "\n".join([_table(flow), *map(printable, lines)])


def event_lines(shared: SharedPaths, names: Sequence[str], *, as_json: bool) -> list[str]:
    """Return every event of these islands that stands, by time."""
    events = [(name, *event) for name in names for event in _events(shared.island(name).ledger)]
    events.sort(key=lambda event: event[1].unix_s or 0.0)  # stable: an island's own order stays
    return [
        json.dumps(raw) if as_json else printable(f"{name}  gen {record.generation}  {record}")
        for name, record, raw in events
    ]


def _events(ledger: Path) -> list[tuple[Record, runlog.Record]]:
    """Return the records of a ledger that stand, each also as JSON has it: with what only other versions know."""
    lines = [json.loads(line) for line in whole_lines(ledger) if records.parse(line) is not None]
    parsed = ((records.from_json(raw), raw) for raw in runlog.current(lines))
    return [(record, raw) for record, raw in parsed if record is not None]


def _table(flow: Flow) -> str:
    """Return a row for each giver and a numbered column for each taker; the numbers are those of the givers' rows.

    Behind the takers: how many of a giver's genomes were taken in all; how many distinct ones each taker took, summed;
    how many it had taken before; how many of them led, which is to say were better than all who lived where they came
    to; how many scored there what the giver had said; and what was refused.
    """
    givers = flow.givers
    number = {name: str(i) for i, name in enumerate(givers, start=1)}
    taken = {(passage.giver, passage.taker): passage.genomes for passage in flow.passages}
    refused: Counter[str] = Counter()
    for refusal in flow.refusals:
        refused[refusal.giver] += refusal.times
    lines = [("", "giver", *(number[taker] for taker in flow.islands), *LEDGER_HEADER)]
    for giver in givers:
        own = [passage for passage in flow.passages if passage.giver == giver]
        sums = (
            flow.published.get(giver),
            sum(passage.genomes for passage in own),
            sum(passage.distinct for passage in own),
            sum(passage.repeated for passage in own),
            sum(passage.led for passage in own),
            sum(passage.equal for passage in own),
            refused[giver],
        )
        cells = (taken.get((giver, taker)) for taker in flow.islands)
        lines.append((number[giver], giver, *map(shown, (*cells, *sums))))
    return aligned(lines, n_words=2)


def gene_flow_json(found: Archipelago) -> dict[str, Any]:
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


def gene_flow_text(found: Archipelago) -> str:
    """Return a numbered row for each island, with whose genes it has, and what is true of all of them.

    An ancestor is named by the number of its row, so that the lines fit 80 columns.
    """
    if not found.origins:
        return "\n".join(map(printable, [*closed(found.unreadable), "no island has logged anything yet"]))
    last = {each.island: each for each in found.origins}
    names = sorted({*last, *found.ancestry})
    number = {name: str(i) for i, name in enumerate(names, start=1)}
    nothing = [UNKNOWN] * (len(FLOW_HEADER) - 2)
    rows = [(number[name], name, *(_row(found, last[name]) if name in last else nothing)) for name in names]
    table = aligned([FLOW_HEADER, *rows], n_words=2).splitlines()
    shares = ["largest shares", *(_largest(last[name].ancestry, number) if name in last else UNKNOWN for name in names)]
    lines = [*(f"{row}  {share}" for row, share in zip(table, shares, strict=True)), *_summary(found)]
    return "\n".join(map(printable, lines))


def _summary(found: Archipelago) -> list[str]:
    n_live = sum(bool(each) for each in found.kept)
    n_led = sum(fate.is_led for fate in found.fates)
    n_distinct = len({(fate.island, fate.genome) for fate in found.fates})
    n_repeated = sum(fate.is_repeated for fate in found.fates)
    f_st = "F_ST between islands: not to be told (it takes checkpoints of two islands that differ)"
    if found.f_st is not None:
        reached = sorted(set(found.compared.values()))
        when = f"generation {reached[0]}" if len(reached) == 1 else f"generations {reached[0]} to {reached[-1]}"
        f_st = f"F_ST between islands: {found.f_st:.3f}, of {len(found.compared)} checkpoints at {when}"
    return [
        together(found.ancestry),
        f_st,
        f"migrants: {len(found.fates)} taken, {n_led} led on arrival, foreign genes of {n_live} live",
        f"of those taken {n_distinct} were distinct on their islands, {n_repeated} had been taken there before",
        *closed(found.unreadable),
    ]


def _row(found: Archipelago, island: Origins) -> Iterator[str]:
    own = [(fate, share) for fate, share in zip(found.fates, found.kept, strict=True) if fate.island == island.island]
    counts = (len(own), len({fate.genome for fate, _ in own}), sum(bool(share) for _, share in own))
    cells = ((island.generation, "d"), (island.effective, ".2f"), (island.diversity, ".3f"))
    return (shown(value, form) for value, form in (*cells, *((each, "d") for each in counts)))


def _largest(ancestry: Shares, number: Mapping[str, str]) -> str:
    largest = sorted(ancestry.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{number[name]} {share:.0%}" for name, share in largest[:MOST_NAMED])
    more = len(largest) - MOST_NAMED
    return named + (f" + {more}" if more > 0 else "")


def _migrants(found: Archipelago) -> list[dict[str, Any]]:
    return [{**asdict(fate), "kept": share} for fate, share in zip(found.fates, found.kept, strict=True)]


def print_table(found: Archipelago, table: str) -> None:
    """Print one of the tables `intervals`, `migrants` and `shares` as CSV."""
    if table == "intervals":
        influxes = (asdict(each) for history in found.histories for each in history.influxes)
        print_csv(influxes, Influx)
    elif table == "migrants":
        rows = _migrants(found)
        print_csv(({**row, "ancestry": json.dumps(row["ancestry"])} for row in rows), Fate, "kept")
    else:
        shares = (
            {"island": history.island, "generation": generation, "ancestor": name, "share": share}
            for history in found.histories
            for generation, line in history.shares.items()
            for name, share in line.items()
        )
        print_csv(shares, None, "island", "generation", "ancestor", "share")


def print_csv(rows: Iterable[dict[str, Any]], kind: Any, *more: str) -> None:  # noqa: ANN401 - a dataclass or None
    """Print rows as CSV, with the fields of `kind` and some more as columns."""
    names = [field.name for field in fields(kind)] if kind else []
    writer = csv.DictWriter(sys.stdout, [*names, *more], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    sys.stdout.flush()  # here a failure has its exit code


def findings_text(findings: Findings) -> str:
    """Return a line for each defect, what was not read, and what is in order."""
    lines = []
    for defect in findings.defects:
        place = "" if defect.byte is None else f", byte {defect.byte}"
        lines.append(printable(f"{defect.path}{place}: {defect.reason}"))
    if findings.more:
        lines.append(f"... and {findings.more} more")
    lines += [f"not read: {printable(what)}" for what in findings.left_out]
    counted = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in findings.counts.items())
    lines.append(f"in order: {counted}; {len(findings.leftovers)} leftovers, {len(findings.defects)} defects")
    return "\n".join(lines)


def archived_text(root: Path, run: Run, target: Path | None) -> str:
    """Return where a run was put; without a target, why it stays."""
    if run.run_id is None:
        return f"a new run starts in {root}"
    if target:
        return f"archived the run of {len(run.islands)} islands to {target}; a new run starts in {root}"
    rest = [row for row in run.islands if row.condition != FINISHED]
    places = [
        row.name + (" unreadable" if row.unreadable else f" at generation {row.generation or 0} of {row.target}")
        for row in rest
    ]
    return f"resuming the unfinished run in {root}: {', '.join(places) or 'no island has started yet'}"


def owners_text(rows: Sequence[Owner]) -> str:
    """Return a row for each island of the pool."""
    return aligned([OWNERS_HEADER, *map(_cells, rows)], n_words=6)


def _cells(row: Owner) -> tuple[str, ...]:
    since = UNKNOWN if row.since_s is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.since_s))
    return (
        row.island,
        row.state,
        epochs.shown_place(row.host) if row.host else UNKNOWN,
        since,
        row.lock_class,
        row.lock_holder or UNKNOWN,
        shown(row.pid),
        shown(row.epoch),
    )


def pruned_text(rows: Sequence[Pruned], *, is_dry_run: bool) -> str:
    """Return for each island what is gone, or would be, or why it was left alone."""
    done = "would remove" if is_dry_run else "removed"
    return "\n".join(
        printable(f"{row.island}: left alone, {row.left_alone}")
        if row.left_alone
        else f"{row.island}: {done} {count(len(row.removed), 'publication')}, {row.kept} left"
        for row in rows
    )
