from __future__ import annotations

from dataclasses import dataclass

import pytest

from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.kit import strict


@dataclass(frozen=True)
class Inner:
    n: int


@dataclass(frozen=True)
class Outer:
    name: str | None
    share: float
    inner: tuple[Inner, ...]
    pairs: tuple[tuple[float, ...], ...]
    words: dict[str, str]


VALUE = Outer(None, 1.0, (Inner(1), Inner(2)), ((1.0, 2.0),), {"a": "b"})


def test_what_is_written_is_read_as_the_same():
    assert strict.from_json(Outer, strict.to_json(VALUE)) == VALUE


def test_a_whole_number_is_read_where_a_number_belongs_but_not_the_other_way_round():
    assert strict.from_json(Outer, strict.to_json(VALUE) | {"share": 2}).share == 2.0
    with pytest.raises(DamagedFileError, match=r"Inner\.n: expected int, got 1\.5"):
        strict.from_json(Inner, {"n": 1.5})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": 1}, r"Outer\.name: expected str, got 1"),
        ({"share": True}, "expected float"),
        ({"share": None}, "expected float"),
        ({"inner": {"n": 1}}, "expected a list"),
        ({"inner": [1]}, "Inner: expected an object"),
        ({"words": []}, "expected dict"),
        ({"more": 1}, r"unknown \['more'\]"),
    ],
)
def test_what_is_of_another_type_is_refused_by_name(change, said):
    with pytest.raises(DamagedFileError, match=said):
        strict.from_json(Outer, strict.to_json(VALUE) | change)


def test_what_is_missing_is_named():
    with pytest.raises(DamagedFileError, match=r"missing fields \['n'\]"):
        strict.from_json(Inner, {})
