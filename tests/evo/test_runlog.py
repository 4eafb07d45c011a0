"""A log is read whole; only the last line may be torn, and what was lived again counts once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import atomic, runlog, strict_json
from atoll.evo.errors import DamagedFileError
from atoll.evo.records import KINDS, Start


def start(epoch, generation):
    return {"kind": "start", "epoch": epoch, "generation": generation}


def line(epoch, generation):
    return {"kind": "generation", "epoch": epoch, "generation": generation}


@st.composite
def lives(draw):
    """Return the records of an island that was killed and restarted: each start goes on from what was lived."""
    records, reached = [], 0
    for epoch in range(1, draw(st.integers(1, 5)) + 1):
        begin = draw(st.integers(0, reached))
        records.append(start(epoch, begin))
        lived = draw(st.integers(0, 6))
        records += [line(epoch, g) for g in range(begin, begin + lived)]
        reached = max(begin + lived - 1, begin)
    return records


def write(path, records):
    path.write_bytes(b"".join(strict_json.encode(record) + b"\n" for record in records))


@given(st.lists(st.dictionaries(st.text("abc"), st.integers(-9, 9) | st.text(max_size=9)), max_size=8))
def test_what_is_appended_is_read_back(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    for record in records:
        runlog.append(path, record)
    assert runlog.read(path) == records


def test_a_log_that_is_not_there_is_empty(tmp_path):
    assert runlog.read(tmp_path / "none") == []
    assert runlog.read_last(tmp_path / "none") == {}


def test_wherever_a_crash_tears_the_last_line_the_rest_is_read_and_the_next_line_stands_alone(tmp_path):
    path = tmp_path / "log.jsonl"
    write(path, [start(1, 0), line(1, 0), line(1, 1)])
    whole = path.read_bytes()
    keep = whole.rindex(b"\n", 0, -1) + 1
    for end in range(keep, len(whole)):
        path.write_bytes(whole[:end])
        assert runlog.read(path) == [start(1, 0), line(1, 0)]
        assert runlog.read_last(path) == {"start": start(1, 0), "generation": line(1, 0)}
        atomic.truncate_torn_line(path)
        runlog.append(path, start(2, 1))
        assert runlog.read(path) == [start(1, 0), line(1, 0), start(2, 1)]


@pytest.mark.parametrize("torn", [b'{"kind":"gen', b"", b"[]", b"3", b'{"a":1,"a":1}', b'{"a":NaN}', b"\xff"])
def test_a_torn_line_in_the_middle_is_refused_by_its_number(tmp_path, torn):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a":1}\n' + torn + b'\n{"a":2}\n')
    with pytest.raises(DamagedFileError, match=r"log\.jsonl, line 2: "):
        runlog.read(path)


@given(lives())
def test_every_generation_counts_once_as_the_last_start_to_reach_it_lived_it(records):
    kept = runlog.current(records)
    starts = [record for record in records if record["kind"] == "start"]
    assert [record for record in kept if record["kind"] == "start"] == starts[-1:]
    generations = [record["generation"] for record in kept if record["kind"] == "generation"]
    assert generations == sorted(set(generations))
    for record in kept:
        later = starts[record["epoch"] :]
        assert all(record["generation"] < other["generation"] for other in later)
    lost = [record for record in records if record["kind"] == "generation" and record not in kept]
    for record in lost:
        assert any(record["generation"] >= other["generation"] for other in starts[record["epoch"] :])


@given(lives())
def test_reading_the_end_agrees_with_reading_all(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    write(path, records)
    last = runlog.read_last(path)
    kept = runlog.current(runlog.read(path))
    assert last["start"] == next(record for record in kept if record["kind"] == "start")
    if "generation" in last:
        assert last["generation"] == kept[-1]
    else:
        assert kept[-1]["kind"] == "start"


@pytest.mark.parametrize("shift", range(40))
def test_a_long_log_is_read_from_its_end(tmp_path, monkeypatch, shift):
    path = tmp_path / "log.jsonl"
    write(path, [start(1, 0), *(line(1, g) for g in range(50))])
    monkeypatch.setattr(runlog, "TAIL_BYTES", 100 + shift)
    assert runlog.read_last(path) == {"generation": line(1, 49)}


def test_every_start_is_found_however_long_ago_it_was(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    assert runlog.read_starts(path) == []
    lived = [start(1, 0), *(line(1, g) for g in range(50)), start(2, 40), *(line(2, g) for g in range(41, 90))]
    write(path, [*lived, {"kind": "refused", "detail": {"kind": "start"}}])
    path.write_bytes(path.read_bytes() + b'{"kind":"start","epo')
    monkeypatch.setattr(runlog, "TAIL_BYTES", 100)
    assert runlog.read_starts(path) == [Start(epoch=1, generation=0), Start(epoch=2, generation=40)]


def test_the_end_is_read_past_lines_that_are_not_records(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(strict_json.encode(line(1, 3)) + b'\nnonsense\n[]\n{"kind":7}\n{"kind":"gen')
    assert runlog.read_last(path) == {"generation": line(1, 3)}


def test_a_line_that_is_nested_too_deeply_is_no_record(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(strict_json.encode(line(1, 3)) + b"\n" + b"[" * 30_000 + b"\n")
    assert runlog.read_last(path) == {"generation": line(1, 3)}


@pytest.mark.parametrize("width", [10, runlog.TAIL_BYTES - 200, runlog.TAIL_BYTES, 5 * runlog.TAIL_BYTES])
def test_the_last_line_is_found_however_long_it_is(tmp_path, width):
    path = tmp_path / "log.jsonl"
    for generation in range(3):
        runlog.append(path, {"kind": "generation", "generation": generation, "filling": "x" * width})
    assert runlog.read_last(path)["generation"]["generation"] == 2


@given(st.lists(st.tuples(st.sampled_from(["start", "generation", "published"]), st.integers(0, 9)), max_size=20))
def test_the_last_of_each_kind_is_what_reading_everything_forwards_would_find(tmp_path_factory, kinds):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    expected = {}
    for kind, generation in kinds:
        record = {"kind": kind, "generation": generation, "settings": {"kind": "generation"} if generation % 2 else {}}
        runlog.append(path, record)
        expected = {kind: record} if kind == "start" else {**expected, kind: record}
    assert runlog.read_last(path) == expected
    assert [type(record) for record in runlog.read_tail(path)] == [KINDS[kind] for kind, _ in kinds]
