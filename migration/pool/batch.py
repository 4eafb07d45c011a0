"""A published batch, manifest and genomes: from migrants to the bytes of two files, and back with every check."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo import ancestry, arrayfile, strict_json
from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.evo.genome import Floats, GenomeSpec, Migrants, Population
from atoll.evo.paths import GENOMES, MANIFEST, is_island_name
from atoll.migration.pool.bounded_io import (
    MAX_GENOME_FILE_BYTES,
    MAX_GENOMES,
    MAX_HEADER_BYTES,
    MAX_ISLANDS,
    MAX_JSON_DEPTH,
    MAX_MANIFEST_BYTES,
    NO_MEMORY,
    Reason,
    RefusedError,
    directory,
    read_file,
)

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.migration.pool.bounded_io import Budget

FORMAT = 1
METADATA = {"format": FORMAT, "kind": "genomes"}
MAX_ID_LENGTH = 128
MAX_FITNESS = 3.4028234663852886e38
"""The largest float32; beyond it a fitness would become infinite here."""


@dataclass(frozen=True)
class Publisher:
    """The publisher of a batch: a start of an island.

    Attributes:
        run_id: The archipelago.
        island: The island.
        epoch: Which start of it.
        nonce: That start's secret name.
        spec: The genome layout.
    """

    run_id: str
    island: str
    epoch: int
    nonce: str
    spec: GenomeSpec


@dataclass(frozen=True)
class GenomeEntry:
    """One genome of a batch.

    Attributes:
        id: Its name, unique in the archipelago.
        sha256: Hash of its genes as little-endian float32.
        fitness: What its island measured; information, never trusted.
    """

    id: str
    sha256: str
    fitness: float


@dataclass(frozen=True)
class Manifest:
    """The manifest of a batch, as `manifest.json` says it.

    Attributes:
        run_id: The archipelago.
        genome_sha256: The genome layout.
        island: Who published.
        generation: When, on its own clock.
        epoch: Which start of the island published; peers ignore anything older than they have seen.
        nonce: That start's secret name, so that an owner recognises its own work.
        islands: The table that the genomes' ancestry points into.
        genomes: The genomes, in the order of the file's rows.
        file_bytes: Size of the genome file.
        file_sha256: Hash of the genome file's bytes.
    """

    run_id: str
    genome_sha256: str
    island: str
    generation: int
    epoch: int
    nonce: str
    islands: tuple[str, ...]
    genomes: tuple[GenomeEntry, ...]
    file_bytes: int
    file_sha256: str

    @cached_property
    def content_sha256(self) -> str:
        """Hash of what is published, whichever start of the island published it."""
        document = self._content()
        return _hash({name: document[name] for name in document if name not in {"epoch", "nonce"}})

    def _content(self) -> dict[str, Any]:
        document = {field.name: getattr(self, field.name) for field in fields(self)}  # `asdict` copies, and is slow
        document["file"] = {
            "name": GENOMES,
            "bytes": document.pop("file_bytes"),
            "sha256": document.pop("file_sha256"),
        }
        genomes = [vars(genome) for genome in self.genomes]
        return {"format": FORMAT, **document, "islands": list(self.islands), "genomes": genomes}

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
    """Make sure that what an island will publish is not more than others read.

    Args:
        migrants: How many genomes, K.
        genes: Of how many genes each, D.

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
    """Return the size of the genome file of that many migrants, K, of that many genes each, D."""
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
        detail = f"{GENOMES} has {len(data)} bytes, the manifest says {manifest.file_bytes}"
        raise RefusedError(Reason.DAMAGED, detail, name=GENOMES, byte=len(data))
    if hashlib.sha256(data).hexdigest() != manifest.file_sha256:
        detail = f"{GENOMES} does not match its checksum in the manifest"
        raise RefusedError(Reason.DAMAGED, detail, name=GENOMES)


def _population(data: bytes, manifest: Manifest, spec: GenomeSpec) -> Population:
    try:
        arrays, _ = arrayfile.decode(data, max_header_bytes=MAX_HEADER_BYTES)
    except DamagedFileError as error:
        raise RefusedError(Reason.DAMAGED, f"{GENOMES}: {error}", name=GENOMES, byte=error.byte) from error
    shape = (len(manifest.genomes), spec.size)
    if len(arrays) > 2:
        raise RefusedError(Reason.DAMAGED, f"{GENOMES}: {len(arrays)} arrays, expected 2", name=GENOMES)
    for name, dtype in (("genes", np.float32), ("ancestry", np.uint16)):
        if name not in arrays or arrays[name].shape != shape or arrays[name].dtype != dtype:
            detail = f"{GENOMES}: expected {name} {shape} of {np.dtype(dtype)}"
            raise RefusedError(Reason.DAMAGED, detail, name=GENOMES)
    genes, painted = arrays["genes"], arrays["ancestry"]
    if painted.max(initial=0) >= len(manifest.islands):
        detail = f"{GENOMES}: ancestry points outside the table of islands"
        raise RefusedError(Reason.DAMAGED, detail, name=GENOMES)
    if not spec.contains(genes):
        detail = "a gene is not finite, outside its bounds, or not whole where it must be"
        raise RefusedError(Reason.OUT_OF_BOUNDS, detail, name=GENOMES)
    if [genome_sha256(row) for row in genes] != [entry.sha256 for entry in manifest.genomes]:
        detail = "a genome does not match its checksum in the manifest"
        raise RefusedError(Reason.DAMAGED, detail, name=GENOMES)
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
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RefusedError(Reason.DAMAGED, f"manifest: {error}", name=MANIFEST) from error
    if manifest.encode() != data:
        raise RefusedError(Reason.DAMAGED, "the manifest does not match its checksum", name=MANIFEST)
    return manifest


def _manifest(document: dict[str, Any]) -> Manifest:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r}, this version reads {FORMAT}")
    genomes = _list(document["genomes"], limit=MAX_GENOMES)
    islands = _list(document["islands"], limit=MAX_ISLANDS)
    if not genomes or len(set(islands)) != len(islands):
        raise ValueError("no genomes, or an island stands twice in the table")
    return Manifest(
        run_id=_text(document["run_id"]),
        genome_sha256=_text(document["genome_sha256"]),
        island=_island(document["island"]),
        generation=_count(document["generation"]),
        epoch=_count(document["epoch"]),
        nonce=_text(document["nonce"]),
        islands=tuple(_island(name) for name in islands),
        genomes=tuple(GenomeEntry(_text(g["id"]), _text(g["sha256"]), _number(g["fitness"])) for g in genomes),
        file_bytes=_count(document["file"]["bytes"]),
        file_sha256=_text(document["file"]["sha256"]),
    )


def _hash(document: object) -> str:
    return hashlib.sha256(strict_json.encode(document)).hexdigest()


def _list(value: object, *, limit: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > limit:
        raise ValueError(f"expected a list of at most {limit}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_ID_LENGTH or not value.isprintable():
        raise ValueError(f"expected a text of at most {MAX_ID_LENGTH} characters")
    return value


def _island(value: object) -> str:
    if not isinstance(value, str) or not is_island_name(value):
        raise ValueError("not an island's name")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("expected a count")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= MAX_FITNESS:
        raise ValueError("expected a finite number of single precision")
    return float(value)
