"""Small archipelagos to test with: a genome layout, migrants that name themselves, islands on disk or in memory."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import structs

from atoll.evo import atomic, runlog
from atoll.evo.config import Migration
from atoll.evo.genome import GenomeSpec, Kind, Migrants, Population, Segment
from atoll.evo.paths import GENOMES, MANIFEST, IslandPaths, SharedPaths
from atoll.evo.records import Start
from atoll.evo.rng import streams
from atoll.migration.exchange.modes import directory_exchange, memory_exchange
from atoll.migration.pool import batch, epochs, inbox
from atoll.migration.pool.access import OpenPool, Ownership
from atoll.migration.pool.batch import Publisher
from atoll.migration.pool.identity import Pool
from atoll.migration.pool.ledger import Ledger
from atoll.migration.pool.mailbox import DirectoryMailbox

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atoll.migration.exchange.exchange import Exchange
    from atoll.migration.pool.batch import Batch
    from atoll.migration.pool.epochs import Epoch
    from atoll.migration.pool.inbox import Arrivals

SEED = 7
RUN_ID = "a" * 32
SPEC = GenomeSpec(
    (Segment("x", 3, -1.0, 1.0), Segment("on", 2, 0.0, 1.0, Kind.GATE), Segment("n", 1, 0.0, 9.0, Kind.INTEGER))
)


def migrants_of(
    island: str, generation: int, n: int = 3, *, spec: GenomeSpec = SPEC, ancestors: tuple[str, ...] = ()
) -> Migrants:
    """Return `n` migrants drawn from island and generation alone; each gene descends from one of `ancestors`."""
    rng = np.random.default_rng([generation, *island.encode()])
    islands = ancestors or (island,)
    painted = rng.integers(len(islands), size=(n, spec.size)).astype(np.uint16)
    fitness = np.sort(rng.standard_normal(n).astype(np.float32))[::-1].copy()
    ids = tuple(f"{island}:{generation}:{i}" for i in range(n))
    return Migrants(Population(spec.sample(rng, n), painted, islands), fitness, ids)


def gene_names(population: Population) -> list[list[str]]:
    """Spell each gene's ancestor, independent of how the table of islands is numbered."""
    return [[population.islands[owner] for owner in row] for row in population.ancestry]


def collect(exchange: Exchange, island: str, generation: int, known: tuple[str, ...] = ()) -> Arrivals:
    """Import as an island of this archipelago does."""
    residents = nobody_from(*(known or (island,)))
    return exchange.collect(generation, residents=residents, streams=streams(SEED, island, generation))


def nobody_from(*islands: str) -> Population:
    """Return a population of none whose genes could descend from these islands."""
    return replace(inbox.nobody(SPEC).population, islands=islands)


def displaced(exchange: Exchange, fitness: np.ndarray, scores: np.ndarray, *, generation: int = 10) -> np.ndarray:
    """Make room among residents of whom only the fitness matters."""
    genes, immigrants = (np.zeros((len(each), SPEC.size), np.float32) for each in (fitness, scores))
    return exchange.displaced(genes, fitness, immigrants, scores, streams=streams(SEED, "a", generation))


def publisher(
    island: str, epoch: int = 1, *, nonce: str = "n", run_id: str = RUN_ID, spec: GenomeSpec = SPEC
) -> Publisher:
    """Return who publishes."""
    return Publisher(run_id, island, epoch, nonce, spec)


def write_batch(path: Path, files: Mapping[str, bytes]) -> Path:
    """Put a batch in place as a stranger would: no protocol, whatever the bytes."""
    path.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def number_an_epoch(paths: IslandPaths) -> None:
    """Let a folder look as if an island had started in it, as a stranger would: by the name of an epoch."""
    paths.epochs.mkdir(parents=True, exist_ok=True)
    paths.epoch(1).touch()


def damage(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def packed(
    island: str, generation: int, n: int = 3, *, by: Publisher | None = None, **changes: Any
) -> dict[str, bytes]:
    """Return the files of a batch whose manifest says what `changes` say, its own hashes in order."""
    manifest, files = batch.pack(by or publisher(island), generation, migrants_of(island, generation, n))
    return {GENOMES: files[GENOMES], MANIFEST: structs.replace(manifest, **changes).encode()}


def read_ledger(paths: IslandPaths, kind: str | None = None) -> list[dict[str, Any]]:
    """Return an island's ledger, of one kind if asked."""
    return [record for record in runlog.read(paths.ledger) if kind in {None, record["kind"]}]


def tree(path: Path) -> dict[str, bytes | None]:
    """Return every name below `path` and the bytes of its files."""
    return {str(p.relative_to(path)): p.read_bytes() if p.is_file() else None for p in sorted(path.rglob("*"))}


def manifest_document(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return a batch's manifest as JSON."""
    document: dict[str, Any] = json.loads(files[MANIFEST])
    return document


@dataclass
class OnDisk:
    """An archipelago in a directory."""

    root: Path
    lock_class: str = "flock"
    name: str = "disk"
    now_s: float = 0.0
    run_id: str = RUN_ID

    @property
    def shared(self) -> SharedPaths:
        return SharedPaths(self.root)

    def paths(self, island: str) -> IslandPaths:
        return self.shared.island(island)

    def epoch(self, island: str, generation: int = 0) -> Epoch:
        atomic.make_directory(self.shared.locks)
        paths = self.paths(island)
        after = epochs.latest_number(paths)
        return epochs.claim(paths, after=after, generation=generation, target=99, population=9, task="sphere")

    def mailbox(self, island: str, epoch: Epoch | None = None) -> DirectoryMailbox:
        owned = self.owned(island, epoch or self.epoch(island))
        return DirectoryMailbox(owned, durable=False, clock=lambda: self.now_s)

    @property
    def pool(self) -> OpenPool:
        """The pool, which has no POOL.json."""
        return OpenPool(self.shared, Pool(self.run_id, SEED, {}, self.lock_class, {}), SPEC)

    def owned(self, island: str, epoch: Epoch) -> Ownership:
        return Ownership(self.pool, self.paths(island), epoch)

    def island(self, island: str, *, generation: int = 0, **migration: Any) -> Exchange:
        """Start an island, again if it was there before."""
        epoch = self.epoch(island, generation)
        ledger = Ledger(self.paths(island))
        ledger.start(Start(epoch=epoch.number, generation=generation))
        return directory_exchange(
            self.owned(island, epoch),
            migration=Migration(**{"topology": "full", "migrants": 5, **migration}),
            ledger=ledger,
        )


@dataclass
class InMemory:
    """An archipelago in a dictionary; ledgers are files even so."""

    root: Path
    name: str = "memory"
    pool: dict[str, dict[int, Batch]] = field(default_factory=dict)

    def paths(self, island: str) -> IslandPaths:
        return SharedPaths(self.root).island(island)

    def island(self, island: str, **migration: Any) -> Exchange:
        ledger = Ledger(self.paths(island))
        ledger.start(Start(epoch=1, generation=0))
        return memory_exchange(
            self.pool,
            publisher=publisher(island),
            migration=Migration(**{"topology": "full", "migrants": 5, **migration}),
            ledger=ledger,
        )


def same(one, other):
    """Say whether two imports brought the same, whatever the order of their tables."""
    return (
        one.migrants.ids == other.migrants.ids
        and one.migrants.population.genes.tobytes() == other.migrants.population.genes.tobytes()
        and one.migrants.fitness.tobytes() == other.migrants.fitness.tobytes()
        and gene_names(one.migrants.population) == gene_names(other.migrants.population)
        and (one.sources, one.refusals, one.peers) == (other.sources, other.refusals, other.peers)
    )


def kinds(world, island):
    """Count the events in an island's ledger."""
    return Counter(record["kind"] for record in read_ledger(world.paths(island)))
