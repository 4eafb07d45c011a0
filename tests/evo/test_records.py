"""Laws of records: what is written is read back, and whatever else a line holds costs no more than what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import strict_json
from atoll.evo.records import (
    KINDS,
    Alone,
    Generation,
    Imported,
    Mended,
    NoBeat,
    Other,
    Pruned,
    Published,
    Record,
    Refused,
    Start,
    Time,
    Unmended,
    Unpruned,
    Unpublished,
    Waiting,
    from_json,
    named,
    of_kind,
    parse,
    to_json,
)

MIGRANT = {"id": "b:1:0", "source": "b", "source_generation": 5, "fitness_there": 1.5, "fitness_here": 0.123456789}
TEXTS = {
    Start(generation=3, epoch=2): "epoch 2 starts here",
    Published(generation=3, ids=("a", "b"), best=1 / 3): "published 2 genomes, best 0.333333",
    Published(generation=3, ids=("a",), best=1.0): "published 1 genome, best 1",
    Imported(generation=3, **MIGRANT): "imported b:1:0 from b gen 5: 1.5 there, 0.123457 here",
    Imported(generation=3, again=True, **MIGRANT): "imported b:1:0 from b gen 5, again: 1.5 there, 0.123457 here",
    Refused(generation=3, reason="not better", **MIGRANT): (
        "refused b:1:0 from b gen 5: 1.5 there, 0.123457 here, not better"
    ),
    Refused(generation=3, source="b", source_generation=5, reason="damaged", detail="a byte"): (
        "refused b gen 5, damaged: a byte"
    ),
    Refused(generation=3, source="b", source_generation=5, reason="damaged"): "refused b gen 5, damaged",
    Alone(generation=3, peers=0): "nothing to import from 0 other islands; evolving alone",
    Waiting(generation=3, waiting_for=("b", "c")): "waiting for b, c gen-3",
    Unpublished(generation=3, error="no space"): "could not publish: no space",
    NoBeat(generation=3, error="no space"): "could not write the beat: no space",
    Unpruned(generation=3, error="no space"): "could not prune: no space",
    Pruned(generation=3, generations=(2, 1)): "pruned 2 old publications",
    Mended(generation=3, reason="damaged", detail="a byte"): "moved our gen-3 away, damaged: a byte",
    Unmended(generation=3, generations=(3, 1), reason="unreadable", detail="closed"): (
        "left 2 publications of ours alone, unreadable: gen-3, closed"
    ),
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
FIELDS = sorted({name for kind in KINDS.values() for name in kind.__struct_fields__} - {"generation"})


@pytest.mark.parametrize("record", TEXTS, ids=lambda record: type(record).__name__)
def test_each_kind_is_read_back_as_it_was_written_and_has_one_text(record: Record):
    assert parse(strict_json.encode(to_json(record))) == record
    assert str(record) == TEXTS[record]


def test_every_kind_of_event_has_a_text_of_its_own():
    assert {type(record) for record in TEXTS} == set(KINDS.values()) - {Generation}


def test_what_is_not_known_is_not_written():
    assert to_json(Generation(generation=1, best=0.0, time=Time(unix_s=2.0))) == {
        "kind": "generation",
        "generation": 1,
        "best": 0.0,
        "time": {"unix_s": 2.0},
    }


@given(st.sampled_from([*KINDS, "of a newer version"]), st.dictionaries(st.sampled_from([*FIELDS, "new"]), VALUES))
def test_whatever_stands_in_its_fields_a_line_with_a_kind_and_a_generation_is_a_record(kind, fields):
    record = from_json({"kind": kind, "generation": 7, **fields})
    assert type(record) is KINDS.get(kind, Other)
    assert record.generation == 7
    assert isinstance(str(record), str)


@pytest.mark.parametrize("raw", [None, 3, [], {}, {"kind": 1, "generation": 2}, {"kind": "start"}, {"generation": 1}])
@pytest.mark.parametrize("kind", [None, "start", "imported", "of a newer version"])
@pytest.mark.parametrize("generation", ["1", None, True, 1.0, -1, 2**53 + 1, [1], float("nan")])
def test_what_has_no_kind_or_no_generation_is_no_record(raw, kind, generation):
    assert from_json(raw) is None
    assert from_json({"kind": kind, "generation": generation}) is None


@pytest.mark.parametrize("value", ["1", None, True, [1], {"a": 1}, float("nan"), float("inf"), 10**400])
def test_what_is_no_number_is_not_known_and_the_rest_is(value):
    line = {"kind": "generation", "generation": 1, "best": value, "exports": value, "median": 0.5}
    assert from_json(line) == Generation(generation=1, median=0.5)
    for time in (value, {"unix_s": value}, {}):
        assert from_json({**line, "time": time}).unix_s is None


def test_what_is_a_number_stays_what_it_is():
    line = {"kind": "generation", "generation": 2**53, "best": -2, "exports": 7, "time": {"unix_s": 9}}
    record = of_kind(line, Generation)
    assert (record.generation, record.best, record.exports, record.unix_s) == (2**53, -2.0, 7, 9.0)
    assert of_kind(line, Start) is None
    assert of_kind({**line, "exports": -1}, Generation).exports is None


def test_a_share_that_is_none_costs_the_others_nothing():
    line = {"kind": "generation", "generation": 1, "ancestry": {"a": 0.5, "b": "x", "c": 2.0, "d": -0.5}}
    assert from_json(line).ancestry == {"a": 0.5}


def test_a_kind_that_is_not_known_says_all_that_it_holds():
    record = parse(b'{"kind":"moved","generation":3,"island":"a","time":{"unix_s":1},"to":"b"}')
    assert record == Other(generation=3, island="a", time=Time(unix_s=1.0), name="moved", details={"to": "b"})
    assert str(record) == 'moved {"to": "b"}'
    assert str(parse(b'{"kind":"moved","generation":3}')) == "moved"


@pytest.mark.parametrize("line", [b"", b"nonsense", b"\xff", b"[" * 30_000, b'{"kind":"start","gen', b'"start"'])
def test_a_line_that_is_no_record_is_none(line):
    assert parse(line) is None


def test_of_many_islands_the_first_are_named():
    assert named("abcd") == "a, b, c, d"
    assert named("abcdefg") == "a, b, c, d and 3 more"


def test_half_a_character_is_text_like_any_other():
    [record] = [parse(json.dumps({"kind": "no-beat", "generation": 1, "error": "\udcff"}).encode())]
    assert record == NoBeat(generation=1, error="\udcff")
    assert parse(strict_json.encode(to_json(record))) == record


def test_texts_and_numbers_may_be_of_kinds_that_numpy_has():
    record = Published(generation=3, island=np.str_("a"), ids=(np.str_("x"),), best=np.float64(0.5))
    assert parse(strict_json.encode(to_json(record))) == Published(generation=3, island="a", ids=("x",), best=0.5)
