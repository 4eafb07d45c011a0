"""Who is imported: sources drawn by the topology, genomes drawn from each one's newest batch."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from evo import ancestry
from evo.genome import Migrants, Population
from migration import inbox, topology
from migration.batch import Batch
from migration.inbox import Arrivals, Refusal, Seen, Source
from migration.untrusted import MAX_ISLANDS, Reason

if TYPE_CHECKING:
    from evo.config import Migration
    from evo.genome import GenomeSpec
    from evo.rng import Streams

Pick = tuple[Batch, int]
"""A batch and the place of one genome in it."""
Lone = tuple[Batch, int, Population]
"""The same with that one genome, its table holding only the islands that it descends from."""


class Shelves(Protocol):
    """Where others' batches can be looked at."""

    def peers(self) -> tuple[str, ...]: ...  # noqa: D102
    def newest(self, peer: str, *, seen: Seen) -> tuple[Batch | None, list[Refusal]]: ...  # noqa: D102


def choose(
    island: str, peers: tuple[str, ...], *, migration: Migration, streams: Streams
) -> tuple[Counter[str], np.random.Generator]:
    """Draw K sources uniformly with replacement: how often each was drawn, and the stream as it goes on from there.

    Args:
        island: Who imports.
        peers: The other islands.
        migration: K and the topology.
        streams: The island's randomness at this generation.
    """
    sources = topology.sources(migration.topology, island, peers, streams("topology"))
    rng = streams("import")
    places = rng.integers(len(sources), size=migration.migrants) if sources else ()
    return Counter(sources[i] for i in places), rng


def draw(
    island: str,
    *,
    mailbox: Shelves,
    migration: Migration,
    spec: GenomeSpec,
    known: tuple[str, ...],
    seen: Seen,
    streams: Streams,
) -> Arrivals:
    """Choose K sources, and from each one's newest valid batch distinct random genomes.

    Args:
        island: Who imports.
        mailbox: Where the batches are.
        migration: K and the topology.
        spec: The genome layout.
        known: The islands that genes here descend from already; the table may not outgrow `MAX_ISLANDS`.
        seen: The highest (epoch, generation) met of each peer.
        streams: The island's randomness at this generation.
    """
    peers = mailbox.peers()
    draws, rng = choose(island, peers, migration=migration, streams=streams)
    picks: list[Pick] = []
    refusals: list[Refusal] = []
    seen = dict(seen)
    for peer in sorted(draws):
        batch, refused = mailbox.newest(peer, seen=seen)
        refusals += refused
        if batch is not None:
            seen[peer] = (batch.manifest.epoch, batch.manifest.generation)
            n = min(draws[peer], len(batch.migrants))
            picks += [(batch, int(i)) for i in sorted(rng.choice(len(batch.migrants), n, replace=False))]
    accepted, too_many = _within_table(picks, known)
    migrants = _together(accepted) if accepted else inbox.nobody(spec)
    return Arrivals(migrants, tuple(map(_source, accepted)), (*refusals, *too_many), len(peers), seen)


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
            place = (batch.manifest.island, batch.manifest.generation)
            refusals.append(Refusal(*place, str(Reason.TOO_MANY_ISLANDS), detail))
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
