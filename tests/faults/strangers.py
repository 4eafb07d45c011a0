"""What a stranger may put into a pool: lies with every hash in order, any bytes, and nodes that are no files."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import structs

from atoll.evo import arrayfile
from atoll.evo.genome import GenomeSpec
from atoll.evo.paths import GENOMES, MANIFEST
from atoll.migration.pool import batch
from atoll.migration.pool.batch import MAX_GENOME_FILE_BYTES, MAX_HEADER_BYTES, MAX_MANIFEST_BYTES, Publisher
from tests.migration.archipelago import RUN_ID, SPEC, migrants_of, write_batch
from tests.migration.pool.test_manifest import resigned

if TYPE_CHECKING:
    from collections.abc import Callable

Files = dict[str, bytes]
KIND = {"format": 1, "kind": "genomes"}
META = {"__metadata__": {"atoll": "{}"}}


@dataclass(frozen=True)
class Stranger:
    """Whoever can write into a pool, knows the format and can compute hashes.

    Attributes:
        name: The island that it takes itself for.
        run_id: The archipelago's.
        spec: The genome layout's.
        generation: When it publishes.
    """

    name: str
    run_id: str = RUN_ID
    spec: GenomeSpec = SPEC
    generation: int = 10

    def batch(self, n: int = 3, **changes: Any) -> Files:
        """Return a batch whose manifest says what `changes` say."""
        by = Publisher(self.run_id, self.name, 1, "n", self.spec)
        described, files = batch.pack(by, self.generation, migrants_of(self.name, self.generation, n, spec=self.spec))
        return {GENOMES: files[GENOMES], MANIFEST: structs.replace(described, **changes).encode()}

    def around(self, data: bytes, **changes: Any) -> Files:
        """Return a batch with this genome file, its size and hash as announced."""
        signed = {"file_bytes": len(data), "file_sha256": hashlib.sha256(data).hexdigest(), **changes}
        return {**self.batch(**signed), GENOMES: data}

    def with_genes(self, change: Callable[[np.ndarray[Any, Any]], None]) -> Files:
        """Return a batch whose genes were changed before anything was signed."""
        described = batch.parse_manifest(self.batch()[MANIFEST])
        arrays, _ = arrayfile.decode(self.batch()[GENOMES])
        genes = arrays["genes"].copy()
        change(genes)
        rows = zip(described.genomes, genes, strict=True)
        entries = tuple(structs.replace(entry, sha256=batch.genome_sha256(row)) for entry, row in rows)
        return self.around(arrayfile.encode({**arrays, "genes": genes}, KIND), genomes=entries)

    def saying(self, **fields: Any) -> Files:
        """Return a batch whose manifest has these fields in place of its own, or beside them."""
        files = self.batch()
        return {**files, MANIFEST: resigned({**json.loads(files[MANIFEST]), **fields})}

    def raw(self, text: bytes) -> Files:
        """Return a batch whose manifest is this."""
        return {**self.batch(), MANIFEST: text}


def header(entries: object, body: bytes = b"") -> bytes:
    """Return a safetensors file with any header."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + body


def tensor(dtype: object = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    """Return an array's description."""
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def lies(spec: GenomeSpec) -> dict[str, Callable[[Stranger], Files]]:
    """Return row 23, ways to lie: hostile JSON and hostile arrays, each with every hash in order that can be."""
    good = Stranger("m", spec=spec).batch()
    genes, painted = (arrayfile.decode(good[GENOMES])[0][name] for name in ("genes", "ancestry"))
    zeros = np.zeros(MAX_GENOME_FILE_BYTES // 4 - 4096, np.float32)
    manifests = {
        "depth bomb": b"[" * 200_000,
        "object bomb": b'{"a":' * 40_000,
        "5,000-digit integer": b'{"format":' + b"9" * 5000 + b"}",
        "250,000 digits": b"9" * 250_000,
        "long fraction": b"0." + b"1" * 250_000,
        "key twice": b'{"format":1,"format":1}',
        "NaN": b'{"format":NaN}',
        "Infinity": b'{"format":-Infinity}',
        "1e999": b'{"format":1e999}',
        "many small numbers": b"[" + b"0," * 120_000 + b"0]",
        "many lists": b"[" + b"[]," * 80_000 + b"[]]",
        "many keys": json.dumps({str(i): 0 for i in range(20_000)}).encode(),
        "not UTF-8": b"\xff\xfe" * 1000,
        "half a character": b'{"format":"\\ud800"}',
        "nothing": b"",
        "too large": b" " * (MAX_MANIFEST_BYTES + 1),
    }
    fields: dict[str, dict[str, object]] = {
        "island ../x": {"island": "../x"},
        "island /etc": {"island": "/etc/passwd"},
        "file ../x": {"file": {"name": "../../x", "bytes": 1, "sha256": ""}},
        "65 genomes": {"genomes": json.loads(good[MANIFEST])["genomes"] * 22},
        "1,025 islands": {"islands": [f"i{i}" for i in range(1025)]},
        "no genomes": {"genomes": []},
        "generation 2^60": {"generation": 2**60},
        "epoch -1": {"epoch": -1},
        "format 2": {"format": 2},
        "five deep": {"extra": [[[[1]]]]},
        "an escape sequence": {"nonce": "\x1b[2J"},
        "fitness 1e39": {"genomes": [{**json.loads(good[MANIFEST])["genomes"][0], "fitness": 1e39}]},
        "terabytes announced": {"file": {"name": GENOMES, "bytes": 2**50, "sha256": "0" * 64}},
    }
    files = {
        "nothing": b"",
        "100 MB header": (100_000_000).to_bytes(8, "little") + b"{}",
        "endless header": b"\xff" * 8 + b"{}",
        "header too large": header(b'{"a":"' + b" " * MAX_HEADER_BYTES + b'"}'),
        "header depth bomb": header(b"[" * 60_000),
        "100,000 tensors": header({**META, **{f"t{i}": tensor(shape=[0], offsets=[0, 0]) for i in range(100_000)}}),
        "900 tensors": header({**META, **{str(i): tensor(shape=[0], offsets=[0, 0]) for i in range(900)}}),
        "huge shape": header({**META, "genes": tensor(shape=[2**40, 2**12])}, b"0000"),
        "huge empty shape": header({**META, "genes": tensor(shape=[0, 2**53], offsets=[0, 0])}),
        "shape beyond the file": header({**META, "genes": tensor(shape=[2**28], offsets=[0, 2**30])}, b"0000"),
        "negative shape": header({**META, "genes": tensor(shape=[-1])}, b"0000"),
        "rank 5": header({**META, "genes": tensor(shape=[1] * 5)}, b"0000"),
        "zero size": header({**META, "genes": tensor(shape=[0], offsets=[0, 0])}),
        "overlap": header({**META, "genes": tensor(), "ancestry": tensor()}, b"0000"),
        "hole": header({**META, "genes": tensor(offsets=[4, 8])}, b"00000000"),
        "bytes behind the end": good[GENOMES] + b"\0",
        "unknown type": header({**META, "genes": tensor("F8_E4M3", [4])}, b"0000"),
        "type is a list": header({**META, "genes": tensor([])}, b"0000"),
        "other type": arrayfile.encode({"genes": genes.astype(np.float64), "ancestry": painted}, KIND),
        "other shape": arrayfile.encode({"genes": genes[:, :-1], "ancestry": painted}, KIND),
        "more genomes": arrayfile.encode(
            {n: np.repeat(a, 2, 0) for n, a in (("genes", genes), ("ancestry", painted))}, KIND
        ),
        "no genes": arrayfile.encode({"ancestry": painted}, KIND),
        "16 MB of padding": arrayfile.encode({"genes": genes, "ancestry": painted, "padding": zeros}, KIND),
        "16 MB of genes": arrayfile.encode({"genes": zeros.reshape(1, -1), "ancestry": painted}, KIND),
        "16 MB of nothing": bytes(MAX_GENOME_FILE_BYTES),
        "more than 16 MB": bytes(MAX_GENOME_FILE_BYTES + 1),
        "ancestors beyond the table": arrayfile.encode({"genes": genes, "ancestry": painted + np.uint16(7)}, KIND),
        "a pickle": b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00cos\nsystem\n",
        "a zip": b"PK\x03\x04" + bytes(100),
    }
    values = (np.nan, np.inf, -np.inf, 1e38, np.nextafter(spec.high[0], np.float32(np.inf)))
    return {
        **{f"manifest: {name}": lambda by, text=text: by.raw(text) for name, text in manifests.items()},
        **{f"field: {name}": lambda by, changes=changes: by.saying(**changes) for name, changes in fields.items()},
        **{f"file: {name}": lambda by, data=data: by.around(data) for name, data in files.items()},
        **{f"gene: {v}": lambda by, v=v: by.with_genes(lambda genes: genes.__setitem__((1, 0), v)) for v in values},
    }


def write_lies(place: Path) -> int:
    """Write every lie of an island m to a folder of its own, and one manifest of a gigabyte; return how many."""
    told = {**lies(SPEC), "a gigabyte": Stranger.batch}
    for i, (name, lie) in enumerate(told.items()):
        folder = write_batch(place / str(i) / "m" / "gen-10", lie(Stranger("m")))
        (place / str(i) / "name").write_text(name)
    os.truncate(folder / MANIFEST, 1 << 30)
    return len(told)


IMPOSTURES: dict[str, Callable[[Stranger], Files]] = {
    "another run": lambda by: replace(by, run_id="b" * 32).batch(),
    "another genome layout": lambda by: replace(by, spec=GenomeSpec(SPEC.segments[:1])).batch(),
    "another island": lambda by: replace(by, name="somebody").batch(),
    "another generation": lambda by: replace(by, generation=by.generation - 1).batch(),
    "no such layout": lambda by: by.batch(genome_sha256="0" * 64),
    "no such run": lambda by: by.batch(run_id=""),
}
"""Row 24: whole batches, every hash in order, of something else than what they lie at."""


def mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes that differ from `data`: bits flipped, stretches changed, cut out, doubled, moved or added."""
    i, j = sorted(int(n) for n in rng.integers(0, len(data), 2))
    n = int(rng.integers(1, 9))
    changed = bytearray(data)
    kind = rng.integers(7)
    if kind == 0:
        changed[i] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        changed[i : i + n] = rng.bytes(n)
    elif kind == 2:
        del changed[i : i + n]
    elif kind == 3:
        changed[i:i] = rng.bytes(n)
    elif kind == 4:
        changed[i:j] = data[i:j] * 2
    elif kind == 5:
        changed[i : i + n], changed[j : j + n] = data[j : j + n], data[i : i + n]
    else:
        changed[i : i + 1] = rng.choice([b"0", b"9", b'"', b"{", b"}", b"[", b"]", b",", b"-", b"e", b"\0", b"\xff"])
    return bytes(changed) if changed != data else data[:-1]


def signed_mutant(by: Stranger, rng: np.random.Generator) -> Files:
    """Return a batch with something changed and every hash in order: in its file, its genes or its manifest."""
    kind = rng.integers(3)
    if kind == 0:
        return by.around(mutant(by.batch()[GENOMES], rng))
    if kind == 1:
        i, value = int(rng.integers(SPEC.size)), np.frombuffer(rng.bytes(4), np.float32)[0]
        value = rng.choice(np.asarray([value, 0.0, 1.0, -0.0, 1e-45, 9.0, np.nan, -1.0], np.float32))
        return by.with_genes(lambda genes: genes.__setitem__((int(rng.integers(len(genes))), i), value))
    document = json.loads(by.batch()[MANIFEST])
    name = str(rng.choice(sorted(document)))
    values = (0, -1, 7, 2**53, 2**54, 1.5, True, None, "", "m", "x" * 129, [], ["m"], {}, {"name": 1}, "\x07", "\ud800")
    return by.saying(**{name: values[int(rng.integers(len(values)))]})


def bind(path: Path) -> None:
    """Make a socket; its path may be longer than sockets' may be."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as node:
            node.bind(path.name)
    finally:
        os.chdir(here)


def device(number: int) -> Callable[[Path], None]:
    """Return what makes a character device: 3 is null, 5 is zero, 7 is always full."""
    return lambda path: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, number))


def nodes(outside: Path) -> dict[str, Callable[[Path], None]]:
    """Return row 22: what may lie where a file or folder belongs; `outside` is a whole batch of somebody else's."""
    return {
        "pipe": os.mkfifo,
        "socket": bind,
        "link out": lambda path: path.symlink_to(outside / path.name if (outside / path.name).exists() else outside),
        "link to itself": lambda path: path.symlink_to(path.name),
        "link to nowhere": lambda path: path.symlink_to("nowhere"),
        "link to an endless device": lambda path: path.symlink_to("/dev/zero"),
        "link upwards": lambda path: path.symlink_to(".."),
        "hard link": lambda path: os.link(outside / GENOMES if path.name == GENOMES else outside / MANIFEST, path),
        "empty folder": Path.mkdir,
        "empty file": Path.touch,
    }


DEVICES = {"null": device(3), "zero": device(5), "full": device(7)}

NAMES = [
    b"\xff\xfe",
    b"x" * 255,
    "é".encode() * 127,
    "\U0001f3dd".encode() * 60,
    b"\n",
    b"a\nb",
    b"-rf",
    b"...",
    b"..a",
    b" ",
    b"a b",
    b"a.b",
    b"\x1b[31m",
    b"a\x7f",
    b"*",
    b"locks ",
    b"Locks",
    b"POOL.json ",
    b"gen-1\n",
    b"gen-01",
    b"gen-1 ",
    b"gen-+1",
    b"gen--1",
    b"gen-99999999999",
    "gen-\N{ARABIC-INDIC DIGIT THREE}".encode(),
    b"GEN-1",
    b"gen-1.safetensors",
    b"x" * 65,
]
"""Names that are no island's and no batch's."""
