"""What a death costs is told from pairs, against what another seed does, and its rows can be read again."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import runlog
from atoll.scripts.lab.islands import joining, killed

if TYPE_CHECKING:
    from pathlib import Path

CASTS = (killed.UNDISTURBED, killed.KILLED)
SMALL = ["--population", "8", "--generations", "40", "--islands", "3", "--seeds", "3"]


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=20), st.floats(-50, 50))
def test_the_same_loss_for_every_seed_is_that_loss_whatever_the_spread(bests: list[float], loss: float) -> None:
    found = killed.cost(bests, [best - loss for best in bests])
    assert np.allclose([found.difference, found.low, found.high], -loss, atol=1e-6)
    if abs(abs(loss) - found.spread) > 1e-6:
        assert found.is_small == (abs(loss) < found.spread)


def test_a_loss_is_small_only_if_its_whole_interval_is() -> None:
    """Differences from -10 to 10 say nothing of what the mean is, so their mean of 0 is not called small."""
    bests = [0.0, 1.0, 2.0, 3.0]
    after = [10.0, -9.0, 12.0, -7.0]
    found = killed.cost(bests, after)
    assert abs(found.difference) < found.spread
    assert not found.is_small


@pytest.mark.slow
@pytest.mark.parametrize(("command", "kinds"), [(killed.main, 2), (joining.main, 3)])
def test_rows_are_written_as_they_come_and_the_table_is_made_of_them_alone(
    tmp_path: Path, command: object, kinds: int
) -> None:
    out = tmp_path / "rows" / "rows.jsonl"
    measured = CliRunner().invoke(command, [*SMALL, "--task", "trap", "--out", str(out)])  # type: ignore[arg-type]
    assert measured.exit_code == 0, measured.output
    rows = runlog.read(out)
    assert len(rows) == 3 * kinds
    assert len({row["cast"] for row in rows}) == kinds
    assert all(row["commit"] and row["task"] == "trap" for row in rows)
    again = CliRunner().invoke(command, ["--table", str(out)])  # type: ignore[arg-type]
    assert again.output in measured.output
    assert "| trap |" in again.output
    assert len(runlog.read(out)) == len(rows)


def test_a_topology_that_is_none_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    told = CliRunner().invoke(killed.main, ["--topology", "rings", "--out", str(out)])
    assert told.exit_code == 2
    assert "rings" in told.output
    assert not out.exists()


def test_the_topology_is_that_of_every_island(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    told = CliRunner().invoke(killed.main, [*SMALL, "--task", "trap", "--topology", "ring", "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert {row["settings"]["topology"] for row in runlog.read(out)} == {"ring"}


def test_a_task_that_is_none_is_refused_with_those_there_are(tmp_path: Path) -> None:
    told = CliRunner().invoke(killed.main, ["--task", "sphere", "--out", str(tmp_path / "rows.jsonl")])
    assert told.exit_code == 2
    assert "creatures, rastrigin, schwefel, trap" in told.output


def test_rows_may_be_compressed_and_what_is_none_is_refused(tmp_path: Path) -> None:
    rows = [{"task": "t", "cast": cast.name, "seed": seed, "best": float(seed)} for seed in (1, 2) for cast in CASTS]
    plain, packed, broken = (tmp_path / name for name in ("rows.jsonl", "rows.jsonl.gz", "broken.jsonl.gz"))
    runlog.append_all(plain, rows)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    broken.write_bytes(packed.read_bytes()[:-9])
    told = {path: CliRunner().invoke(killed.main, ["--table", str(path)]) for path in (plain, packed, broken)}
    assert told[plain].output == told[packed].output
    assert "| t | 2 |" in told[plain].output
    assert told[broken].exit_code == 1
    assert told[broken].output.startswith("Error: ")


@pytest.mark.slow
def test_nobody_that_was_there_all_along_stalled(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    CliRunner().invoke(joining.main, [*SMALL, "--task", "trap", "--out", str(out)])
    lines = joining.table(runlog.read(out)).splitlines()[2:]
    assert len(lines) == 3
    assert all(line.endswith("| 0 |") for line in lines)
    rows = [{**row, "reached": dict.fromkeys(row["reached"], 1)} for row in runlog.read(out)]
    assert all(line.endswith("| 3 |") for line in joining.table(rows).splitlines()[2:])
