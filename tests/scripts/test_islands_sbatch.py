"""The Slurm script, submitted to a stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.processes import ROOT, run
from tests.scripts.test_launch import QUICK, status

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

STAND_IN_SBATCH = """#!/usr/bin/env bash
# Does what Slurm would: one process per index of the array, from a copy of the script.
set -eu
[ "${1#--array=1-}" != "$1" ] && last=${1#--array=1-} && shift
script=$1
shift
copy=$(mktemp)
cp "$script" "$copy"
for ((i = 1; i <= last; i++)); do
  SLURM_ARRAY_TASK_ID=$i SLURM_SUBMIT_DIR=$PWD bash "$copy" "$@" &
done
wait
"""


def test_the_slurm_script_runs_one_island_per_array_task(root: Path, tmp_path: Path) -> None:
    (tmp_path / "sbatch").write_text(STAND_IN_SBATCH)
    (tmp_path / "sbatch").chmod(0o755)
    submitted = run(tmp_path / "sbatch", "--array=1-2", "scripts/islands.sbatch", *QUICK, "--migration-dir", root)
    assert submitted.returncode == 0, submitted.stderr
    assert [(row["name"], row["condition"]) for row in status(root)] == [
        ("island-01", "finished"),
        ("island-02", "finished"),
    ]


def test_the_slurm_script_refuses_to_run_outside_an_array() -> None:
    ended = run("bash", "scripts/islands.sbatch", SLURM_SUBMIT_DIR=str(ROOT))
    assert ended.returncode != 0
    assert "submit this file as a job array" in ended.stderr
