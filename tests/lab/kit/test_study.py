"""A study has a plan, a row for each call, and a table; all else is the same for every study."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from atoll.evo import runlog
from atoll.evo.errors import AtollError
from atoll.scripts.lab.kit.study import chosen, command, in_order, plain_table, seed_options, write_rows

if TYPE_CHECKING:
    from pathlib import Path


def square(n: int) -> dict[str, int]:
    return {"n": n, "square": n * n}


def late(n: int) -> int:
    time.sleep(0.2 if n == 0 else 0)
    return n


def die() -> None:
    os._exit(3)


def table(rows: list[dict]) -> str:
    return f"squares: {[row['square'] for row in rows]}"


@command(line=lambda row: f"{row['n']} done", table=table, out="bench/squares.jsonl")
@click.option("--power", default=2)
@seed_options(3, first=5, what="Numbers.")
def squares(*, seeds: range, power: int) -> list[partial[dict[str, int]]]:
    """Square numbers."""
    assert power == 2
    return [partial(square, n) for n in seeds]


def call(*arguments: object) -> str:
    ended = CliRunner().invoke(squares, [str(each) for each in arguments], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.output


def test_every_call_is_a_row_and_the_table_is_made_of_the_rows_that_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "new" / "rows.jsonl"
    assert call("--out", out, "--seeds", 2, "--first-seed", 3) == "3 done\n4 done\nsquares: [9, 16]\n"
    assert all(row["commit"] and row["cpu"] for row in runlog.read(out))
    assert call("--table", out) == "squares: [9, 16]\n"
    assert len(runlog.read(out)) == 2


def test_help_names_the_defaults() -> None:
    said = call("--help")
    assert "Square numbers." in said
    assert "[default: 5]" in said
    assert "bench/squares.jsonl" in said


@pytest.mark.slow
def test_rows_stand_in_the_order_of_the_calls_whoever_of_the_workers_is_faster() -> None:
    assert list(in_order([partial(late, n) for n in range(4)], workers=2)) == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_worker_that_dies_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(AtollError, match=r"a worker died.*run the same command again"):
        list(in_order([die, die], workers=2))


def test_what_was_measured_before_a_failure_is_there_after_it(tmp_path: Path) -> None:
    rows = (square(n) if n < 2 else {}["no such row"] for n in range(3))
    with pytest.raises(KeyError):
        write_rows(rows, tmp_path / "rows.jsonl", line=str)
    assert [row["square"] for row in runlog.read(tmp_path / "rows.jsonl")] == [0, 1]


def test_a_last_line_that_was_cut_off_goes_before_others_are_written(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    out.write_bytes(b'{"n":1,"square":1}\n{"n":2,"squ')
    write_rows([square(2)], out, line=str)
    assert [row["n"] for row in runlog.read(out)] == [1, 2]


def test_no_name_is_all_and_an_unknown_one_is_refused_with_those_there_are() -> None:
    assert chosen((), "abc", kind="letter") == ["a", "b", "c"]
    assert chosen(("c", "a"), "abc", kind="letter") == ["a", "c"]
    with pytest.raises(click.UsageError, match="no letter is called d; known are: a, b, c"):
        chosen(("d",), "abc", kind="letter")
    with pytest.raises(click.UsageError, match="known are: a, 1; b, 2"):
        chosen(("d",), ("a, 1", "b, 2"), kind="variant")


def test_a_plain_table_has_its_headings_even_without_lines() -> None:
    assert plain_table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert plain_table(("a",), []) == "| a |\n| --- |"
