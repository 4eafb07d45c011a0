"""The command explains mistakes in one line, and measures nothing for a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo import runlog
from atoll.scripts.lab.islands.equal_budgets.run import ROWS
from tests.lab import door
from tests.lab.islands.equal_budgets.made import TINY, rows_of

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: object) -> tuple[int, str]:
    return door.call("islands", *arguments)


@pytest.mark.parametrize("command", ["run", "report", "check"])
def test_an_unknown_problem_is_explained(command: str, tmp_path: Path) -> None:
    code, said = run(command, "--out", tmp_path, "--problem", "sphere")
    assert code == 2
    assert said.startswith("error: no problem is called sphere; known are ")
    assert len(said.splitlines()) == 1


def test_a_report_without_rows_says_what_to_run(tmp_path: Path) -> None:
    code, said = run("report", "--out", tmp_path)
    assert code == 2
    assert "run 'python -m scripts.lab" in said


def test_damaged_rows_are_named(tmp_path: Path) -> None:
    (tmp_path / ROWS).write_text("{]\n")
    code, said = run("report", "--out", tmp_path)
    assert code == 9
    assert "rows.jsonl, line 1" in said


def test_rows_that_nobody_ran_differ(tmp_path: Path) -> None:
    runlog.append_all(tmp_path / ROWS, list(rows_of(TINY[0]).values())[:2])
    code, said = run("check", "--out", tmp_path, "--quick", "--problem", "trap", "--runs", 1)
    assert code == 9
    assert "differs: trap, pooled" in said
    assert "0 of 1 rows" in said
