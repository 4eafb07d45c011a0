"""The launch scripts, with a real team: several processes that live one island."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.migration.observe.team import ALIVE, GONE, LEFT
from tests.processes import ROOT, atoll, check_refused, hang_s, run, wait_until
from tests.scripts.launch.test_launch import (
    ENDLESS,
    conditions,
    launch,
    launching,
    panes_of,
    record_of,
    records,
    status,
    stop,
    text_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.migration.observe.team import MemberStatus

pytestmark = pytest.mark.slow

SHORT = (*ENDLESS[:2], "-g", "3", *ENDLESS[4:])


def members(root: Path, condition: str = ALIVE) -> list[MemberStatus]:
    return [member for row in status(root) for member in row.team if member.condition == condition]


@pytest.fixture
def team(root: Path) -> Path:
    """A team of two in the background."""
    started = launch(root, "--background", "--team", "2", *ENDLESS)
    assert started.returncode == 0, started.stderr
    assert "2 members started" in started.stdout
    assert len(members(root)) == 2  # the launcher waits for that
    return root


def test_a_launch_of_a_team_that_waits_ends_with_one_island_and_its_members(root: Path) -> None:
    ended = launch(root, "--background", "--wait", "--team", "3", *SHORT)
    assert ended.returncode == 0, ended.stderr
    assert "island-01  finished  3/3" in ended.stdout
    assert "members of island-01" in ended.stdout
    [row] = status(root)
    assert {member.condition for member in row.team} == {LEFT}
    assert sum(member.is_owner for member in row.team) == 1
    again = launch(root, "--background", "--wait", "--team", "2", *SHORT)
    assert "archived the run of 1 islands" in again.stdout


def test_a_team_is_stopped_as_one_island(team: Path) -> None:
    assert records(team) == [record_of(team, f"island-01.0{i}").name for i in (1, 2)]
    ended = stop(team)
    assert "stopping island-01.02" in ended.stdout
    assert "1 islands stopped" in ended.stdout
    assert records(team) == []
    assert conditions(team) == ["stopped"]
    assert members(team) == []


def test_a_second_launch_adds_members_and_replaces_one_that_was_killed(team: Path) -> None:
    os.kill(int(record_of(team, "island-01.01").read_text().split()[0]), signal.SIGKILL)
    wait_until(lambda: len(members(team, GONE)) == 1, "the end of one")
    more = launch(team, "--background", "--team", "3", *ENDLESS)
    assert more.returncode == 0, more.stderr
    assert "island-01.02 is running already" in more.stdout
    assert "2 members started" in more.stdout
    assert len(members(team)) == 3
    check_refused(launch(team, "--background", "--team", "3", *ENDLESS), 4, "all 3 members", "running already")
    check_refused(launch(team, "--background", "--fresh", "--team", "3", *ENDLESS), 4, "nothing is archived")


def test_an_island_that_lives_by_itself_is_no_team(root: Path) -> None:
    assert launch(root, "--background", "1", *ENDLESS).returncode == 0
    check_refused(
        launch(root, "--background", "--team", "2", *ENDLESS), 4, "island-01 is running already, and by itself"
    )


def test_a_member_that_cannot_run_is_named_with_its_reason(root: Path) -> None:
    ended = launch(root, "--background", "--team", "2", "-p", "20", "--migrants", "30")
    assert ended.returncode == 2
    assert "island-01.01 ended with exit code 2: error: --migrants must be smaller" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--team",), "how many members"),
        (("--team", "0"), "number of members"),
        (("2", "--team", "4"), "--team before the number"),
        (("2", "--team=4"), "--team before the number"),
        (("--vary", "--team", "2"), "leave out one"),
        (("--island", "a", "2"), "--island names the island of a team"),
        (("--team", "--island", "a.b", "2"), "--island takes letters"),
        (("--team", "--island", "", "2"), "--island needs a name"),
    ],
)
def test_a_team_that_cannot_be_meant_is_refused_in_one_line(arguments: tuple[str, ...], words: str, root: Path) -> None:
    check_refused(launch(root, *arguments), 2, words)
    assert not root.exists()


def test_the_command_and_make_start_a_team_too(root: Path) -> None:
    started = atoll("launch", "--background", "--dir", root, "--team", "--island", "brain", "2", *ENDLESS)
    assert started.returncode == 0, started.stderr
    assert "2 members started" in started.stdout
    assert records(root) == [record_of(root, f"brain.0{i}").name for i in (1, 2)]
    assert [(row.name, len(row.team)) for row in status(root)] == [("brain", 2)]
    assert "1 islands stopped" in stop(root, "--now").stdout
    make = ("make", "--no-print-directory", "--assume-old=.venv/.ready", f"DIR={root.parent}/a b")
    ended = run(*make, "team", "N=2", f"ARGS={' '.join(SHORT)}")
    assert ended.returncode == 0, ended.stderr
    assert "island-01  finished  3/3" in ended.stdout


def test_ctrl_c_stops_the_team_of_a_launch_that_waits(root: Path) -> None:
    command = launching(root, "--background", "--wait", "--team", "2", *ENDLESS)
    launcher = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        wait_until(lambda: len(members(root)) == 2, "two members")
        os.killpg(launcher.pid, signal.SIGINT)
        launcher.communicate(timeout=hang_s())
    finally:
        launcher.kill()
        launcher.wait()
    assert launcher.returncode == 143
    assert conditions(root) == ["stopped"]
    assert members(root) == []


def test_tmux_has_a_pane_per_member_and_the_status_shows_all(root: Path, tmux: dict[str, str]) -> None:
    started = launch(root, "--tmux", "--session", "lagoon", "--team", "3", *ENDLESS, **tmux)
    assert started.returncode == 0, started.stderr
    assert "3 members in the tmux session lagoon" in started.stdout
    panes = panes_of("lagoon", tmux)
    assert [window for window, _, _ in panes] == ["status"] * 4

    def shows_all() -> bool:
        text = text_of(panes[0][1], tmux)
        names = [member.name for member in members(root)]
        return len(names) == 3 and all(re.search(rf"{name} +alive", text) for name in names)

    wait_until(shows_all, "all members in the status pane")
    assert "1 islands stopped" in stop(root, **tmux).stdout
    assert run("tmux", "has-session", "-t", "lagoon", **tmux).returncode != 0


STAND_IN_SRUN = """#!/usr/bin/env bash
# Does what Slurm would: as many processes as are asked for.
set -eu
[ "$1 $2 $3" = "--ntasks=2 --kill-on-bad-exit=0 --wait=0" ]
shift 3
"$@" & "$@" & wait
"""


def test_the_slurm_script_starts_a_team_of_the_jobs_tasks(root: Path, tmp_path: Path) -> None:
    for name, text in (("srun", STAND_IN_SRUN), ("python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    job = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_NTASKS": "2", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = run("bash", "scripts/islands.sbatch", *SHORT, "--migration-dir", root, **job)
    assert ended.returncode == 0, ended.stderr
    [row] = status(root)
    assert (row.name, row.condition, len(row.team)) == ("island-01", "finished", 2)
