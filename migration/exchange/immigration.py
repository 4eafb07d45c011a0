"""Immigration: sources drawn by the topology, and genomes drawn from a batch of each.

A topology says which islands an island imports from:

full          every other island
ring          the one before me in the order of names, counted round; it stays a ring when islands come and go
two-way-ring  the one before me and the one after me
star          the first in the order of names is the hub: it imports from all, and all others from it alone
random-K      K others, drawn anew at each migration (all of them while there are fewer)
none          nobody: migration is off
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import ancestry, selection
from atoll.evo.config import ACCEPT, AVOID
from atoll.evo.genome import Migrants, Population
from atoll.migration.pool import inbox
from atoll.migration.pool.batch import Batch
from atoll.migration.pool.bounded_io import MAX_ISLANDS, Reason
from atoll.migration.pool.inbox import Arrivals, Refusal, Seen, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from atoll.evo.config import Migration
    from atoll.evo.genome import GenomeSpec
    from atoll.evo.rng import Streams

Pick = tuple[Batch, int]
"""A batch and the place of one genome in it."""
Lone = tuple[Batch, int, Population]
"""The same with that one genome, its table holding only the islands that it descends from."""
Offer = tuple[Batch | None, list[Refusal]]
"""What a source has: its batch, if one is valid, and what was refused on the way to it."""


def topology_sources(topology: str, me: str, seen: Iterable[str], rng: np.random.Generator) -> tuple[str, ...]:
    """Return the islands that `me` imports from, of those `seen` in the pool, in the order of names.

    Only random-K draws from `rng`, the stream for topology.
    """
    others = sorted(set(seen) - {me})
    if topology == "none" or not others:
        return ()
    if topology == "full":
        return tuple(others)
    earlier = [name for name in others if name < me]
    if topology == "star":
        return (others[0],) if earlier else tuple(others)
    if topology in {"ring", "two-way-ring"}:
        before, after = others[len(earlier) - 1], others[len(earlier) % len(others)]
        return tuple(sorted({before} if topology == "ring" else {before, after}))
    k = min(int(topology.removeprefix("random-")), len(others))
    return tuple(others[i] for i in sorted(rng.choice(len(others), k, replace=False)))


def draw_sources(
    island: str, peers: tuple[str, ...], *, migration: Migration, streams: Streams
) -> tuple[Counter[str], np.random.Generator]:
    """Draw K sources uniformly with replacement: how often each was drawn, and the stream as it goes on from there."""
    sources = topology_sources(migration.topology, island, peers, streams("topology"))
    rng = streams("import")
    places = rng.integers(len(sources), size=migration.migrants) if sources else ()
    return Counter(sources[i] for i in places), rng


def draw_immigrants(
    island: str,
    peers: tuple[str, ...],
    offer_of: Callable[[str], Offer],
    *,
    migration: Migration,
    spec: GenomeSpec,
    generation: int,
    residents: Population,
    seen: Seen,
    streams: Streams,
) -> Arrivals:
    """Choose K sources, and distinct random genomes from what each offers, at a generation of the island's own clock.

    The table of ancestors of its residents may not outgrow `MAX_ISLANDS`.
    """
    draws, rng = draw_sources(island, peers, migration=migration, streams=streams)
    picks: list[Pick] = []
    refusals: list[Refusal] = []
    seen = dict(seen)
    for peer in sorted(draws):
        batch, refused = offer_of(peer)
        refusals += refused
        if batch is not None:
            seen[peer] = (batch.manifest.epoch, batch.manifest.generation)
            n = min(draws[peer], len(batch.migrants))
            drawn = [(batch, int(i)) for i in sorted(rng.choice(len(batch.migrants), n, replace=False))]
            too_old = _too_old(batch, generation, limit=migration.max_migrant_age)
            picks += [] if too_old else drawn
            refusals += too_old
    if migration.duplicates != ACCEPT:
        picks, twice = _without_duplicates(picks, residents, is_replaced=migration.duplicates == AVOID)
        refusals += twice
    accepted, too_many = _within_table(picks, residents.islands)
    migrants = _together(accepted) if accepted else inbox.nobody(spec)
    return Arrivals(migrants, tuple(map(_source, accepted)), (*refusals, *too_many), len(peers), seen)


def _refusal(batch: Batch, reason: Reason, detail: str) -> Refusal:
    return Refusal(batch.manifest.island, batch.manifest.generation, str(reason), detail)


def _too_old(batch: Batch, generation: int, *, limit: int) -> list[Refusal]:
    """Return the refusal of a whole batch, or nothing: older ones of the same island are no alternative."""
    age = generation - batch.manifest.generation
    if not limit or age <= limit:
        return []
    return [_refusal(batch, Reason.TOO_OLD, f"{age} generations behind, at most {limit} allowed")]


def _without_duplicates(
    picks: list[Pick], residents: Population, *, is_replaced: bool
) -> tuple[list[Pick], list[Refusal]]:
    """Turn away who lives here already, and all but the first of those who arrive twice, by the bytes of their genes.

    In place of each comes, where it `is_replaced`, the best of its batch that was not drawn and is not here yet.
    """
    present = {genes.tobytes() for genes in residents.genes}
    accepted, refusals = [], []
    for batch, i in picks:
        genomes = [genes.tobytes() for genes in batch.migrants.population.genes]
        others = _not_drawn(batch, picks) if is_replaced else ()
        new = next((j for j in (i, *others) if genomes[j] not in present), None)
        if new is None:
            detail = f"{batch.migrants.ids[i]}, genome {batch.manifest.genomes[i].sha256[:12]}"
            refusals.append(_refusal(batch, Reason.DUPLICATE, detail))
        else:
            present.add(genomes[new])
            accepted.append((batch, new))
    return accepted, refusals


def _not_drawn(batch: Batch, picks: list[Pick]) -> list[int]:
    """Return the places in a batch that were not drawn, by rank: what its island says of them is enough here."""
    drawn = {i for other, i in picks if other is batch}
    ranked = selection.best(batch.migrants.fitness, len(batch.migrants)).tolist()
    return [i for i in ranked if i not in drawn]


def _within_table(picks: list[Pick], table: tuple[str, ...]) -> tuple[list[Lone], list[Refusal]]:
    accepted: list[Lone] = []
    refusals = []
    for batch, i in picks:
        alone = ancestry.compact(batch.migrants.population.take(np.asarray([i])))
        merged = ancestry.merge_tables(table, alone.islands)
        if len(merged) <= MAX_ISLANDS:
            table = merged
            accepted.append((batch, i, alone))
        else:
            detail = f"{batch.migrants.ids[i]} would make {len(merged)}, at most {MAX_ISLANDS} allowed"
            refusals.append(_refusal(batch, Reason.TOO_MANY_ISLANDS, detail))
    return accepted, refusals


def _together(accepted: list[Lone]) -> Migrants:
    """Return the genomes as one group, [N, D], with a table of all islands that they descend from."""
    islands: tuple[str, ...] = ()
    for _, _, alone in accepted:
        islands = ancestry.merge_tables(islands, alone.islands)
    genes = np.concatenate([alone.genes for _, _, alone in accepted])
    painted = np.concatenate([ancestry.translate(alone, islands).ancestry for _, _, alone in accepted])
    fitness = np.asarray([batch.migrants.fitness[i] for batch, i, _ in accepted], dtype=np.float32)
    ids = tuple(batch.migrants.ids[i] for batch, i, _ in accepted)
    return Migrants(Population(genes, painted, islands), fitness, ids)


def _source(accepted: Lone) -> Source:
    batch, i, _ = accepted
    manifest = batch.manifest
    place = (manifest.island, manifest.epoch, manifest.generation)
    return Source(*place, manifest.genomes[i].sha256, manifest.content_sha256)
