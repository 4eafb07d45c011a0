from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.kit import markdown

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = """# By hand

<!-- generated: one -->
old
<!-- end: one -->
between, by hand
<!-- generated: two -->
<!-- end: two -->
at the end, by hand
"""
HAND = st.text().filter(lambda text: "<!--" not in text)


@given(HAND, HAND, HAND)
def test_what_stands_around_blocks_survives_byte_for_byte(before, between, after):
    text = f"{before}<!-- generated: a -->\nx\n<!-- end: a -->{between}<!-- generated: b -->\n<!-- end: b -->{after}"
    filled = markdown.fill(text, {"a": "new", "b": "|t|"})
    parts = markdown.BLOCK.split(filled)
    assert (parts[0], parts[4], parts[8]) == (before, between, after)


@given(HAND)
def test_filling_twice_is_filling_once(body):
    once = markdown.fill(DOCUMENT, {"one": body})
    assert markdown.fill(once, {"one": body}) == once


def test_only_blocks_that_are_named_change_and_an_empty_one_says_so():
    filled = markdown.fill(DOCUMENT, {"two": "", "unknown": "nowhere"})
    assert "old" in filled
    assert markdown.NOT_YET in filled
    assert "nowhere" not in filled


@pytest.mark.parametrize(
    "text",
    [
        "<!-- generated: a -->\nx",
        "<!-- generated: a -->\nx\n<!-- end: b -->",
        "x <!-- end: a -->",
        "<!-- generated: a -->\n<!-- end: a --> <!-- generated: a -->\n<!-- end: a -->",
        "<!-- generated: a -->\n<!-- generated: b -->\n<!-- end: b -->\n<!-- end: a -->",
    ],
)
def test_marks_that_do_not_match_are_an_error_and_change_nothing(tmp_path: Path, text: str):
    document = tmp_path / "DOC.md"
    document.write_text(text)
    with pytest.raises(DamagedFileError, match="DOC"):
        markdown.refresh(document, {"a": "new"})
    assert document.read_text() == text


def test_a_table_has_equal_columns_and_keeps_bars_inside_cells():
    text = markdown.table(("a", "b"), [("1|2", "3"), ("long cell", "")])
    assert len({len(line) for line in text.splitlines()}) == 1
    assert "1\\|2" in text
    assert markdown.table(("a",), []) == ""


def test_a_grid_is_markdown_and_an_empty_one_is_nothing() -> None:
    assert markdown.Grid("t", ["a", "bc"], [[1, 2], ["x", "yyy"]], "so.").markdown().splitlines() == [
        *("**t**", "", "| a | bc  |", "| - | --- |", "| 1 | 2   |", "| x | yyy |", "", "so.")
    ]
    assert markdown.Grid("t", ["a"], []).markdown() == ""


def test_pictures_are_linked_as_seen_from_the_document(tmp_path: Path):
    link = markdown.pictures([tmp_path / "a/plots/x-y.svg"], beside=tmp_path / "DOC.md")
    assert link == "![plots: x y](a/plots/x-y.svg)"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (1.0, "1.00"), (0.01234, "0.0123"), (123.4, "123"), (12345.6, "12,346")]
)
def test_numbers_have_three_digits(value, text):
    assert markdown.number(value) == text


def test_counts_name_the_most_frequent_first():
    assert markdown.counts({"a": 1, "b": 9}) == "9 b, 1 a"
    assert markdown.counts({"a": 3}) == "a"
