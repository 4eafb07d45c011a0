from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from atoll.evo.paths import SharedPaths
from atoll.migration.observe.status import IslandStatus
from atoll.scripts.view import table

ROW = IslandStatus(
    name="island-01",
    condition="running",
    waiting_for=(),
    generation=12,
    target=150,
    best=123.456,
    median=-1.5,
    champion=130.0,
    diversity=0.2,
    population=9,
    ancestry={"island-01": 0.5, "island-02": 0.5},
    origins=2.0,
    exports=5,
    imports=4,
    refused=0,
    last_export=10,
    last_import=10,
    rate_per_s=0.5,
    epoch=1,
    host="here",
    pid=1,
    threads=1,
    memory_mb=55.5,
    champion_path="/c",
)


def drawn(rows: list[IslandStatus], width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(table.as_rich(rows, width=width))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@given(st.integers(40, 200))
def test_a_terminal_of_any_width_shows_whole_words(width: int) -> None:
    lines = drawn([ROW, replace(ROW, name="island-02")], width)
    assert len(lines) == 3
    assert not any("…" in line for line in lines)
    assert [line.split()[:3] for line in lines[1:]] == [
        [name, "running", "12/150"] for name in ("island-01", "island-02")
    ]


@given(st.integers(1, 300), st.integers(1, 64))
def test_where_little_fits_a_name_alone_is_cut(width: int, length: int) -> None:
    lines = drawn([ROW, replace(ROW, name="x" * length)], width)
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    whole = {*table.HEADER, *table.cells(ROW), "x" * length}
    if width >= max(length, len(ROW.name)):
        assert {word for line in lines for word in line.split()} <= whole
        assert [line.split()[0] for line in lines[1:]] == [ROW.name, "x" * length]
    else:
        assert [line.split()[1:] for line in lines] == [[], [], []]


def test_a_wide_terminal_shows_what_a_pipe_gets() -> None:
    rows = [ROW, replace(ROW, name="island-02", threads=None, memory_mb=None, best=None)]
    assert [line.split() for line in drawn(rows, 200)] == [line.split() for line in table.as_text(rows).splitlines()]


def test_a_name_is_text_and_never_markup() -> None:
    assert "[bold]x" in drawn([replace(ROW, name="[bold]x")], 200)[1]


def test_champions_come_best_first() -> None:
    rows = [
        replace(ROW, name="b", champion=1.0),
        replace(ROW, name="a", champion=2.0),
        replace(ROW, champion_path=None),
    ]
    assert table.champions(rows).splitlines() == ["champion of a: 2  /c", "champion of b: 1  /c"]


def test_eighty_columns_show_the_origins() -> None:
    header = drawn([ROW, replace(ROW, name="island-02", exports=1000, imports=1000)], 80)[0].split()
    assert {"island", "state", "gen", "best", "origins", "imports"} <= set(header)


def test_islands_are_pooled_by_their_sizes_and_the_largest_share_is_named() -> None:
    rows = [ROW, replace(ROW, name="island-02", population=27, ancestry={"island-02": 1.0})]
    assert table.origins(rows) == "genes of 2 ancestors, as diverse as 1.28 equal ones; 88% of island-02"
    assert table.origins([replace(ROW, ancestry={})]) == ""
    assert "genes of 1 ancestor," in table.origins([replace(ROW, ancestry={"island-01": 1.0})])


@pytest.mark.parametrize(
    ("n", "spelled"), [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (113, "113th")]
)
def test_a_place_in_an_order_is_spelled_as_people_do(n, spelled):
    assert table.nth(n) == spelled


def test_what_has_no_column_is_told_in_a_line(capsys, tmp_path):
    rows = [
        replace(ROW, name="a", generation=188, target=50),
        replace(ROW, name="b", last_source="a:10", last_source_times=3),
        replace(ROW, name="c", condition="unreadable", unreadable="c/log.jsonl: Permission denied"),
        ROW,
    ]
    table.show_all(rows, SharedPaths(tmp_path), with_champions=False)
    assert capsys.readouterr().out.splitlines()[-4:-1] == [
        "c may not be read: c/log.jsonl: Permission denied",
        "a was already at generation 188, beyond 50",
        "b took from a:10 again, for the 3rd time",
    ]
