"""A published batch, manifest and genomes: from migrants to the bytes of two files, and back with every check."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct
from msgspec.structs import asdict

from atoll.evo import ancestry, arrayfile, strict_json
from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.evo.genome import Floats, GenomeSpec, Migrants, Population
from atoll.evo.paths import GENOMES, MANIFEST, is_island_name
from atoll.evo.records import Count  # noqa: TC001 - msgspec looks it up
from atoll.migration.pool.bounded_io import MAX_ISLANDS, NO_MEMORY, Reason, RefusedError, directory, read_file

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.migration.pool.bounded_io import Budget

FORMAT = 1
MAX_MANIFEST_BYTES = 256 * 1024
MAX_GENOMES = 64
MAX_GENOME_FILE_BYTES = 16 * 1024 * 1024
MAX_HEADER_BYTES = 64 * 1024
MAX_JSON_DEPTH = 4
METADATA = {"format": FORMAT, "kind": "genomes"}
Text = Annotated[str, Meta(max_length=128, pattern=r"^[ -~]*\Z")]
MAX_FITNESS = 3.4028234663852886e38
"""The largest float32; beyond it a fitness would become infinite here."""


@dataclass(frozen=True)
class Publisher:
    """The publisher of a batch: a start of an island, by its number and its secret name, and its genome layout."""

    run_id: str
    island: str
    epoch: int
    nonce: str
    spec: GenomeSpec


class GenomeEntry(Struct, frozen=True):
    """One genome of a batch: its name, the hash of its genes as little-endian float32, and what its island measured."""

    id: Text
    sha256: Text
    fitness: Annotated[float, Meta(ge=-MAX_FITNESS, le=MAX_FITNESS)]


class Manifest(Struct, frozen=True, dict=True):
    """The manifest of a batch, as `manifest.json` says it.

    Attributes:
        generation: When it was published, on the island's own clock.
        epoch: Which start of the island published; peers ignore anything older than they have seen.
        nonce: That start's secret name, so that an owner recognises its own work.
        islands: The table that the genomes' ancestry points into.
        genomes: The genomes, in the order of the file's rows.
    """

    run_id: Text
    genome_sha256: Text
    island: Text
    generation: Count
    epoch: Count
    nonce: Text
    islands: Annotated[tuple[str, ...], Meta(max_length=MAX_ISLANDS)]
    genomes: Annotated[tuple[GenomeEntry, ...], Meta(min_length=1, max_length=MAX_GENOMES)]
    file_bytes: Count
    file_sha256: Text

    @cached_property
    def content_sha256(self) -> str:
        """Hash of what is published, whichever start of the island published it."""
        document = self._content()
        published = {name: document[name] for name in document if name not in {"epoch", "nonce"}}
        return hashlib.sha256(strict_json.encode(published)).hexdigest()

    def _content(self) -> dict[str, Any]:
        document = {**asdict(self), "genomes": [asdict(genome) for genome in self.genomes]}
        file = {"name": GENOMES, "bytes": document.pop("file_bytes"), "sha256": document.pop("file_sha256")}
        return {"format": FORMAT, **document, "file": file}

    def encode(self) -> bytes:
        """Write the manifest as canonical JSON with a hash of itself."""
        body = strict_json.encode({**self._content(), "content_sha256": self.content_sha256})
        sha256 = hashlib.sha256(body).hexdigest()
        return b'{"body_sha256":"%s",%s' % (sha256.encode(), body[1:])  # in the order of names it comes first


@dataclass(frozen=True)
class Batch:
    """A batch that passed every check."""

    manifest: Manifest
    migrants: Migrants


def check_importable(migrants: int, genes: int) -> None:
    """Make sure that the batches of an island, of K migrants of D genes each, are not more than others read.

    Raises:
        ConfigError: It is; the most migrants that are not too many are named.
    """
    size = genomes_bytes(migrants, genes)
    if size <= MAX_GENOME_FILE_BYTES:
        return
    most = max((k for k in range(1, migrants) if genomes_bytes(k, genes) <= MAX_GENOME_FILE_BYTES), default=0)
    alone = "not even one could migrate: use --topology none, without lockstep"
    advice = f"use --migrants {most} or fewer" if most else alone
    raise ConfigError(
        f"{migrants} migrants of {genes} genes make a file of {size} bytes, and islands read at most "
        f"{MAX_GENOME_FILE_BYTES} of one: {advice}"
    )


def genomes_bytes(migrants: int, genes: int) -> int:
    """Return the size of the genome file of K migrants of D genes each."""
    shape = (migrants, genes)
    return arrayfile.encoded_size({"genes": (shape, np.float32), "ancestry": (shape, np.uint16)}, METADATA)


def pack(publisher: Publisher, generation: int, emigrants: Migrants) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest and the files of a batch, the manifest last: it completes the batch."""
    population = ancestry.compact(emigrants.population)
    arrays: arrayfile.Arrays = {"genes": population.genes, "ancestry": population.ancestry}
    genomes = arrayfile.encode(arrays, METADATA)
    entries = tuple(
        GenomeEntry(genome_id, genome_sha256(row), float(fitness))
        for genome_id, row, fitness in zip(emigrants.ids, population.genes, emigrants.fitness, strict=True)
    )
    manifest = Manifest(
        run_id=publisher.run_id,
        genome_sha256=publisher.spec.sha256,
        island=publisher.island,
        generation=generation,
        epoch=publisher.epoch,
        nonce=publisher.nonce,
        islands=population.islands,
        genomes=entries,
        file_bytes=len(genomes),
        file_sha256=hashlib.sha256(genomes).hexdigest(),
    )
    return manifest, {GENOMES: genomes, MANIFEST: manifest.encode()}


def read(
    path: Path, *, run_id: str, spec: GenomeSpec, island: str, generation: int, budget: Budget | None = None
) -> Batch:
    """Read the batch in the directory `path`, as `island` is said to have published it at `generation`.

    Raises:
        RefusedError: Anything about it is not as it must be, or there is no memory for it.
        VanishedError: It has been pruned meanwhile.
    """
    try:
        with directory(path) as descriptor:
            manifest = parse_manifest(read_file(descriptor, MANIFEST, limit=MAX_MANIFEST_BYTES, budget=budget))
            _check_identity(manifest, run_id=run_id, spec=spec, island=island, generation=generation)
            limit = min(MAX_GENOME_FILE_BYTES, manifest.file_bytes)
            data = read_file(descriptor, GENOMES, limit=limit, budget=budget)
        _check_bytes(data, manifest)
        population = _population(data, manifest, spec)
    except (MemoryError, RecursionError) as error:
        raise RefusedError(Reason.UNREADABLE, NO_MEMORY) from error
    fitness = np.asarray([entry.fitness for entry in manifest.genomes], dtype=np.float32)
    return Batch(manifest, Migrants(population, fitness, tuple(entry.id for entry in manifest.genomes)))


def genome_sha256(genes: Floats) -> str:
    """Return the hash of one genome, [D]."""
    return hashlib.sha256(np.ascontiguousarray(genes, dtype="<f4").tobytes()).hexdigest()


def _check_identity(manifest: Manifest, *, run_id: str, spec: GenomeSpec, island: str, generation: int) -> None:
    if manifest.run_id != run_id:
        raise RefusedError(Reason.OTHER_RUN, f"run {manifest.run_id}, this is {run_id}", name=MANIFEST)
    if manifest.genome_sha256 != spec.sha256:
        detail = f"layout {manifest.genome_sha256[:12]}, this is {spec.sha256[:12]}"
        raise RefusedError(Reason.OTHER_GENOME, detail, name=MANIFEST)
    if (manifest.island, manifest.generation) != (island, generation):
        detail = f"it says {manifest.island} gen {manifest.generation}, it lies at {island} gen {generation}"
        raise RefusedError(Reason.MISPLACED, detail, name=MANIFEST)


def _check_bytes(data: bytes, manifest: Manifest) -> None:
    if len(data) < manifest.file_bytes:
        raise _damaged(f"{GENOMES} has {len(data)} bytes, the manifest says {manifest.file_bytes}", byte=len(data))
    if hashlib.sha256(data).hexdigest() != manifest.file_sha256:
        raise _damaged(f"{GENOMES} does not match its checksum in the manifest")


def _damaged(detail: str, *, byte: int | None = None) -> RefusedError:
    return RefusedError(Reason.DAMAGED, detail, name=GENOMES, byte=byte)


def _population(data: bytes, manifest: Manifest, spec: GenomeSpec) -> Population:
    try:
        arrays, _ = arrayfile.decode(data, max_header_bytes=MAX_HEADER_BYTES)
    except DamagedFileError as error:
        raise _damaged(f"{GENOMES}: {error}", byte=error.byte) from error
    shape = (len(manifest.genomes), spec.size)
    if len(arrays) > 2:
        raise _damaged(f"{GENOMES}: {len(arrays)} arrays, expected 2")
    for name, dtype in (("genes", np.float32), ("ancestry", np.uint16)):
        if name not in arrays or arrays[name].shape != shape or arrays[name].dtype != dtype:
            raise _damaged(f"{GENOMES}: expected {name} {shape} of {np.dtype(dtype)}")
    genes, painted = arrays["genes"], arrays["ancestry"]
    if painted.max(initial=0) >= len(manifest.islands):
        raise _damaged(f"{GENOMES}: ancestry points outside the table of islands")
    if not spec.contains(genes):
        detail = "a gene is not finite, outside its bounds, or not whole where it must be"
        raise RefusedError(Reason.OUT_OF_BOUNDS, detail, name=GENOMES)
    if [genome_sha256(row) for row in genes] != [entry.sha256 for entry in manifest.genomes]:
        raise _damaged("a genome does not match its checksum in the manifest")
    return Population(genes, painted, manifest.islands)


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest that a stranger may have written.

    Raises:
        RefusedError: It is anything but the canonical bytes of a well-formed manifest, hashes included.
    """
    try:
        manifest = _manifest(strict_json.parse(data, max_depth=MAX_JSON_DEPTH))
    except DamagedFileError as error:
        raise RefusedError(Reason.DAMAGED, f"manifest: {error}", name=MANIFEST, byte=error.byte) from error
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise RefusedError(Reason.DAMAGED, f"manifest: {error}", name=MANIFEST) from error
    if manifest.encode() != data:
        raise RefusedError(Reason.DAMAGED, "the manifest does not match its checksum", name=MANIFEST)
    return manifest


def _manifest(document: dict[str, Any]) -> Manifest:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r}, this version reads {FORMAT}")
    file = document["file"]
    manifest = msgspec.convert({**document, "file_bytes": file["bytes"], "file_sha256": file["sha256"]}, Manifest)
    if not all(map(is_island_name, (manifest.island, *manifest.islands))):
        raise ValueError("not an island's name")
    if len(set(manifest.islands)) != len(manifest.islands):
        raise ValueError("an island stands twice in the table")
    return manifest
