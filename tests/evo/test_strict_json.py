"""JSON from a stranger is either a plain value or a DamagedFileError."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import strict_json
from atoll.evo.errors import DamagedFileError

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=20
).filter(lambda value: depth(value) <= strict_json.MAX_DEPTH)


def depth(value):
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if children is None else 1 + max(map(depth, children), default=0)


def nested(n, opening=b"[", closing=b"]"):
    return opening * n + closing * n


@given(values)
def test_what_is_written_is_read_back(value):
    assert strict_json.parse(strict_json.encode(value)) == value


@given(st.dictionaries(names, scalars))
def test_equal_values_have_equal_bytes_whatever_their_order(value):
    backwards = dict(reversed(value.items()))
    assert strict_json.encode(value) == strict_json.encode(backwards)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_parse_or_are_refused(data):
    with contextlib.suppress(DamagedFileError):
        strict_json.parse(data)


@given(values, st.data())
def test_a_changed_byte_gives_a_writable_value_or_is_refused(value, data):
    text = bytearray(strict_json.encode(value))
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DamagedFileError):
        strict_json.encode(strict_json.parse(bytes(text)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{} {}",
        b'{"a":1,"a":1}',
        b'{"b":[{"a":1,"a":2}]}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b'{"a":-1e400}',
        b"9007199254740993",
        b"-9007199254740993",
        b"9" * 100_000,
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b'["\xed\xa0\x80"]',
        b'"\xff"',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        nested(strict_json.MAX_DEPTH + 1),
        nested(strict_json.MAX_DEPTH + 1, b'{"a":', b"}").replace(b":}", b":0}"),
        nested(100_000),
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda data: repr(data[:24]),
)
def test_is_refused(data):
    with pytest.raises(DamagedFileError):
        strict_json.parse(data)


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**53),
        1.7976931348623157e308,
        5e-324,
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ],
)
def test_the_last_allowed_value_is_allowed(value):
    assert strict_json.parse(json.dumps(value).encode()) == value


def test_the_last_allowed_depth_is_allowed():
    assert depth(strict_json.parse(nested(strict_json.MAX_DEPTH))) == strict_json.MAX_DEPTH


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_what_is_not_a_number_is_not_written(value):
    with pytest.raises(ValueError, match="JSON"):
        strict_json.encode(value)


def test_a_reader_may_allow_less_depth():
    assert strict_json.parse(nested(4), max_depth=4) == [[[[]]]]
    with pytest.raises(DamagedFileError, match="more than 4 deep"):
        strict_json.parse(nested(5), max_depth=4)


@pytest.mark.parametrize(
    ("data", "byte"),
    [(b'{"a":1,}', 7), ('{"é":x}'.encode(), 6), (b'["\xff"]', 2), (b'{"a":1,"a":2}', None), (b"", 0)],
)
def test_a_refusal_says_at_which_byte_where_that_is_known(data, byte):
    with pytest.raises(DamagedFileError) as refused:
        strict_json.parse(data)
    assert refused.value.byte == byte
