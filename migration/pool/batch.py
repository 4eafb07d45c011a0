"""A published batch: from migrants to the bytes of its two files, and back with every check."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import ancestry, arrayfile
from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.evo.genome import Floats, GenomeSpec, Migrants, Population
from atoll.evo.paths import GENOMES, MANIFEST
from atoll.migration.pool import manifest as manifests
from atoll.migration.pool.bounded_io import (
    MAX_GENOME_FILE_BYTES,
    MAX_HEADER_BYTES,
    MAX_MANIFEST_BYTES,
    NO_MEMORY,
    Reason,
    RefusedError,
    directory,
    read_file,
)
from atoll.migration.pool.manifest import GenomeEntry, Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.migration.pool.budget import Budget

METADATA = {"format": manifests.FORMAT, "kind": "genomes"}


@dataclass(frozen=True)
class Publisher:
    """Who publishes.

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
            manifest = manifests.parse(read_file(descriptor, MANIFEST, limit=MAX_MANIFEST_BYTES, budget=budget))
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
