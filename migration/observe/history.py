"""History of a run, read once from logs and ledgers: curves, starts and ends, who gave what to whom, whose genes live.

All of it comes from files that a crash may have cut short or a stranger may have changed: a line that is no record is
counted and left out, and what a later start lived again replaces what an earlier one had written. A ledger is private,
so each island's own is believed. An ancestor is the island whose founders a gene descends from.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from atoll.evo import records, runlog
from atoll.evo.records import Generation, Imported, Published, Refused, Start
from atoll.migration.pool import epochs, islands
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, directory, open_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.evo.records import Record, Shares

MAX_LINE_BYTES = 1 << 20
MAX_NAME = 64
GONE_ON, CUT_OFF = "stopped", "killed"


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield where each line starts and its bytes; one that is longer than a megabyte comes in pieces.

    Raises:
        RefusedError: It is not a plain file, or cannot be read.
        VanishedError: It has gone.
    """
    start = 0
    with (
        directory(path.parent) as folder,
        open_file(folder, path.name) as descriptor,
        os.fdopen(descriptor, "rb", closefd=False) as file,
    ):
        while line := file.readline(MAX_LINE_BYTES):
            yield start, line
            start += len(line)


def is_torn(line: bytes) -> bool:
    """Say whether a line is the last one of its file, and its writer is still at it or was killed."""
    return not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES


def whole_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines that are there whole; none where no log can be read."""
    with contextlib.suppress(RefusedError, VanishedError):
        yield from (line for _, line in read_lines(path) if not is_torn(line))


def parse_records(lines: Iterable[bytes]) -> tuple[list[Record], int]:
    """Return the records among lines, and how many lines are none."""
    parsed = [records.parse(line) for line in lines]
    found = [record for record in parsed if record is not None]
    return found, len(parsed) - len(found)


def read_current(path: Path) -> tuple[list[Record], int]:
    """Return the records of a log or ledger that stand, and how many lines were unreadable."""
    found, n_unreadable = parse_records(whole_lines(path))
    return _with_leaders(runlog.current(found)), n_unreadable


def refusals_of(paths: IslandPaths) -> Counter[str]:
    """Return how often an island turned something away, by reason; fast, since it reads no other lines."""
    kinds = (kind.__struct_config__.tag for kind in (Refused, Start))
    marks = tuple(f'"kind":"{kind}"'.encode() for kind in kinds)  # as canonical JSON spells them
    found, _ = parse_records(line for line in whole_lines(paths.ledger) if any(mark in line for mark in marks))
    return _refusals(runlog.current(found))


def _refusals(events: Iterable[Record]) -> Counter[str]:
    return Counter(str(event.reason) for event in events if isinstance(event, Refused))


def _with_leaders(events: list[Record]) -> list[Record]:
    """Return a ledger in which each import says whether it led: was better than all who lived there when it came.

    Ledgers of older versions do not say it. Where the best leave, the best that an island published at that generation
    is its best, and who beat that one led.
    """
    best = {event.generation: event.best for event in events if isinstance(event, Published)}

    def led(event: Imported) -> bool:
        here, published = event.fitness_here, best.get(event.generation)
        return here is not None and published is not None and here > published

    return [
        replace(event, led=led(event)) if isinstance(event, Imported) and event.led is None else event
        for event in events
    ]


def _genome_of(event: Imported) -> str:
    """Return what tells whether two imports brought one genome: its hash, or in a ledger without any its name."""
    return event.genome_sha256 or str(event.id)


def _are_repeated(imports: Sequence[Imported]) -> list[bool]:
    """Say of each import of an island whether it had imported the very genome before, at an earlier generation."""
    first: dict[str, int] = {}
    return [first.setdefault(_genome_of(event), event.generation) < event.generation for event in imports]


@dataclass(frozen=True)
class Passage:
    """Migration from one island to another: how many genomes the taker took.

    Attributes:
        distinct: How many genomes that were, copies counted once.
        repeated: How many of those taken the taker had taken before, at an earlier generation and from whomever.
        led: How many of them were better than all who lived there when they came.
        equal: How many of them scored there what their island had said.
    """

    giver: str
    taker: str
    genomes: int
    distinct: int
    repeated: int
    led: int
    equal: int


@dataclass(frozen=True)
class Refusals:
    """Refusals of one island's genomes by another, for one reason."""

    giver: str
    taker: str
    reason: str
    times: int


@dataclass(frozen=True)
class Flow:
    """Migration between the islands of an archipelago, summed up.

    Attributes:
        islands: Those whose ledgers were read.
        published: How many genomes each of them offered.
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
    passages: list[Passage] = []
    refused: Counter[tuple[str, str, str]] = Counter()
    published: Counter[str] = Counter()
    unreadable: dict[str, int] = {}
    closed = islands.unreadable_of(shared, names)
    names = tuple(name for name in names or islands.lived(shared) if name not in closed)
    for taker in names:
        events, n_unreadable = read_current(shared.island(taker).ledger)
        published[taker] = sum(len(event.ids or ()) for event in events if isinstance(event, Published))
        passages += _passages(taker, events)
        for event in events:
            if isinstance(event, Refused) and event.source is not None:
                refused[event.source, taker, str(event.reason)] += 1
        if n_unreadable:
            unreadable[taker] = n_unreadable
    passages.sort(key=lambda passage: (passage.giver, passage.taker))
    refusals = tuple(Refusals(*place, n) for place, n in sorted(refused.items()))
    return Flow(names, dict(published), tuple(passages), refusals, unreadable, closed)


def _passages(taker: str, events: Iterable[Record]) -> Iterator[Passage]:
    """Yield what an island took from each giver, by its ledger."""
    imports = [event for event in events if isinstance(event, Imported) and event.source is not None]
    given: dict[str, list[tuple[Imported, bool]]] = {}
    for event, is_repeated in zip(imports, _are_repeated(imports), strict=True):
        given.setdefault(str(event.source), []).append((event, is_repeated))
    for giver, taken in given.items():
        yield Passage(
            giver,
            taker,
            genomes=len(taken),
            distinct=len({_genome_of(event) for event, _ in taken}),
            repeated=sum(is_repeated for _, is_repeated in taken),
            led=sum(bool(event.led) for event, _ in taken),
            equal=sum(event.fitness_here == event.fitness_there for event, _ in taken),
        )


@dataclass(frozen=True)
class Life:
    """Life of an island: one start, to its end; times are seconds since 1970, by its host's clock.

    Attributes:
        generation: Where it went on from.
        last: The last generation that it logged; None if it logged none.
        ended_s: When it last logged something.
        ending: "killed" (generations were lost and lived again), "stopped" (the next start lost nothing), or nothing if
            it is the last start, of which the island's condition tells.
        lost: Generations that the next start lived again.
    """

    epoch: int
    generation: int
    last: int | None
    began_s: float | None
    ended_s: float | None
    ending: str
    lost: int
    host: str


@dataclass(frozen=True)
class Origins:
    """Ancestry of one island: whose founders its genes descend from, as each ancestor's share.

    Attributes:
        population: How many live there; None if its first line is lost.
        effective: The effective number of ancestors.
        diversity: Mean standard deviation of a gene, as a share of its range.
    """

    island: str
    generation: int
    population: int | None
    ancestry: Shares
    effective: float
    diversity: float | None


@dataclass(frozen=True)
class Influx:
    """Gene flow of one interval: what one migration brought to one island.

    Attributes:
        taken: Immigrants that found a place.
        distinct: How many genomes those are, copies counted once.
        repeated: How many of those taken its island had taken before.
        refused: Genomes or batches that were turned away.
        rate: Those taken as a share of the population.
        foreign: Share of the island's genes that descend from other islands' founders, once they were in.
        effective: The effective number of ancestors then.
    """

    island: str
    generation: int
    taken: int
    distinct: int
    repeated: int
    refused: int
    rate: float | None
    foreign: float | None
    effective: float | None


@dataclass(frozen=True)
class Fate:
    """Fate of one accepted migrant.

    Attributes:
        source_generation: When its island published it.
        fitness: What it scored on arrival.
        is_led: It was better than all who lived there.
        genome: What it has in common with its copies: the hash of its genes, or in a ledger without any its id.
        is_repeated: Its island had taken a copy of it before, at an earlier generation.
        ancestry: Whose genes it brought; empty in ledgers of older versions.
        until: The last generation up to which the island's log has genes of an ancestor, other than the island itself,
            whose genes it brought: an upper bound for its own genes, since others may bring that ancestor's too. None
            if it brought none, or the log does not say.
    """

    island: str
    generation: int
    id: str
    source: str
    source_generation: int | None
    fitness: float | None
    is_led: bool
    genome: str
    is_repeated: bool
    ancestry: Shares
    until: int | None


@dataclass(frozen=True)
class History:
    """History of one island, from its log and its ledger.

    Attributes:
        lines: A record of each generation that stands.
        last_start: What the last of its lives logged.
        events: Its ledger, as it stands.
        n_unreadable: Lines of its log and ledger that could not be read.
    """

    island: str
    population: int | None
    lines: tuple[Generation, ...]
    lives: tuple[Life, ...]
    last_start: Start | None
    events: tuple[Record, ...]
    n_unreadable: int

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Settings that its last start logged, the task's options left out."""
        logged = (self.last_start and self.last_start.settings) or {}
        return {name: value for name, value in logged.items() if name != "options"}

    @property
    def options(self) -> dict[str, Any]:
        """The task's options that its last start logged."""
        options = ((self.last_start and self.last_start.settings) or {}).get("options")
        return options if isinstance(options, dict) else {}

    @cached_property
    def arrivals(self) -> tuple[Imported, ...]:
        """Immigrants that it took in."""
        return tuple(event for event in self.events if isinstance(event, Imported))

    @property
    def refusals(self) -> Counter[str]:
        """Refusals by reason: how often it turned something away."""
        return _refusals(self.events)

    @cached_property
    def shares(self) -> dict[int, Shares]:
        """Generation -> shares of ancestors, where the log has them."""
        return {line.generation: line.ancestry for line in self.lines if line.ancestry}

    @property
    def last(self) -> Origins | None:
        """The newest line with shares of ancestors; None before the first."""
        line = next((line for line in reversed(self.lines) if line.ancestry), None)
        if line is None or not line.ancestry:
            return None
        effective = effective_number(line.ancestry.values())
        n = line.population or self.population
        return Origins(self.island, line.generation, n, line.ancestry, effective, line.diversity)

    @cached_property
    def influxes(self) -> tuple[Influx, ...]:
        """Gene flow: what each migration brought."""
        taken: dict[int, list[Fate]] = {}
        for fate in self.fates:
            taken.setdefault(fate.generation, []).append(fate)
        refused = Counter(event.generation for event in self.events if isinstance(event, Refused))
        published = {event.generation for event in self.events if isinstance(event, Published)}
        sizes = {line.generation: line.population for line in self.lines}
        return tuple(
            Influx(
                self.island,
                generation,
                len(taken.get(generation, ())),
                len({fate.genome for fate in taken.get(generation, ())}),
                sum(fate.is_repeated for fate in taken.get(generation, ())),
                refused[generation],
                len(taken.get(generation, ())) / n if (n := sizes.get(generation) or self.population) else None,
                1.0 - self.shares[generation].get(self.island, 0.0) if generation in self.shares else None,
                effective_number(self.shares[generation].values()) if generation in self.shares else None,
            )
            for generation in sorted(published | taken.keys())
        )

    @cached_property
    def fates(self) -> tuple[Fate, ...]:
        """Fates: what became of each accepted migrant."""
        last, vanished = max(self.shares, default=-1), _vanishings(self.shares)
        fates = []
        for event, is_repeated in zip(self.arrivals, _are_repeated(self.arrivals), strict=True):
            brought = event.ancestry or {}
            here = self.shares.get(event.generation, {}).keys() & brought.keys() - {self.island}
            ends = [next((end for end in vanished.get(name, ()) if end >= event.generation), last) for name in here]
            fates.append(
                Fate(
                    self.island,
                    event.generation,
                    str(event.id),
                    str(event.source),
                    event.source_generation,
                    event.fitness_here,
                    bool(event.led),
                    _genome_of(event),
                    is_repeated,
                    brought,
                    max(ends, default=None),
                )
            )
        return tuple(fates)


def read_histories(shared: SharedPaths, names: Sequence[str] = ()) -> list[History]:
    """Return the history of these islands, or of all that have a log, by name; without those that may not be read."""
    names = sorted(names or islands.lived(shared))
    closed = islands.unreadable_of(shared, names)
    return [read_history(shared.island(name)) for name in names if name not in closed]


def read_history(paths: IslandPaths) -> History:
    """Return the history of one island from its log and its ledger."""
    log, n_unreadable = parse_records(whole_lines(paths.log))
    events, n_more = read_current(paths.ledger)
    epoch = epochs.latest(paths)
    return History(
        paths.name,
        epoch.population if epoch else None,
        tuple(record for record in runlog.current(log) if isinstance(record, Generation)),
        _lives(log),
        next((record for record in reversed(log) if isinstance(record, Start)), None),
        tuple(events),
        n_unreadable + n_more,
    )


def _lives(log: Sequence[Record]) -> tuple[Life, ...]:
    starts = [(i, record) for i, record in enumerate(log) if isinstance(record, Start)]
    ends = [*starts[1:], (len(log), None)]
    return tuple(
        _life(start, log[i + 1 : end], following)
        for (i, start), (end, following) in zip(starts, ends, strict=False)  # there may be no start
    )


def _life(start: Start, log: Sequence[Record], following: Start | None) -> Life:
    lines = [record for record in log if isinstance(record, Generation)]
    last = lines[-1].generation if lines else None
    reached = start.generation - 1 if last is None else last
    lost = max(reached - following.generation, 0) if following else 0
    times = [line.unix_s for line in lines if line.unix_s is not None]
    return Life(
        epoch=start.epoch or 0,
        generation=start.generation,
        last=last,
        began_s=start.started_s or (times[0] if times else None),
        ended_s=times[-1] if times else None,
        ending="" if following is None else CUT_OFF if lost else GONE_ON,
        lost=lost,
        host=(start.host or "")[:MAX_NAME],
    )


def _vanishings(lines: Mapping[int, Shares]) -> dict[str, list[int]]:
    """Return for each ancestor the generations that were the last to have genes of it, before some that had none."""
    vanished: dict[str, list[int]] = {}
    before: Shares = {}
    for generation in sorted(lines):
        for name in before.keys() - lines[generation].keys():
            vanished.setdefault(name, []).append(generation - 1)
        before = lines[generation]
    return vanished


def effective_number(shares: Iterable[float]) -> float:
    """Return how many contributors of equal size would be as diverse as these shares, which sum to 1.

    It is the inverse of the probability that two genes drawn with replacement have one contributor.

    Source: Simpson 1949, Nature 163, 688; as a number, Hill 1973, Ecology 54(2), 427-432 (his N2).
    """
    return 1.0 / sum(share * share for share in shares)


def pooled(shares: Sequence[Shares], sizes: Sequence[int]) -> Shares:
    """Return each ancestor's share of the genes of several islands together, the largest first."""
    total: Shares = {}
    for each, size in zip(shares, sizes, strict=True):
        for name, share in each.items():
            total[name] = total.get(name, 0.0) + share * size / sum(sizes)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
