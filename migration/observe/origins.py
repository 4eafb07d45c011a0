"""Where the genes of an archipelago come from, by what its islands logged: nothing is loaded and nothing computed anew.

An ancestor is the island whose founders a gene descends from; a line of a log has each ancestor's share of all genes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atoll.migration.observe.flow import IMPORTED, PUBLISHED, REFUSED, is_leader, read_current, read_events
from atoll.migration.pool import epochs, islands

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.evo.runlog import Record

Shares = dict[str, float]
"""Ancestor -> its share of all genes; they sum to 1."""


@dataclass(frozen=True)
class Origins:
    """Whose genes one island has.

    Attributes:
        island: The island.
        generation: When.
        population: How many live there; None if its first line is lost.
        ancestry: Each ancestor's share.
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
    """What one migration brought to one island: the gene flow of one interval.

    Attributes:
        island: Who imported.
        generation: When.
        taken: Immigrants that found a place.
        refused: Genomes or batches that were turned away.
        rate: Those taken as a share of the population.
        foreign: Share of the island's genes that descend from other islands' founders, once they were in.
        effective: The effective number of ancestors then.
    """

    island: str
    generation: int
    taken: int
    refused: int
    rate: float | None
    foreign: float | None
    effective: float | None


@dataclass(frozen=True)
class Fate:
    """What became of one accepted migrant.

    Attributes:
        island: Who let it in.
        generation: When.
        id: Its name.
        source: Who gave it.
        source_generation: When that island published it.
        fitness: What it scored on arrival.
        is_led: It was better than all who lived there.
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
    ancestry: Shares
    until: int | None


@dataclass(frozen=True)
class History:
    """Where the genes of one island came from, over time.

    Attributes:
        island: The island.
        population: How many live there.
        lines: Generation -> shares of ancestors, by generation.
        diversity: Generation -> the island's diversity.
        influxes: What each migration brought.
        fates: What became of each accepted migrant.
    """

    island: str
    population: int | None
    lines: Mapping[int, Shares]
    diversity: Mapping[int, float]
    influxes: tuple[Influx, ...]
    fates: tuple[Fate, ...]

    @property
    def last(self) -> Origins | None:
        """The newest line; None before the first."""
        if not self.lines:
            return None
        generation = max(self.lines)
        shares = self.lines[generation]
        diversity = self.diversity.get(generation)
        return Origins(self.island, generation, self.population, shares, effective_number(shares.values()), diversity)


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


def shares_of(line: Record) -> Shares:
    """Return the shares of ancestors in a line of a log; none if it has none that make sense."""
    shares: Any = line.get("ancestry")
    if not isinstance(shares, dict):
        return {}
    is_usable = all(isinstance(share, int | float) and 0 < share <= 1 for share in shares.values())
    return dict(shares) if is_usable else {}


def read_histories(shared: SharedPaths, names: Sequence[str] = ()) -> list[History]:
    """Return the history of these islands, or of all that have a log, by name; without those that may not be read."""
    names = sorted(names or islands.lived(shared))
    closed = islands.unreadable_of(shared, names)
    return [read_history(shared.island(name)) for name in names if name not in closed]


def read_history(paths: IslandPaths) -> History:
    """Return the history of one island from its log and its ledger."""
    records = [record for record in read_current(paths.log)[0] if record["kind"] == "generation"]
    records = [record for record in records if shares_of(record)]
    lines = {record["generation"]: shares_of(record) for record in records}
    diversity = {r["generation"]: r["diversity"] for r in records if isinstance(r.get("diversity"), int | float)}
    epoch = epochs.latest(paths)
    population = epoch.population if epoch else None
    events = read_events(paths)[0]
    influxes = _influxes(paths.name, events, lines, population=population)
    return History(paths.name, population, lines, diversity, influxes, _fates(paths.name, events, lines))


def _influxes(
    island: str, events: Sequence[Record], lines: Mapping[int, Shares], *, population: int | None
) -> tuple[Influx, ...]:
    taken = Counter(event["generation"] for event in events if event["kind"] == IMPORTED)
    refused = Counter(event["generation"] for event in events if event["kind"] == REFUSED)
    migrations = {event["generation"] for event in events if event["kind"] == PUBLISHED} | taken.keys()
    return tuple(
        Influx(
            island,
            generation,
            taken[generation],
            refused[generation],
            taken[generation] / population if population else None,
            1.0 - lines[generation].get(island, 0.0) if generation in lines else None,
            effective_number(lines[generation].values()) if generation in lines else None,
        )
        for generation in sorted(migrations)
    )


def _fates(island: str, events: Sequence[Record], lines: Mapping[int, Shares]) -> tuple[Fate, ...]:
    best = {event["generation"]: event.get("best") for event in events if event["kind"] == PUBLISHED}
    last = max(lines, default=-1)
    vanished = _vanishings(lines)
    fates = []
    for event in events:
        if event["kind"] != IMPORTED:
            continue
        generation, fitness, brought = event["generation"], event.get("fitness_here"), shares_of(event)
        published = event.get("source_generation")
        here = lines.get(generation, {}).keys() & brought.keys() - {island}
        ends = [next((end for end in vanished.get(name, ()) if end >= generation), last) for name in here]
        fates.append(
            Fate(
                island,
                generation,
                str(event.get("id")),
                str(event.get("source")),
                published if isinstance(published, int) else None,
                fitness if isinstance(fitness, int | float) else None,
                is_leader(event, best.get(generation)),
                brought,
                max(ends, default=None),
            )
        )
    return tuple(fates)


def _vanishings(lines: Mapping[int, Shares]) -> dict[str, list[int]]:
    """Return for each ancestor the generations that were the last to have genes of it, before some that had none."""
    found: dict[str, list[int]] = {}
    before: Shares = {}
    for generation in sorted(lines):
        for name in before.keys() - lines[generation].keys():
            found.setdefault(name, []).append(generation - 1)
        before = lines[generation]
    return found
