from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from scripts.bench.machine import describe
from scripts.bench.reference import main

if TYPE_CHECKING:
    from pathlib import Path


def test_every_repetition_is_a_raw_row_with_its_machine(tmp_path: Path) -> None:
    out = tmp_path / "rows" / "reference.jsonl"
    arguments = ["--population", "4", "--life", "0.2", "--repetitions", "3", "--out", str(out)]
    ended = CliRunner().invoke(main, arguments, catch_exceptions=False)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["repetition"] for row in rows] == [0, 1, 2]
    for row in rows:
        assert row["creature_steps_per_s"] * row["wall_s"] == pytest.approx(4 * 12)
        assert {name: row[name] for name in describe()} == describe()
    assert "n = 3" in ended.output
    assert str(out) in ended.output


def test_rows_are_added_never_replaced(tmp_path: Path) -> None:
    out = tmp_path / "reference.jsonl"
    for _ in range(2):
        arguments = ["--population", "2", "--life", "0.1", "--repetitions", "1", "--out", str(out)]
        CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert len(out.read_text().splitlines()) == 2
