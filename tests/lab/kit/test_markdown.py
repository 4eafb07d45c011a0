from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.scripts.lab.kit import markdown

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = ["<!-- generated -->", "by hand\n", "| a |\n| - |\n\n<!-- end -->\n"]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_file_of_another_name_stays_as_it_is_byte_for_byte(tmp_path: Path, text: str):
    other = tmp_path / "other.md"
    other.write_text(text)
    markdown.write_tables(tmp_path, {"one": "|t|"})
    assert other.read_text() == text


def test_every_block_has_a_file_with_its_text_as_it_is_and_a_title(tmp_path: Path):
    markdown.write_tables(tmp_path / "made", {"peers-cost": "| a |\n| - |\n", "two": "text"})
    assert sorted(file.name for file in (tmp_path / "made").iterdir()) == ["peers-cost.md", "two.md"]
    written = (tmp_path / "made" / "peers-cost.md").read_text()
    assert written == f"# Peers cost\n\n{markdown.NOTE}\n\n| a |\n| - |\n"


def test_a_file_whose_text_did_not_change_is_not_written_again(tmp_path: Path):
    markdown.write_tables(tmp_path, {"one": "old", "two": "old"})
    files = [(tmp_path / name).stat().st_ino for name in ("one.md", "two.md")]
    markdown.write_tables(tmp_path, {"one": "old", "two": "new"})
    assert (tmp_path / "one.md").stat().st_ino == files[0]
    assert (tmp_path / "two.md").read_text().endswith("new\n")


def test_a_block_without_text_says_so_in_place_of_what_an_earlier_call_wrote(tmp_path: Path):
    markdown.write_tables(tmp_path, {"one": "old"})
    markdown.write_tables(tmp_path, {"one": ""})
    written = (tmp_path / "one.md").read_text()
    assert markdown.NOT_YET in written
    assert "old" not in written


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
