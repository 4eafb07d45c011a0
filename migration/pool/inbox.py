"""The inbox: an island's private, durable record of what it imported, one file per generation.

It is written before an immigrant is used and read instead of the pool when the generation is lived again; so it is
both the crash guard and the journal from which an asynchronous run can be replayed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import arrayfile, atomic
from atoll.evo.errors import DamagedFileError, ResumeError
from atoll.evo.genome import GenomeSpec, Migrants, Population
from atoll.evo.paths import CHECKPOINT_NAME, parse_generation
from atoll.migration.pool.bounded_io import list_names

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.paths import IslandPaths

FORMAT = 1

Seen = dict[str, tuple[int, int]]
"""For each peer, the highest (epoch, generation) met so far."""


@dataclass(frozen=True)
class Source:
    """The source of one immigrant."""

    island: str
    epoch: int
    generation: int
    genome_sha256: str
    manifest_sha256: str

    @property
    def place(self) -> tuple[int, int]:
        """The batch of its island that it comes from, as `Seen` has it."""
        return self.epoch, self.generation


@dataclass(frozen=True)
class Refusal:
    """Something that was turned away, and why."""

    island: str
    generation: int
    reason: str
    detail: str


@dataclass(frozen=True)
class Arrivals:
    """The arrivals of one import.

    Attributes:
        migrants: The genomes, [N, D], N up to K.
        sources: Where each of the N comes from.
        peers: How many islands were there to import from.
        seen: What had been met when this import was over.
    """

    migrants: Migrants
    sources: tuple[Source, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    peers: int = 0
    seen: Seen = field(default_factory=dict)

    @property
    def refused(self) -> int:
        """Number of batches or genomes that were turned away."""
        return len(self.refusals)


def nobody(spec: GenomeSpec) -> Migrants:
    """Return no migrants at all, [0, D]."""
    empty = Population(np.empty((0, spec.size), np.float32), np.empty((0, spec.size), np.uint16), ())
    return Migrants(empty, np.empty(0, np.float32), ())


def save(paths: IslandPaths, generation: int, arrivals: Arrivals) -> None:
    """Write what a generation imported."""
    atomic.make_directory(paths.inboxes)
    atomic.replace_file(paths.inbox(generation), encode(generation, arrivals), durable=True)


def load(paths: IslandPaths, generation: int) -> Arrivals | None:
    """Return what a generation imported, or None if it has not come so far yet.

    Raises:
        ResumeError: The record is not intact, or of another version.
        StorageError: The record cannot be read.
    """
    path = paths.inbox(generation)
    try:
        return read(path)
    except DamagedFileError as error:
        raise ResumeError(f"damaged inbox: {error}; what it held is gone, start again with --fresh") from error


def read(path: Path) -> Arrivals | None:
    """Return the record at `path`, or None if there is none.

    Raises:
        DamagedFileError: It is not intact.
        ResumeError: It is of another version.
        StorageError: It cannot be read.
    """
    with atomic.storage_errors("read the inbox"):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
    try:
        return decode(data)
    except DamagedFileError as error:
        raise DamagedFileError(f"{path}: {error}") from error


def newest_before(paths: IslandPaths, generation: int) -> Arrivals | None:
    """Return the last import before `generation`, or None; errors are those of `load`."""
    with atomic.storage_errors("look into the inbox"):
        numbers = [parse_generation(name, CHECKPOINT_NAME) for name in list_names(paths.inboxes)]
    earlier = [n for n in numbers if n is not None and n < generation]
    return load(paths, max(earlier)) if earlier else None


def encode(generation: int, arrivals: Arrivals) -> bytes:
    """Write arrivals as bytes; equal arrivals give equal bytes."""
    population = arrivals.migrants.population
    arrays: arrayfile.Arrays = {
        "genes": population.genes,
        "ancestry": population.ancestry,
        "fitness": arrivals.migrants.fitness,
    }
    metadata = {
        "format": FORMAT,
        "kind": "inbox",
        "generation": generation,
        "ids": list(arrivals.migrants.ids),
        "islands": list(population.islands),
        "sources": [asdict(source) for source in arrivals.sources],
        "refusals": [asdict(refusal) for refusal in arrivals.refusals],
        "peers": arrivals.peers,
        "seen": {peer: list(place) for peer, place in arrivals.seen.items()},
    }
    return arrayfile.encode(arrays, metadata)


def decode(data: bytes) -> Arrivals:
    """Read what `encode` wrote.

    Raises:
        DamagedFileError: The bytes are not an intact record.
        ResumeError: A record of another version.
    """
    arrays, metadata = arrayfile.decode(data)
    if (metadata.get("kind"), metadata.get("format")) != ("inbox", FORMAT):
        raise ResumeError(f"the inbox has format {metadata.get('format')}, this version of Atoll reads {FORMAT}")
    population = Population(arrays["genes"], arrays["ancestry"], tuple(metadata["islands"]))
    return Arrivals(
        Migrants(population, arrays["fitness"], tuple(metadata["ids"])),
        tuple(Source(**source) for source in metadata["sources"]),
        tuple(Refusal(**refusal) for refusal in metadata["refusals"]),
        metadata["peers"],
        {peer: (epoch, published) for peer, (epoch, published) in metadata["seen"].items()},
    )
