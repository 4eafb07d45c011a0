"""The Slurm script, submitted to a stand-in."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.processes import ROOT, check_refused, run
from tests.scripts.launch.test_launch import QUICK, status

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
    assert [(row.name, row.condition) for row in status(root)] == [
        ("island-01", "finished"),
        ("island-02", "finished"),
    ]


def test_a_job_that_no_island_can_come_of_says_in_one_line_how_to_submit_it(tmp_path: Path) -> None:
    script = ROOT / "scripts/islands.sbatch"
    check_refused(run("bash", script, SLURM_SUBMIT_DIR=str(ROOT)), 2, "submit this file as a job array")
    job = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_SUBMIT_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}  # no `atoll` there
    elsewhere = run("bash", script, cwd=tmp_path, **job)
    check_refused(elsewhere, 2, f"no cli.py in {tmp_path}", "submit from the project's directory", "--chdir=PROJECT")


def test_a_job_may_be_submitted_from_elsewhere_with_chdir(root: Path, tmp_path: Path) -> None:
    """Slurm starts a job in that directory, and still names the one it was submitted from."""
    python = tmp_path / "python3"  # for a project without an environment of its own
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    job = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_SUBMIT_DIR": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = run("bash", "scripts/islands.sbatch", *QUICK, "--migration-dir", root, **job)
    assert ended.returncode == 0, ended.stderr
    assert [row.condition for row in status(root)] == ["finished"]
