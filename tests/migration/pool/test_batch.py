"""Laws of batches: genomes travel bit for bit, and anything wrong with one is a refusal that says so."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from atoll.evo import arrayfile
from atoll.evo.errors import ConfigError
from atoll.evo.genome import GenomeSpec, Migrants, Population, Segment
from atoll.evo.paths import GENOMES, MANIFEST
from atoll.migration.pool import batch
from atoll.migration.pool import bounded_io as untrusted
from atoll.migration.pool.bounded_io import Budget, Reason, RefusedError, VanishedError
from tests.migration.archipelago import RUN_ID, SPEC, gene_names, migrants_of, packed, publisher, write_batch

SHAPE = (3, SPEC.size)
KIND = {"format": 1, "kind": "genomes"}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "a" / "gen-10"


def read(place, **changes):
    expected = {"run_id": RUN_ID, "spec": SPEC, "island": "a", "generation": 10}
    return batch.read(place, **{**expected, **changes})


def refuse(place, **changes):
    with pytest.raises(RefusedError) as refused:
        read(place, **changes)
    return refused.value.reason


def with_genomes(data, **changes):
    """Return a batch around these bytes, the manifest's hash and size of them in order: a liar who can sign."""
    signed = {"file_bytes": len(data), "file_sha256": hashlib.sha256(data).hexdigest(), **changes}
    return {**packed("a", 10, **signed), GENOMES: data}


def with_arrays(genes, painted, *, sha256s=None, **changes):
    data = arrayfile.encode({"genes": genes, "ancestry": painted}, KIND)
    parsed = batch.parse_manifest(packed("a", 10)[MANIFEST])
    sha256s = sha256s or [batch.genome_sha256(row) for row in genes]
    entries = tuple(replace(e, sha256=s) for e, s in zip(parsed.genomes, sha256s, strict=False))
    return with_genomes(data, **{"genomes": entries, **changes})


@given(n=st.integers(1, 6), generation=st.integers(1, 2**33), ancestors=st.sets(st.sampled_from("abcdefgh")))
def test_genomes_travel_bit_for_bit_and_their_ancestors_keep_their_names(tmp_path_factory, n, generation, ancestors):
    place = tmp_path_factory.mktemp("pool") / "a" / f"gen-{generation}"
    sent = migrants_of("a", generation, n, ancestors=tuple(sorted(ancestors)))
    _, files = batch.pack(publisher("a"), generation, sent)
    found = read(write_batch(place, files), generation=generation).migrants
    assert found.population.genes.tobytes() == sent.population.genes.tobytes()
    assert found.fitness.tobytes() == sent.fitness.tobytes()
    assert found.ids == sent.ids
    assert gene_names(found.population) == gene_names(sent.population)
    assert set(found.population.islands) == {name for row in gene_names(sent.population) for name in row}


def test_equal_migrants_give_equal_bytes():
    assert packed("a", 10) == packed("a", 10)


def test_the_manifest_is_written_last():
    """It completes the batch: whoever finds it finds the genomes."""
    assert list(batch.pack(publisher("a"), 10, migrants_of("a", 10))[1])[-1] == MANIFEST


@pytest.mark.parametrize("name", [GENOMES, MANIFEST])
def test_every_truncation_is_refused(place, name):
    write_batch(place, packed("a", 10))
    for n in reversed(range((place / name).stat().st_size)):
        os.truncate(place / name, n)
        assert refuse(place) is Reason.DAMAGED


@pytest.mark.parametrize("name", [GENOMES, MANIFEST])
def test_seeded_mutations_are_refused(place, name, monkeypatch):
    """3,000 stretches each, changed, inserted or removed: whatever they do, the hashes see it."""
    files = packed("a", 10)
    monkeypatch.setattr(batch, "directory", contextlib.nullcontext)
    monkeypatch.setattr(batch, "read_file", lambda _, wanted, **_limits: files[wanted])
    assert len(read(place).migrants) == 3
    rng = np.random.default_rng(11)
    data = files[name]
    for _ in range(3000):
        i, removed, added = (int(rng.integers(0, n)) for n in (len(data), 8, 8))
        files[name] = data[:i] + rng.bytes(added) + data[i + removed :]
        if files[name] != data:
            assert refuse(place) is Reason.DAMAGED


def test_a_file_cut_short_is_named_with_the_byte_where_it_ends(place):
    write_batch(place, packed("a", 10))
    os.truncate(place / GENOMES, 99)
    with pytest.raises(RefusedError) as refused:
        read(place)
    assert (refused.value.name, refused.value.byte) == (GENOMES, 99)


@pytest.mark.parametrize("module", [arrayfile, batch])
@pytest.mark.parametrize("error", [MemoryError, RecursionError])
def test_a_batch_that_does_not_fit_into_memory_is_refused_and_no_worse(place, monkeypatch, module, error):
    """What cannot be read now may be read later: our own such batch is left as it lies."""
    write_batch(place, packed("a", 10))

    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(module, "decode" if module is arrayfile else "parse_manifest", fail)
    assert refuse(place) is Reason.UNREADABLE


def test_what_a_batch_costs_is_taken_from_the_budget(place):
    write_batch(place, packed("a", 10))
    spent = Budget()
    spent.spend("others", untrusted.MAX_ROUND_BYTES - (place / MANIFEST).stat().st_size)
    assert refuse(place, budget=spent) is Reason.OVER_BUDGET
    read(place, budget=Budget())


@pytest.mark.parametrize("kept", [GENOMES, MANIFEST])
def test_a_half_pruned_batch_has_vanished(place, kept):
    write_batch(place, {kept: packed("a", 10)[kept]})
    with pytest.raises(VanishedError):
        read(place)


def test_a_batch_that_has_gone_has_vanished(place):
    with pytest.raises(VanishedError):
        read(place)


@pytest.mark.parametrize("name", [GENOMES, MANIFEST])
def test_a_pipe_does_not_make_us_wait(place, name):
    files = packed("a", 10)
    write_batch(place, {n: data for n, data in files.items() if n != name})
    os.mkfifo(place / name)
    assert refuse(place) is Reason.NOT_A_FILE


@pytest.mark.parametrize("name", [GENOMES, MANIFEST])
def test_a_link_is_not_followed(place, name):
    files = packed("a", 10)
    write_batch(place, files)
    (place / name).rename(place.parent / "elsewhere")
    (place / name).symlink_to("../elsewhere")
    assert refuse(place) is Reason.NOT_A_FILE


def test_an_oversized_manifest_is_not_read(place):
    write_batch(place, {**packed("a", 10), MANIFEST: b" " * (batch.MAX_MANIFEST_BYTES + 1)})
    assert refuse(place) is Reason.TOO_LARGE


def test_genomes_larger_than_the_manifest_says_are_not_read(place):
    files = packed("a", 10)
    write_batch(place, {**files, GENOMES: files[GENOMES] + b"x"})
    assert refuse(place) is Reason.TOO_LARGE


def test_a_manifest_cannot_raise_the_limit(place):
    size = batch.MAX_GENOME_FILE_BYTES + 1
    write_batch(place, packed("a", 10, file_bytes=size))
    os.truncate(place / GENOMES, size)
    assert refuse(place) is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"run_id": "b" * 32}, Reason.OTHER_RUN),
        ({"spec": GenomeSpec((Segment("x", 4, -1.0, 1.0),))}, Reason.OTHER_GENOME),
        ({"island": "b"}, Reason.MISPLACED),
        ({"generation": 11}, Reason.MISPLACED),
    ],
)
def test_a_valid_batch_of_something_else_is_refused(place, changes, reason):
    write_batch(place, packed("a", 10))
    assert refuse(place, **changes) is reason


@pytest.mark.parametrize("gene", [np.nan, np.inf, -np.inf, np.float32(1.0000001), -1.5])
def test_genes_outside_their_bounds_are_refused(place, gene):
    sent = migrants_of("a", 10).population
    genes = sent.genes.copy()
    genes[1, 0] = gene
    write_batch(place, with_arrays(genes, sent.ancestry))
    assert refuse(place) is Reason.OUT_OF_BOUNDS


@pytest.mark.parametrize("place_of", [3, 5])
def test_half_a_gate_or_integer_is_refused(place, place_of):
    sent = migrants_of("a", 10).population
    genes = sent.genes.copy()
    genes[0, place_of] = 0.5
    write_batch(place, with_arrays(genes, sent.ancestry))
    assert refuse(place) is Reason.OUT_OF_BOUNDS


def test_ancestors_outside_the_table_are_refused(place):
    sent = migrants_of("a", 10).population
    write_batch(place, with_arrays(sent.genes, sent.ancestry + np.uint16(1)))
    assert refuse(place) is Reason.DAMAGED


def test_an_empty_table_of_ancestors_is_refused(place):
    sent = migrants_of("a", 10).population
    write_batch(place, with_arrays(sent.genes, sent.ancestry, islands=()))
    assert refuse(place) is Reason.DAMAGED


def test_a_header_beyond_the_limit_is_refused_though_valid(place):
    sent = migrants_of("a", 10).population
    padding = {"x": "y" * batch.MAX_HEADER_BYTES}
    write_batch(place, with_genomes(arrayfile.encode({"genes": sent.genes, "ancestry": sent.ancestry}, KIND | padding)))
    assert refuse(place) is Reason.DAMAGED


def test_another_valid_file_of_the_same_genes_is_refused(place):
    """Who descends from whom stands in the file alone, so only the file's hash notices an exchange."""
    sent = migrants_of("a", 10, ancestors=("a", "b")).population
    signed, other = (
        with_arrays(sent.genes, painted, islands=("a", "b")) for painted in (sent.ancestry, 1 - sent.ancestry)
    )
    write_batch(place, {**signed, GENOMES: other[GENOMES]})
    assert refuse(place) is Reason.DAMAGED


def test_swapped_genomes_are_refused(place):
    sent = migrants_of("a", 10).population
    write_batch(
        place, with_arrays(sent.genes, sent.ancestry, sha256s=[batch.genome_sha256(r) for r in sent.genes[::-1]])
    )
    assert refuse(place) is Reason.DAMAGED


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"genes": np.zeros(SHAPE, np.float32)},
        {"genes": np.zeros((3, 7), np.float32), "ancestry": np.zeros((3, 7), np.uint16)},
        {"genes": np.zeros((4, 6), np.float32), "ancestry": np.zeros((4, 6), np.uint16)},
        {"genes": np.zeros(SHAPE, np.float64), "ancestry": np.zeros(SHAPE, np.uint16)},
        {"genes": np.zeros(SHAPE, np.float32), "ancestry": np.zeros(SHAPE, np.int64)},
        {"genes": np.zeros((0, 6), np.float32), "ancestry": np.zeros((0, 6), np.uint16)},
        {"genes": np.zeros((), np.float32), "ancestry": np.zeros((), np.uint16)},
    ],
)
def test_arrays_of_another_shape_or_type_are_refused(place, arrays):
    write_batch(place, with_genomes(arrayfile.encode(arrays, KIND)))
    assert refuse(place) is Reason.DAMAGED


def test_an_array_too_many_is_refused_though_all_else_is_in_order(place):
    """Format 1 has two; whatever else there is only takes time and memory."""
    sent = migrants_of("a", 10).population
    arrays = {"genes": sent.genes, "ancestry": sent.ancestry}
    write_batch(place, with_genomes(arrayfile.encode(arrays, KIND)))
    read(place)
    write_batch(place, with_genomes(arrayfile.encode({**arrays, "x": np.zeros(1, np.float32)}, KIND)))
    assert refuse(place) is Reason.DAMAGED


def raw(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


META = {"__metadata__": {"atoll": "{}"}}
HOSTILE = {
    "nothing": b"",
    "no header": b"\xff" * 8,
    "100 MB header": (100_000_000).to_bytes(8, "little") + b"{}",
    "header too large": raw(b'{"a":"' + b" " * batch.MAX_HEADER_BYTES + b'"}'),
    "depth bomb": raw(b"[" * 60_000),
    "a list": raw([]),
    "no metadata": raw({}),
    "metadata no text": raw({"__metadata__": {"atoll": 1}}),
    "metadata half a character": raw(b'{"__metadata__":{"atoll":"\\ud800"}}'),
    "metadata a list": raw({"__metadata__": {"atoll": "[]"}}),
    "metadata endless": raw({"__metadata__": {"atoll": '{"x":1e999}'}}),
    "tensor no object": raw({**META, "genes": 1}),
    "type is a list": raw({**META, "genes": {"dtype": [], "shape": [1], "data_offsets": [0, 4]}}, b"0000"),
    "type is an object": raw({**META, "genes": {"dtype": {}, "shape": [1], "data_offsets": [0, 4]}}, b"0000"),
    "unknown type": raw({**META, "genes": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}, b"0000"),
    "huge shape": raw({**META, "genes": {"dtype": "F32", "shape": [2**40, 2**12], "data_offsets": [0, 4]}}, b"0000"),
    "huge empty shape": raw({**META, "genes": {"dtype": "F32", "shape": [0, 2**53], "data_offsets": [0, 0]}}),
    "negative shape": raw({**META, "genes": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"0000"),
    "true shape": raw({**META, "genes": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, b"0000"),
    "rank 5": raw({**META, "genes": {"dtype": "F32", "shape": [1] * 5, "data_offsets": [0, 4]}}, b"0000"),
    "no offsets": raw({**META, "genes": {"dtype": "F32", "shape": [1]}}, b"0000"),
    "offsets beyond the end": raw({**META, "genes": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"0000"),
    "offsets overlap": raw(
        {**META, **{n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in ("genes", "ancestry")}}, b"0000"
    ),
    "a hole": raw({**META, "genes": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"00000000"),
    "no checksum": raw({**META, "genes": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"0000"),
    "an empty tensor": raw({**META, "genes": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}),
    "900 tensors": raw(
        {**META, **{str(i): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(900)}}
    ),
    "a pickle": b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00cos\nsystem\n",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_genome_file_with_a_valid_manifest_is_refused(place, data):
    write_batch(place, with_genomes(data))
    assert refuse(place) is Reason.DAMAGED


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-2, 2**60), st.floats(), st.text(max_size=4))
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v), max_leaves=6)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "dtype": VALUES | st.sampled_from(["F32", "U16"]),
        "shape": VALUES | st.lists(st.integers(-1, 4), max_size=5),
        "data_offsets": VALUES | st.lists(st.integers(-1, 20), max_size=3),
    },
)
HEADERS = st.dictionaries(st.sampled_from(["genes", "ancestry", "x"]), TENSORS | VALUES)


@given(HEADERS, VALUES | VALUES.map(json.dumps), st.binary(max_size=24))
def test_any_header_is_refused_and_raises_nothing_else(tmp_path_factory, header, metadata, data):
    place = tmp_path_factory.mktemp("pool") / "a" / "gen-10"
    write_batch(place, with_genomes(raw({**header, "__metadata__": {"atoll": metadata}}, data)))
    assert refuse(place) is Reason.DAMAGED


def test_a_batch_of_no_one_cannot_be_written_as_one(place):
    """Zero genomes are no batch: nobody publishes them, and a reader refuses them."""
    empty = Migrants(
        Population(np.zeros((0, 6), np.float32), np.zeros((0, 6), np.uint16), ("a",)), np.zeros(0, np.float32), ()
    )
    write_batch(place, batch.pack(publisher("a"), 10, empty)[1])
    assert refuse(place) is Reason.DAMAGED


# What can be known before anything is evaluated


@given(migrants=st.integers(1, 64), genes=st.integers(1, 20_000))
def test_the_size_of_a_batch_is_known_before_it_is_made(migrants, genes):
    shape = (migrants, genes)
    islands = tuple(map(str, range(3)))
    leaving = Migrants(
        Population(np.zeros(shape, np.float32), np.full(shape, 2, np.uint16), islands),
        np.zeros(migrants, np.float32),
        tuple(f"a:10:{i}" for i in range(migrants)),
    )
    _, files = batch.pack(publisher("a"), 10, leaving)
    assert batch.genomes_bytes(migrants, genes) == len(files[GENOMES])


@pytest.mark.parametrize(("migrants", "genes"), [(64, 60_000), (5, 600_000), (2, 2_000_000)])
def test_who_would_publish_too_much_is_told_the_most_that_others_read(migrants, genes):
    with pytest.raises(ConfigError, match="--migrants") as refused:
        batch.check_importable(migrants, genes)
    most = int(re.search(r"--migrants (\d+)", str(refused.value))[1])
    assert batch.genomes_bytes(most, genes) <= batch.MAX_GENOME_FILE_BYTES < batch.genomes_bytes(most + 1, genes)
    batch.check_importable(most, genes)


def test_where_not_even_one_could_migrate_the_advice_is_to_stay_alone():
    with pytest.raises(ConfigError, match="--topology none"):
        batch.check_importable(5, 3_000_000)


def test_the_longest_names_and_numbers_of_a_manifest_and_a_header_are_within_their_limits(place):
    """So the genomes alone decide whether a batch can be imported."""
    ancestors = tuple(f"{i:064}" for i in range(untrusted.MAX_ISLANDS))
    name, generation, n = "i" * 64, 10**9, batch.MAX_GENOMES
    spec = GenomeSpec((Segment("x", 2000, -1.0, 1.0),))
    genes = np.zeros((n, spec.size), np.float32)
    painted = (np.arange(genes.size) % len(ancestors)).reshape(genes.shape).astype(np.uint16)
    leaving = Migrants(
        Population(genes, painted, ancestors),
        np.full(n, -np.float32(batch.MAX_FITNESS)),
        tuple(f"{name}:{generation}:{999_999 - i}" for i in range(n)),
    )
    _, files = batch.pack(publisher(name, epoch=2**53, nonce="n" * 32, spec=spec), generation, leaving)
    write_batch(place, files)
    assert len(read(place, spec=spec, island=name, generation=generation).migrants) == n
