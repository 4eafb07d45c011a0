"""docs/reliability.md keeps its word: all rows of the matrix are there, and each names tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.processes import ROOT

LINES = (ROOT / "docs/reliability.md").read_text(encoding="utf-8").splitlines()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in LINES if re.match(r"\| \d+ \|", line)]
SHORT = {"f/": "tests/faults/", "m/": "tests/migration/"}


def names_in(cell):
    """Return the file and function of each test in a cell; `::name` stands in the file before it."""
    path = ""
    for named in re.findall(r"`([^`]*::\w+)`", cell):
        place, name = named.split("::")
        path = SHORT.get(place[:2], place[:2]) + place[2:] if place else path
        yield path, name


def test_there_are_all_44_rows_each_with_its_fault_test_and_count():
    assert [int(row[0]) for row in ROWS] == list(range(1, 45))
    assert all(len(row) == 5 and all(row) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_test_that_a_row_names_exists(row):
    named = list(names_in(row[3]))
    assert named or "as row 1" in row[3]
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
