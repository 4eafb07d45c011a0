"""Laws of manifests: what is written comes back; whatever else there is, is refused and nothing more."""

from __future__ import annotations

import contextlib
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from atoll.evo.paths import MANIFEST
from atoll.migration.pool.batch import GenomeEntry, Manifest, parse_manifest
from atoll.migration.pool.bounded_io import Reason, RefusedError
from tests.migration.archipelago import packed, publisher

TEXTS = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), max_size=40)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,10}", fullmatch=True).filter(lambda name: name.lower() != "locks")
COUNTS = st.integers(0, 2**53)
FITNESS = st.floats(width=32, allow_nan=False, allow_infinity=False)
MANIFESTS = st.builds(
    Manifest,
    run_id=TEXTS,
    genome_sha256=TEXTS,
    island=NAMES,
    generation=COUNTS,
    epoch=COUNTS,
    nonce=TEXTS,
    islands=st.lists(NAMES, unique=True, max_size=5).map(tuple),
    genomes=st.lists(st.builds(GenomeEntry, TEXTS, TEXTS, FITNESS), min_size=1, max_size=5).map(tuple),
    file_bytes=COUNTS,
    file_sha256=TEXTS,
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))
GOOD = json.loads(packed("a", 1)[MANIFEST])
FIELDS = [*GOOD, "genomes[0].id", "genomes[0].sha256", "genomes[0].fitness", "file.bytes", "file.sha256", "file.name"]


def digest(document):
    return hashlib.sha256(canonical(document)).hexdigest()


def canonical(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def resigned(document):
    """Encode a document with right hashes of itself, as a liar who knows the format would."""
    content = {name: document[name] for name in document if name not in {"content_sha256", "body_sha256"}}
    content_sha256 = digest({name: content[name] for name in content if name not in {"epoch", "nonce"}})
    body = {**content, "content_sha256": content_sha256}
    return canonical({**body, "body_sha256": digest(body)})


def with_field(field, value):
    document = json.loads(json.dumps(GOOD))
    place, _, inner = field.partition(".")
    target = {"genomes[0]": document["genomes"][0], "file": document["file"]}[place] if inner else document
    target[inner or place] = value
    return document


def refuse(data):
    with pytest.raises(RefusedError) as refused:
        parse_manifest(data)
    return refused.value


@given(MANIFESTS)
def test_what_is_written_comes_back(manifest):
    assert parse_manifest(manifest.encode()) == manifest


@given(MANIFESTS, COUNTS, TEXTS)
def test_the_content_is_the_same_whichever_start_published_it(manifest, epoch, nonce):
    again = replace(manifest, epoch=epoch, nonce=nonce)
    assert again.content_sha256 == manifest.content_sha256


@given(MANIFESTS, MANIFESTS)
def test_other_content_has_another_hash(manifest, other):
    same = replace(other, epoch=manifest.epoch, nonce=manifest.nonce) == manifest
    assert (manifest.content_sha256 == other.content_sha256) == same


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_raise_nothing_else(data):
    refuse(data)


@given(JSON)
def test_any_json_is_refused_and_raises_nothing_else(value):
    refuse(json.dumps(value).encode())


@pytest.mark.slow
@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=30)
@given(value=JSON)
def test_any_value_in_any_field_is_refused_or_read_back_as_it_stands(field, value):
    """Even with every hash right: a liar can sign, but only a well-formed manifest gets through."""
    data = resigned(with_field(field, value))
    with contextlib.suppress(RefusedError):
        assert parse_manifest(data).encode() == data


def test_every_truncation_is_refused():
    data = packed("a", 1)[MANIFEST]
    for n in range(len(data)):
        refuse(data[:n])


def test_every_changed_byte_is_refused():
    """Bits of every byte flipped, 2,000 draws: canonical JSON leaves no room for a change without meaning."""
    data = packed("a", 1)[MANIFEST]
    rng = np.random.default_rng(5)
    for place in [*range(len(data)), *rng.integers(len(data), size=2000)]:
        mutant = bytearray(data)
        mutant[place] ^= int(rng.integers(1, 256))
        refuse(bytes(mutant))


HOSTILE = {
    "depth bomb": b"[" * 100_000,
    "object bomb": b'{"a":' * 50_000,
    "5,000 digits": b'{"format":' + b"9" * 5000 + b"}",
    "key twice": b'{"format":1,"format":1}',
    "NaN": b'{"format":NaN}',
    "Infinity": b'{"format":-Infinity}',
    "not UTF-8": b'{"format":"\xff\xfe"}',
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "list": b"[]",
    "text": b'"body_sha256"',
    "empty": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_is_damage(data):
    assert refuse(data).reason is Reason.DAMAGED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("extra", 1),
        ("extra", [[[[[[[[[[1]]]]]]]]]]),
        ("format", 2),
        ("format", "1"),
        ("island", "../x"),
        ("island", "locks"),
        ("island", "a/b"),
        ("islands", ["a", "a"]),
        ("islands", [f"i{n}" for n in range(1025)]),
        ("genomes", []),
        ("genomes", GOOD["genomes"] * 30),
        ("generation", True),
        ("generation", -1),
        ("generation", 1.5),
        ("generation", 2**53 + 1),
        ("genomes[0].id", "x" * 129),
        ("genomes[0].id", "\x1b[31mred"),
        ("genomes[0].fitness", "1"),
        ("genomes[0].fitness", 1e39),
        ("file.name", "../../x"),
        ("file.bytes", None),
    ],
)
def test_a_signed_lie_is_refused(field, value):
    """Among them a fitness that float32 cannot hold: it would become infinite on its way into our ledger."""
    refuse(resigned(with_field(field, value)))


def test_a_manifest_that_is_nested_deeper_than_it_need_be_is_refused():
    assert refuse(resigned(with_field("extra", [[[1]]]))).detail == "the manifest does not match its checksum"
    assert "nested more than 4 deep" in refuse(resigned(with_field("extra", [[[[1]]]]))).detail


def test_a_refusal_names_the_file_and_the_byte():
    data = packed("a", 1)[MANIFEST]
    for wrong, byte in ((data[:-1], len(data) - 1), (b"x", 0), (data + b" ", None)):
        assert (refuse(wrong).name, refuse(wrong).byte) == (MANIFEST, byte)


def test_what_is_resigned_without_a_lie_is_accepted():
    assert resigned(GOOD) == packed("a", 1)[MANIFEST]


@pytest.mark.parametrize("field", ["content_sha256", "body_sha256"])
def test_each_hash_must_agree(field):
    refuse(canonical(with_field(field, "0" * 64)))


def test_only_the_canonical_spelling_is_accepted():
    refuse(json.dumps(GOOD).encode())
    refuse(packed("a", 1)[MANIFEST] + b"\n")


def test_a_number_that_only_overflows_when_parsed_is_refused():
    """1e999 is a number to a JSON grammar and infinity to Python; no canonical encoding of it exists."""
    data = packed("a", 1)[MANIFEST]
    refuse(data.replace(b'{"', b'{"a":1e999,"', 1))


def test_the_publisher_is_quoted():
    manifest = parse_manifest(packed("a", 1, by=publisher("a", 4, nonce="secret"))[MANIFEST])
    assert (manifest.island, manifest.generation, manifest.epoch, manifest.nonce) == ("a", 1, 4, "secret")
