"""Two real islands are timed until one balances; a pole that fell once is not balanced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atoll.evo import runlog
from atoll.scripts.lab.islands import cartpole
from atoll.scripts.lab.islands.criteria import NOT_MET

if TYPE_CHECKING:
    from pathlib import Path

TINY = ("--population", "8", "--generations", "2", "--episodes", "1", "--seeds", "1")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [([500.0] * 5, True), ([500.0, 500.0, 499.0, 500.0, 500.0], False), ([], False)],
)
def test_solved_is_every_episode_to_its_end(steps: list[float], *, expected: bool) -> None:
    assert cartpole.is_solved(steps) == expected


@pytest.mark.slow
def test_a_run_is_a_row_with_what_each_champion_did_and_what_is_not_in_time_is_said(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    told = CliRunner().invoke(cartpole.main, [*TINY, "--limit-s", "0", "--out", str(out)])
    [row] = runlog.read(out)
    assert told.exit_code == NOT_MET, "nobody balances in no time"
    assert "solved within 0 s: 0 of 1" in told.output
    assert row["exit_codes"] == [0, 0]
    assert {name.partition(":")[0] for name in row["steps"]} == {"one", "two"}
    assert all(len(steps) == 5 and 0 < min(steps) <= 500 for steps in row["steps"].values())
    assert (row["solved_s"] is not None) == any(map(cartpole.is_solved, row["steps"].values()))
    assert row["ended_s"] >= (row["solved_s"] or 0)
