"""What the findings say is run, and their tables come out of the kept rows byte for byte."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from tests.documents import FINDINGS, check_commands, copied_checkout
from tests.processes import ROOT, run

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

TABLES = ROOT / "docs" / "findings" / "tables"
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
PRINTED = {
    "exchanging": "exchanging --table docs/measurements/islands/exchanging.jsonl.gz",
    "exchanging-20": "exchanging --table docs/measurements/islands/exchanging-20.jsonl.gz",
    "killed": "killed --table docs/measurements/islands/killed.jsonl.gz",
    "killed-ring": "killed --table docs/measurements/islands/killed-ring.jsonl.gz",
    "peer-algorithms": "peer-algorithms --table docs/measurements/peers/algorithms.jsonl.gz",
    "joining": "joining --table docs/measurements/islands/joining.jsonl.gz",
}
"""Tables that a study prints, and how."""


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    with copied_checkout(tmp_path) as place:
        yield place


@pytest.mark.slow
@pytest.mark.parametrize("page", FINDINGS, ids=lambda page: page.name)
def test_every_command_of_a_finding_runs_and_its_tables_come_out_byte_for_byte(page: Path, checkout: Path) -> None:
    check_commands(page, checkout)
    for table in TABLES.rglob("*.md"):
        assert (checkout / table.relative_to(ROOT)).read_text() == table.read_text(), table


@pytest.mark.slow
def test_the_tables_of_the_peers_come_out_of_their_rows_byte_for_byte(tmp_path: Path) -> None:
    arguments = f"peers --tables-only --out {ROOT}/docs/measurements/peers --tables {tmp_path}"
    assert study(arguments).returncode == 0
    written = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert written
    assert written == {name: (TABLES / "islands" / name).read_text() for name in written}


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTED)
def test_a_table_that_a_study_prints_is_the_one_that_is_committed(name: str) -> None:
    printed = study(PRINTED[name])
    assert printed.returncode == 0, printed.stderr
    assert cells(printed.stdout)
    assert cells(printed.stdout) == cells((TABLES / "islands" / f"{name}.md").read_text())


def test_every_table_is_linked_from_a_page() -> None:
    texts = "".join(page.read_text() for page in DOCUMENTS)
    linked = set(re.findall(r"findings/tables/([\w-]+/[\w-]+\.md)\)", texts))
    assert linked == {str(table.relative_to(TABLES)) for table in TABLES.rglob("*.md")}


def test_every_study_that_a_page_names_is_one_that_the_laboratory_lists() -> None:
    listed = set(re.findall(r"[\w-]+", study("").stdout))
    named = {name for page in DOCUMENTS for name in re.findall(r"-m scripts\.lab ([a-z][\w-]*)", page.read_text())}
    assert named
    assert named <= listed


def study(arguments: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "scripts.lab", *shlex.split(arguments))


def cells(text: str) -> list[list[str]]:
    """Return the cells of a table, without the width of its columns."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return [row for row in rows if set("".join(row)) - {"-"}]
