"""A file of arrays is what `encode` wrote, or it is refused; nothing else happens to whoever reads it."""

import contextlib
import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from atoll.evo import arrayfile
from atoll.evo.errors import DamagedFileError

dtypes = st.sampled_from([np.dtype(kind) for kind in arrayfile.DTYPES.values()])
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
arrays = st.dictionaries(
    st.sampled_from(["genes", "fitness", "a b", "é"]), st.tuples(dtypes, shapes).flatmap(lambda d: hnp.arrays(*d))
)
metadata = st.dictionaries(st.text("abc", min_size=1), st.integers(-9, 9) | st.text('xyz"\\é') | st.floats(-1, 1))

GENES = np.arange(6, dtype=np.float32).reshape(2, 3)
WHOLE = arrayfile.encode({"genes": GENES}, {"kind": "test", "rate": 1e-05})


def raw(header, body=b""):
    """Return a file of the format's layout with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(body=b"\0\0\0\0", **changes):
    """Return a file of one float32 array [1], parts of its description changed."""
    description = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | changes
    return raw({"__metadata__": {"atoll": "{}"}, "a": description}, body)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@given(arrays, metadata)
def test_what_is_written_is_read_back_and_equal_input_gives_equal_bytes(arrays, metadata):
    data = arrayfile.encode(arrays, metadata)
    got, noted = arrayfile.decode(data)
    assert got.keys() == arrays.keys()
    assert all(same(got[name], array) for name, array in arrays.items())
    assert noted == metadata
    assert arrayfile.encode(got, noted) == data
    assert arrayfile.encode(dict(reversed(arrays.items())), dict(reversed(metadata.items()))) == data


def test_the_layout_in_memory_does_not_show():
    turned = np.asfortranarray(GENES)
    assert arrayfile.encode({"genes": turned}, {"kind": "test", "rate": 1e-05}) == WHOLE


@given(st.binary())
def test_arbitrary_bytes_are_refused(data):
    with pytest.raises(DamagedFileError):
        arrayfile.decode(data)


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_an_arbitrary_header_is_refused(text, body):
    with pytest.raises(DamagedFileError):
        arrayfile.decode(raw(text, body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**60) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@given(st.sampled_from(["dtype", "shape", "data_offsets", "other"]), json_values)
def test_a_hostile_description_is_refused(field, value):
    with pytest.raises(DamagedFileError):
        arrayfile.decode(entry(**{field: value}))


@given(json_values)
def test_hostile_metadata_is_refused(value):
    for outer in (value, {"atoll": value}, {"atoll": json.dumps(value)}):
        with pytest.raises(DamagedFileError):
            arrayfile.decode(raw({"__metadata__": outer}))


@pytest.mark.parametrize(
    "data",
    [
        entry(dtype=[]),
        entry(dtype="I8"),
        entry(dtype="BOOL"),
        entry(b"", shape=[0, 2**53, 2**53], data_offsets=[0, 0]),
        entry(shape=[2**53, 2**53]),
        entry(shape=[1] * 5),
        entry(shape=[-1]),
        entry(shape=[True]),
        entry(shape=[2]),
        entry(data_offsets=[0, 2**52]),
        entry(data_offsets=[4, 0]),
        raw({"__metadata__": {"atoll": "\ud800"}}),
        raw({"__metadata__": {"atoll": '{"a":1e999}'}}),
        raw({"__metadata__": {"atoll": "{}", "other": 3}}),
        raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"\0\0\0\0"),
        raw({}),
        raw([]),
        safetensors.numpy.save({"genes": GENES}),
        safetensors.numpy.save({"genes": GENES}, {"atoll": "{}"}),
        (2**63).to_bytes(8, "little") + b"{}",
        WHOLE + b"\0",
        b"",
    ],
)
def test_is_refused(data):
    with pytest.raises(DamagedFileError):
        arrayfile.decode(data)


@pytest.mark.parametrize("array", [np.zeros((1,) * 5, np.float32), np.zeros(3, np.int8), np.zeros(3, np.bool_)])
def test_an_array_of_no_use_is_refused_though_its_checksum_is_right(array):
    with pytest.raises(DamagedFileError, match=r"no usable shape|allowed are"):
        arrayfile.decode(arrayfile.encode({"a": array}, {}))


def test_no_part_of_a_file_is_a_file():
    for n in range(len(WHOLE)):
        with pytest.raises(DamagedFileError):
            arrayfile.decode(WHOLE[:n])


def test_no_flipped_bit_changes_what_is_read():
    """A few flips leave the meaning alone, such as 1e-05 to 1E-05; all others are noticed."""
    for n in range(8 * len(WHOLE)):
        changed = bytearray(WHOLE)
        changed[n // 8] ^= 1 << n % 8
        with contextlib.suppress(DamagedFileError):
            got, noted = arrayfile.decode(bytes(changed))
            assert same(got["genes"], GENES)
            assert noted == {"kind": "test", "rate": 1e-05}


def test_the_header_may_not_outgrow_its_bound():
    length = int.from_bytes(WHOLE[:8], "little")
    assert arrayfile.decode(WHOLE, max_header_bytes=length)
    with pytest.raises(DamagedFileError, match=f"header of {length} bytes"):
        arrayfile.decode(WHOLE, max_header_bytes=length - 1)


def test_as_many_arrays_as_are_allowed_and_no_more():
    few = {str(i): GENES for i in range(arrayfile.MAX_ARRAYS)}
    assert len(arrayfile.decode(arrayfile.encode(few, {}))[0]) == arrayfile.MAX_ARRAYS
    with pytest.raises(DamagedFileError, match="257 arrays, at most 256"):
        arrayfile.decode(arrayfile.encode({**few, "one more": GENES}, {}))


def described(*offsets, size=8):
    """Return a file of float32 arrays [1] that lie where they are said to."""
    arrays = {f"a{i}": {"dtype": "F32", "shape": [1], "data_offsets": list(each)} for i, each in enumerate(offsets)}
    return raw({"__metadata__": {"atoll": "{}"}, **arrays}, b"\0" * size)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (described((0, 4), (0, 4)), "lies at"),
        (described((0, 4), (4, 8), (4, 8)), "lies at"),
        (described((0, 4), (2, 6)), "lies at"),
        (described((4, 8)), "lies at"),
        (described((0, 8)), "lies at"),
        (described((0, 4), (4, 8), size=9), "the header says"),
        (described((0, 4), (4, 8), size=7), "the header says"),
        (described((0, 4), (4, 8.0)), "no usable place"),
        (described((0, 4, 8)), "no usable place"),
        (described((-4, 0)), "no usable place"),
        (raw(b"[" * 5 + b"]" * 5), "more than 4 deep"),
    ],
)
def test_a_layout_that_is_not_exact_is_refused_before_the_library_sees_it(data, words, monkeypatch):
    monkeypatch.setattr(safetensors, "deserialize", None)
    with pytest.raises(DamagedFileError, match=words):
        arrayfile.decode(data)


@pytest.mark.parametrize(
    ("data", "byte"),
    [
        (WHOLE[:3], 3),
        (WHOLE[:40], 40),
        (WHOLE[:-1], len(WHOLE) - 1),
        (WHOLE + b"\0", len(WHOLE)),
        (b"\xff" * 8, 0),
        (raw(b'{"a":}'), 8 + 5),
    ],
)
def test_a_refusal_says_at_which_byte_where_that_is_known(data, byte):
    with pytest.raises(DamagedFileError) as refused:
        arrayfile.decode(data)
    assert refused.value.byte == byte


@given(
    st.dictionaries(
        st.text("abcxyz_", min_size=1, max_size=12),
        st.tuples(st.lists(st.integers(0, 12), max_size=3).map(tuple), dtypes),
        max_size=6,
    ),
    st.dictionaries(st.text(max_size=8), st.integers(0, 2**53) | st.text(max_size=40), max_size=4),
)
def test_the_size_of_a_file_is_known_before_its_arrays_are_made(shapes, metadata):
    arrays = {name: np.zeros(shape, dtype) for name, (shape, dtype) in shapes.items()}
    assert arrayfile.encoded_size(shapes, metadata) == len(arrayfile.encode(arrays, metadata))
