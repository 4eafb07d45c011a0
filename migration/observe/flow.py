"""Who gave what to whom, who was refused and why, and what became of those who were let in: all islands' ledgers.

A ledger is private, so each island's own is believed. A line that cannot be read is counted and left out; what a later
start lived again replaces what an earlier one had written.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from atoll.evo import runlog
from atoll.migration.pool import islands
from atoll.migration.pool.lines import parse_records, whole_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.evo.runlog import Record

PUBLISHED, IMPORTED, REFUSED, START = "published", "imported", "refused", "start"


@dataclass(frozen=True)
class Passage:
    """What one island took from another.

    Attributes:
        giver: Who published.
        taker: Who imported.
        genomes: How many.
        led: How many of them were better than all who lived there when they came.
        equal: How many of them scored there what their island had said.
    """

    giver: str
    taker: str
    genomes: int
    led: int
    equal: int


@dataclass(frozen=True)
class Refusals:
    """What one island turned away of another's, for one reason."""

    giver: str
    taker: str
    reason: str
    times: int


@dataclass(frozen=True)
class Flow:
    """What crossed between the islands of an archipelago.

    Attributes:
        islands: Those whose ledgers were read.
        published: How many genomes each of them offered.
        passages: Who took how many of whose, by giver and taker.
        refusals: What was turned away, by giver, taker and reason.
        unreadable_lines: How many lines of each ledger could not be read; those without any are left out.
        unreadable: Islands that may not be read, and why.
    """

    islands: tuple[str, ...]
    published: Mapping[str, int]
    passages: tuple[Passage, ...]
    refusals: tuple[Refusals, ...]
    unreadable_lines: Mapping[str, int]
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def givers(self) -> tuple[str, ...]:
        """All who gave, or would have."""
        return tuple(sorted({*self.islands, *(p.giver for p in self.passages), *(r.giver for r in self.refusals)}))


def read_flow(shared: SharedPaths, names: Sequence[str] = ()) -> Flow:
    """Sum up the ledgers of these islands, or of all."""
    taken: Counter[tuple[str, str]] = Counter()
    led: Counter[tuple[str, str]] = Counter()
    equal: Counter[tuple[str, str]] = Counter()
    refused: Counter[tuple[str, str, str]] = Counter()
    published: dict[str, int] = {}
    unreadable: dict[str, int] = {}
    closed = islands.unreadable_of(shared, names)
    names = tuple(name for name in names or islands.lived(shared) if name not in closed)
    for taker in names:
        records, n_unreadable = read_events(shared.island(taker))
        best = {r["generation"]: r.get("best") for r in records if r["kind"] == PUBLISHED}
        published[taker] = sum(map(n_published, records))
        for record in records:
            giver = record.get("source")
            if record["kind"] == IMPORTED and isinstance(giver, str):
                taken[giver, taker] += 1
                led[giver, taker] += is_leader(record, best.get(record["generation"]))
                equal[giver, taker] += record.get("fitness_here") == record.get("fitness_there")
            elif record["kind"] == REFUSED and isinstance(giver, str):
                refused[giver, taker, str(record.get("reason"))] += 1
        if n_unreadable:
            unreadable[taker] = n_unreadable
    passages = tuple(Passage(*pair, taken[pair], led[pair], equal[pair]) for pair in sorted(taken))
    refusals = tuple(Refusals(*place, n) for place, n in sorted(refused.items()))
    return Flow(names, published, passages, refusals, unreadable, closed)


def n_published(record: Record) -> int:
    """Return how many genomes an event offered."""
    ids = record.get("ids")
    return len(ids) if record["kind"] == PUBLISHED and isinstance(ids, list) else 0


def read_events(paths: IslandPaths) -> tuple[list[Record], int]:
    """Return an island's events as they stand, later starts before earlier ones; and how many lines were unreadable."""
    return read_current(paths.ledger)


def read_current(path: Path) -> tuple[list[Record], int]:
    """Return the records of a log or ledger as they stand, and how many lines were unreadable."""
    records, n_unreadable = parse_records(whole_lines(path))
    return runlog.current(records), n_unreadable


def refusals_of(paths: IslandPaths) -> Counter[str]:
    """Return how often an island turned something away, by reason; fast, since it reads no other lines."""
    marks = tuple(f'"kind":"{kind}"'.encode() for kind in (REFUSED, START))  # as canonical JSON spells them
    records, _ = parse_records(line for line in whole_lines(paths.ledger) if any(mark in line for mark in marks))
    return Counter(str(r.get("reason")) for r in runlog.current(records) if r["kind"] == REFUSED)


def is_leader(record: Record, published: object) -> bool:
    """Say whether an immigrant was better than all who lived there.

    Args:
        record: Its import.
        published: The best that its new island offered at that generation: where the best leave, as in ledgers of older
            versions that do not say it themselves, that is the island's best.
    """
    if "led" in record:
        return record["led"] is True
    fitness = record.get("fitness_here")
    return isinstance(fitness, int | float) and isinstance(published, int | float) and fitness > published
