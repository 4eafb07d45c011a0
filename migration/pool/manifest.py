"""One published batch, described: whose it is, what is in it, and the hashes that make it valid."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from atoll.evo import strict_json
from atoll.evo.errors import DamagedFileError
from atoll.evo.paths import GENOMES, MANIFEST, is_island_name
from atoll.migration.pool.bounded_io import MAX_GENOMES, MAX_ISLANDS, MAX_JSON_DEPTH, Reason, RefusedError

FORMAT = 1
MAX_ID_LENGTH = 128
MAX_FITNESS = 3.4028234663852886e38
"""The largest float32; beyond it a fitness would become infinite here."""


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
    """What `manifest.json` says.

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


def parse(data: bytes) -> Manifest:
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
