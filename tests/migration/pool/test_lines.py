"""Laws of reading lines: each with its place, of bounded length, from a plain file alone."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.migration.pool import lines
from atoll.migration.pool.bounded_io import RefusedError, VanishedError
from atoll.migration.pool.lines import finite_number, is_torn, parse_records, read_lines, unix_s, whole_number


@given(st.lists(st.binary(max_size=9).map(lambda text: text.replace(b"\n", b" ")), max_size=6), st.booleans())
def test_the_lines_are_the_file_and_each_is_where_it_says(tmp_path_factory, texts, is_whole):
    path = tmp_path_factory.mktemp("log") / "log"
    data = b"".join(text + b"\n" for text in texts)
    data = data if is_whole else data[:-1]
    path.write_bytes(data)
    found = list(read_lines(path))
    assert b"".join(line for _, line in found) == data
    assert all(data[start:].startswith(line) for start, line in found)
    assert [is_torn(line) for _, line in found[-1:]] in ([], [not data.endswith(b"\n")])


def test_an_endless_line_comes_in_pieces_that_are_not_torn(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 4)
    (tmp_path / "log").write_bytes(b"123456789\nab")
    found = list(read_lines(tmp_path / "log"))
    assert found == [(0, b"1234"), (4, b"5678"), (8, b"9\n"), (10, b"ab")]
    assert [is_torn(line) for _, line in found] == [False, False, False, True]


def test_only_a_plain_file_is_read_and_nothing_waits(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(RefusedError):
            list(read_lines(tmp_path / name))
    with pytest.raises(VanishedError):
        list(read_lines(tmp_path / "gone"))


@pytest.mark.parametrize("value", ["1", None, True, [1], {"a": 1}, float("nan"), float("inf"), 10**400])
def test_what_is_no_number_is_none(value):
    assert finite_number(value) is whole_number(value) is None
    assert unix_s({"time": value}) is unix_s({"time": {"unix_s": value}}) is unix_s({}) is None


def test_a_record_has_a_kind_and_a_generation_and_all_else_is_counted():
    strange = ["-1", "true", "1.0", "null", "1" * 400]
    lines_ = [f'{{"kind":"a","generation":{text}}}\n'.encode() for text in ("7", *strange)]
    lines_ += [b'{"generation":1}\n', b"[]\n", b"nonsense\n", b"\xff\n", b"[" * 30_000]
    assert parse_records(lines_) == ([{"kind": "a", "generation": 7}], len(lines_) - 1)


def test_what_is_a_number_stays_what_it_is():
    assert (finite_number(-2), finite_number(0.5), whole_number(7), unix_s({"time": {"unix_s": 9}})) == (-2, 0.5, 7, 9)
    assert whole_number(-1) is whole_number(2**53 + 1) is whole_number(1.0) is None
