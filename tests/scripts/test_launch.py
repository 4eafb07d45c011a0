"""The launch scripts, with real islands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.processes import ROOT, run, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

QUICK = ("-p", "20", "-g", "40", "--task", "sphere")
ENDLESS = ("-p", "20", "-g", "1000000", "--task", "sphere")


def launch(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("scripts/launch_islands.sh", "--dir", str(root), *arguments, **environment)


def stop(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("scripts/stop_islands.sh", "--dir", str(root), *arguments, **environment)


def status(root: Path) -> list[dict[str, object]]:
    text = run(sys.executable, "cli.py", "status", "--json", "--migration-dir", str(root)).stdout
    rows: list[dict[str, object]] = json.loads(text)["islands"]
    return rows


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """Two islands in the background, stopped in the end."""
    started = launch(tmp_path / "s", "--background", "2", *ENDLESS)
    assert started.returncode == 0, started.stderr
    wait_until(lambda: [row["condition"] for row in status(tmp_path / "s")] == ["running"] * 2, "two islands")
    yield tmp_path / "s"
    stop(tmp_path / "s", "--now")


def test_a_launch_that_waits_ends_with_the_table_and_the_champions(tmp_path: Path) -> None:
    ended = launch(tmp_path / "s", "--background", "--wait", "2", *QUICK)
    assert ended.returncode == 0, ended.stderr
    assert "a new run starts" in ended.stdout
    for i in (1, 2):
        assert f"island-0{i}  finished  40/40" in ended.stdout
        assert f"{tmp_path}/s/islands/island-0{i}/champion.safetensors" in ended.stdout


def test_a_finished_run_is_archived_and_an_unfinished_one_resumed(tmp_path: Path) -> None:
    launch(tmp_path / "s", "--background", "--wait", "2", *QUICK)
    again = launch(tmp_path / "s", "--background", "--wait", "2", *QUICK)
    assert "archived the run of 2 islands" in again.stdout
    assert len(list((tmp_path / "s/old").iterdir())) == 1

    launch(tmp_path / "s", "--background", "2", *ENDLESS)
    wait_until(lambda: all((row["generation"] or 0) > 20 for row in status(tmp_path / "s")), "some generations")
    stop(tmp_path / "s", "--now")
    resumed = launch(tmp_path / "s", "--background", "2", *ENDLESS)
    assert "resuming the unfinished run" in resumed.stdout
    assert "of 1000000" in resumed.stdout
    wait_until(lambda: {row["epoch"] for row in status(tmp_path / "s")} == {2}, "the second start of both")
    stop(tmp_path / "s")


def test_islands_outlive_the_launcher_and_stop_after_their_generation(running: Path) -> None:
    ended = stop(running)
    assert "2 islands stopped" in ended.stdout
    rows = status(running)
    assert [row["condition"] for row in rows] == ["stopped"] * 2
    for row in rows:
        out = (running / "launch" / f"{row['name']}.out").read_text()
        assert f"{row['name']} stopped at generation {row['generation']}" in out


def test_a_busy_run_is_not_archived(running: Path) -> None:
    ended = launch(running, "--fresh", "--background", "2", *ENDLESS)
    assert ended.returncode == 4
    assert "still running: island-01, island-02" in ended.stderr


def test_every_island_has_one_thread(running: Path) -> None:
    assert [row["threads"] for row in status(running)] == [1, 1]


def test_stop_leaves_alone_what_it_did_not_start(tmp_path: Path) -> None:
    (tmp_path / "s/launch").mkdir(parents=True)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "s/launch/island-01.pid").write_text(f"{stranger.pid} Mon_Jan_1_00:00:00_2001\n")
        assert "0 islands stopped" in stop(tmp_path / "s").stdout
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_vary_gives_each_island_its_own_settings_and_the_log_records_them(tmp_path: Path) -> None:
    launch(tmp_path / "s", "--background", "--wait", "--vary", "2", *QUICK)
    starts = [json.loads((tmp_path / f"s/islands/island-0{i}/log.jsonl").read_text().splitlines()[0]) for i in (1, 2)]
    assert (tmp_path / "s/islands.toml").exists()
    assert starts[0]["settings"]["mutation_rate"] != starts[1]["settings"]["mutation_rate"]


def test_an_island_that_cannot_run_is_named_with_its_reason(tmp_path: Path) -> None:
    ended = launch(tmp_path / "s", "--background", "--wait", "2", "-p", "20", "--migrants", "30")
    assert ended.returncode == 2
    assert "island-01 ended with exit code 2: error: --migrants must be smaller" in ended.stderr


@pytest.mark.parametrize("arguments", [(), ("0",), ("many",), ("--what", "2"), ("1000",)])
def test_wrong_arguments_are_refused_in_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ended = launch(tmp_path / "s", *arguments)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("error: ")


def test_ctrl_c_stops_the_islands_of_a_launch_that_waits(tmp_path: Path) -> None:
    command = ["scripts/launch_islands.sh", "--dir", str(tmp_path / "s"), "--background", "--wait", "2", *ENDLESS]
    launcher = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: [row["condition"] for row in status(tmp_path / "s")] == ["running"] * 2, "two islands")
    os.killpg(launcher.pid, signal.SIGINT)
    out, err = launcher.communicate(timeout=60)
    assert "writes a checkpoint" in err
    assert launcher.returncode == 143
    assert [row["condition"] for row in status(tmp_path / "s")] == ["stopped"] * 2
    assert "champion of" in out


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[dict[str, str]]:
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    sockets = tmp_path / "tmux"
    sockets.mkdir(mode=0o700)
    environment = {"TMUX_TMPDIR": str(sockets), "TMUX": ""}
    yield environment
    run("tmux", "kill-server", **environment)


def test_tmux_has_a_pane_per_island_and_one_with_the_status(tmp_path: Path, tmux: dict[str, str]) -> None:
    started = launch(tmp_path / "s", "--tmux", "--session", "lagoon", "3", *ENDLESS, **tmux)
    assert started.returncode == 0, started.stderr
    panes = run("tmux", "list-panes", "-t", "lagoon", "-F", "#{pane_id}", **tmux).stdout.split()
    assert len(panes) == 4

    def text_of(pane: str) -> str:
        return run("tmux", "capture-pane", "-p", "-t", pane, **tmux).stdout

    wait_until(lambda: all(f"island-0{i}  running" in text_of(panes[0]) for i in (1, 2, 3)), "the status pane")
    wait_until(lambda: "published 5 genomes" in text_of(panes[1]), "an island's pane")
    assert launch(tmp_path / "s", "--tmux", "--session", "lagoon", "3", *ENDLESS, **tmux).returncode == 2
    pids = [row["pid"] for row in status(tmp_path / "s")]
    assert "3 islands stopped" in stop(tmp_path / "s", **tmux).stdout
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids), "the islands' end")
    assert run("tmux", "has-session", "-t", "lagoon", **tmux).returncode != 0


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


def test_the_slurm_script_runs_one_island_per_array_task(tmp_path: Path) -> None:
    (tmp_path / "sbatch").write_text(STAND_IN_SBATCH)
    (tmp_path / "sbatch").chmod(0o755)
    submitted = run(
        tmp_path / "sbatch", "--array=1-2", "scripts/islands.sbatch", *QUICK, "--migration-dir", tmp_path / "s"
    )
    assert submitted.returncode == 0, submitted.stderr
    assert [(row["name"], row["condition"]) for row in status(tmp_path / "s")] == [
        ("island-01", "finished"),
        ("island-02", "finished"),
    ]


def test_the_slurm_script_refuses_to_run_outside_an_array() -> None:
    ended = run("bash", "scripts/islands.sbatch", SLURM_SUBMIT_DIR=str(ROOT))
    assert ended.returncode != 0
    assert "submit this file as a job array" in ended.stderr


def test_tail_migrations_follows_all_islands(running: Path) -> None:
    command = ["scripts/tail_migrations.sh", "--migration-dir", str(running)]
    following = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHON": sys.executable}, stdout=subprocess.PIPE, text=True
    )
    seen: set[str] = set()
    deadline_s = time.monotonic() + 60
    assert following.stdout
    while seen < {"island-01", "island-02"} and time.monotonic() < deadline_s:
        seen.add(following.stdout.readline().split()[2])
    following.terminate()
    following.wait()
    following.stdout.close()
    assert seen == {"island-01", "island-02"}
