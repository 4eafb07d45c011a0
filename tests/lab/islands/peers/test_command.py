"""Without pygmo the experiment says that it was skipped, in the rows and in the document."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from click.testing import CliRunner

from atoll.evo import runlog
from atoll.scripts.lab.islands.peers.tables import main
from tests.lab.islands.peers.test_tables import ROWS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def run(*arguments: object) -> tuple[int, str]:
    ended = CliRunner().invoke(main, [str(each) for each in arguments])
    return ended.exit_code, ended.output


def test_a_missing_pygmo_is_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygmo", None)
    code, said = run("--out", tmp_path / "rows", "--tables", tmp_path / "tables")
    assert code == 0
    assert said.startswith("skipped: pygmo is not installed")
    assert "*Skipped: pygmo is not installed" in (tmp_path / "tables" / "peers.md").read_text()
    (row,) = runlog.read(tmp_path / "rows" / "rows.jsonl")
    assert row["stage"] == "skipped"


def test_tables_are_derived_from_rows_alone(tmp_path: Path) -> None:
    runlog.append_all(tmp_path / "rows.jsonl", ROWS)
    code, said = run("--out", tmp_path, "--tables-only")
    assert code == 0
    assert "Atoll faster" in said
    assert len(runlog.read(tmp_path / "rows.jsonl")) == len(ROWS)
