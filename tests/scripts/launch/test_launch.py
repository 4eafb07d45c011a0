"""The launch scripts, with real islands."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from atoll.evo.paths import SharedPaths
from atoll.migration.observe.status import IslandStatus, read_all
from atoll.scripts.run.vary import as_toml, vary
from tests.processes import ROOT, check_refused, hang_s, kill_all_in, run, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

QUICK = ("-p", "20", "-g", "40", "--task", "sphere")
ENDLESS = ("-p", "20", "-g", "1000000", "--task", f"{Path(__file__).parent}/slow_task.py:Sphere")
TINY = ("-p", "8", "--migrants", "1", "-g", "2", "--task", "sphere")


def launch(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(*launching(root, *arguments), **environment)


def launching(root: Path, *arguments: str) -> list[str]:
    return ["scripts/launch_islands.sh", "--python", sys.executable, "--dir", str(root), *arguments]


def stop(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(*stopping(root), *arguments, **environment)


def stopping(root: Path) -> list[str]:
    """Return how to stop islands with more patience than a test has: on a busy machine a generation takes long."""
    return ["scripts/stop_islands.sh", "--timeout", "3600", "--dir", str(root)]


def status(root: Path) -> list[IslandStatus]:
    return read_all(SharedPaths(root))


def conditions(root: Path) -> list[str]:
    return [row.condition for row in status(root)]


def sourced(command: str, **environment: str) -> str:
    """Run a line of shell that uses scripts/processes.bash."""
    ended = run("bash", "-euo", "pipefail", "-c", f"source scripts/processes.bash; {command}", **environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def record_of(root: Path, island: str) -> Path:
    return root / "launch" / f"{island}@{os.uname().nodename}.pid"


def records(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "launch").glob("*.pid"))


@pytest.fixture
def running(root: Path) -> Path:
    """Two islands in the background."""
    return two_islands(root)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same for tests that change nothing, all of them."""
    place = tmp_path_factory.mktemp("launch")
    try:
        yield two_islands(place / "s")
    finally:
        kill_all_in(place)


def two_islands(root: Path) -> Path:
    started = launch(root, "--background", "2", *ENDLESS)
    assert started.returncode == 0, started.stderr
    wait_until(lambda: conditions(root) == ["running"] * 2, "two islands")
    return root


def test_a_launch_that_waits_ends_with_the_table_and_the_champions(root: Path) -> None:
    ended = launch(root, "--background", "--wait", "2", *QUICK)
    assert ended.returncode == 0, ended.stderr
    assert "a new run starts" in ended.stdout
    for i in (1, 2):
        assert f"island-0{i}  finished  40/40" in ended.stdout
        assert f"{root}/islands/island-0{i}/champion.safetensors" in ended.stdout


def test_a_finished_run_is_archived_and_an_unfinished_one_resumed(root: Path) -> None:
    launch(root, "--background", "--wait", "2", *QUICK)
    again = launch(root, "--background", "--wait", "2", *QUICK)
    assert "archived the run of 2 islands" in again.stdout
    assert len(list((root / "old").iterdir())) == 1

    launch(root, "--background", "2", *ENDLESS)
    wait_until(lambda: [(row.generation or 0) > 20 for row in status(root)] == [True] * 2, "some generations")
    stop(root, "--now")
    resumed = launch(root, "--background", "2", *ENDLESS)
    assert "resuming the unfinished run" in resumed.stdout
    assert "of 1000000" in resumed.stdout
    wait_until(lambda: {row.epoch for row in status(root)} == {2}, "the second start of both")


def test_islands_outlive_the_launcher_and_stop_after_their_generation(running: Path) -> None:
    ended = stop(running)
    assert "2 islands stopped" in ended.stdout
    assert records(running) == []
    rows = status(running)
    assert [row.condition for row in rows] == ["stopped"] * 2
    for row in rows:
        out = (running / "launch" / f"{row.name}.out").read_text()
        assert f"{row.name} stopped at generation {row.generation}" in out


def test_a_busy_run_is_not_archived(watched: Path) -> None:
    ended = launch(watched, "--fresh", "--background", "2", *ENDLESS)
    check_refused(ended, 4, "still running: island-01, island-02")
    assert conditions(watched) == ["running"] * 2


def test_a_second_launch_starts_what_does_not_run_and_forgets_nothing(running: Path) -> None:
    pids = [row.pid for row in status(running)]
    more = launch(running, "--background", "3", *ENDLESS)
    assert more.returncode == 0, more.stderr
    for i in (1, 2):
        assert f"island-0{i} is running already (process {pids[i - 1]})" in more.stdout
    assert "1 islands started" in more.stdout
    wait_until(lambda: conditions(running) == ["running"] * 3, "the third island")
    check_refused(launch(running, "--background", "3", *ENDLESS), 4, "all 3 islands", "running already")
    assert "3 islands stopped" in stop(running).stdout
    assert conditions(running) == ["stopped"] * 3


def test_every_island_has_one_thread(watched: Path) -> None:
    assert [row.threads for row in status(watched)] == [1, 1]


def test_islands_are_known_in_every_time_zone(root: Path) -> None:
    launch(root, "--background", "1", *ENDLESS, TZ="Asia/Tokyo")
    assert "1 islands stopped" in stop(root, "--now", TZ="America/Lima").stdout


def test_without_proc_a_process_is_known_by_its_start_in_utc() -> None:
    starts = {sourced(f"start_by_ps {os.getpid()}", TZ=zone) for zone in ("Asia/Tokyo", "America/Lima")}
    assert len(starts) == 1
    assert starts != {sourced("start_by_ps $$")}


def test_records_that_are_not_whole_keep_no_island_from_being_stopped(running: Path) -> None:
    record_of(running, "island-00").touch()
    record_of(running, "island-03").write_text("123")
    whole = record_of(running, "island-02")
    whole.write_text(whole.read_text().rstrip("\n"))
    ended = stop(running)
    assert ended.returncode == 0, ended.stderr
    assert "2 islands stopped" in ended.stdout
    assert conditions(running) == ["stopped"] * 2
    kept = [record_of(running, "island-00"), record_of(running, "island-03")]
    assert ended.stderr == "".join(
        f"left alone: {path} does not name a process; remove it if nothing runs\n" for path in kept
    )
    assert records(running) == [path.name for path in kept]


def test_a_record_of_another_host_is_left_to_that_host(root: Path, stranger: subprocess.Popen[bytes]) -> None:
    theirs = root / "launch/island-01@elsewhere.pid"
    theirs.write_text(f"{stranger.pid} {sourced(f'start_of {stranger.pid}')}\n")
    ended = stop(root, "--now")
    assert "island-01 was started on elsewhere" in ended.stderr
    assert theirs.exists()
    assert stranger.poll() is None


def test_stop_leaves_alone_what_it_did_not_start(root: Path, stranger: subprocess.Popen[bytes]) -> None:
    record_of(root, "island-01").write_text(f"{stranger.pid} {sourced(f'start_of {os.getpid()}')}\n")
    assert "0 islands stopped" in stop(root, "--now").stdout
    assert stranger.poll() is None
    assert records(root) == []


def test_the_record_of_what_does_not_stop_in_time_stays(root: Path, stranger: subprocess.Popen[bytes]) -> None:
    sourced(f"write_record '{record_of(root, 'island-01')}' {stranger.pid}")
    ended = stop(root, "--timeout", "0")
    assert ended.returncode == 1
    assert "still finishing a generation: island-01" in ended.stderr
    assert records(root) == [record_of(root, "island-01").name]
    assert "1 islands stopped" in stop(root, "--now").stdout
    assert stranger.wait(timeout=hang_s()) == -signal.SIGKILL
    assert records(root) == []


def test_vary_gives_each_island_its_own_settings_and_the_log_records_them(root: Path) -> None:
    launch(root, "--background", "--wait", "--vary", "1", *QUICK, "--seed", "7")
    launch(root, "--background", "--wait", "--vary", "2", *QUICK, "--seed=7")
    drawn = {name: vary(name, seed=7) for name in ("island-01", "island-02")}
    assert (root / "islands.toml").read_text() == as_toml(drawn)
    for name, values in drawn.items():
        start = json.loads((root / "islands" / name / "log.jsonl").read_text().splitlines()[0])
        assert start["settings"]["mutation_rate"] == values["mutation_rate"]


def test_an_island_that_cannot_run_is_named_with_its_reason(root: Path) -> None:
    ended = launch(root, "--background", "--wait", "2", "-p", "20", "--migrants", "30")
    assert ended.returncode == 2
    assert "island-01 ended with exit code 2: error: --migrants must be smaller" in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("0",),
        ("many",),
        ("--what", "2"),
        ("1000",),
        ("--vary", "2", "--config", "x"),
        ("--python", "nothing", "2"),
        ("--dir", "", "2"),
        ("--session", "", "2"),
        ("--python",),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments: tuple[str, ...], root: Path) -> None:
    check_refused(launch(root, *arguments), 2)
    assert not root.exists()


@pytest.mark.parametrize("arguments", [("--migration-dir", "elsewhere"), ("--migration-dir=elsewhere",)])
def test_islands_are_not_launched_into_another_directory_than_the_one_that_is_shown(arguments, root: Path) -> None:
    check_refused(launch(root, "--background", "2", *QUICK, *arguments), 2, "--dir", "DIR=")
    assert not root.exists()


def test_other_scripts_refuse_an_empty_value_in_one_line_too() -> None:
    check_refused(run("scripts/stop_islands.sh", "--dir", ""), 2, "--dir needs a directory")
    check_refused(run("scripts/tail_migrations.sh", "--python"), 2, "--python needs a program")


@pytest.mark.parametrize("script", ["launch_islands.sh", "tail_migrations.sh"])
def test_a_python_without_the_packages_starts_nothing_and_is_named(script: str, root: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    arguments = ("--dir", str(root), "--background", "2") if script == "launch_islands.sh" else ()
    ended = run(f"scripts/{script}", "--python", python, *arguments, PYTHONPATH="")
    check_refused(ended, 2, "click is not installed for ")
    assert not root.exists()


def test_what_is_no_python_is_told_in_one_line(root: Path) -> None:
    check_refused(run("scripts/launch_islands.sh", "--python", "false", "--dir", root, "2"), 2, "false", "cannot run")


def test_a_directory_is_meant_from_where_one_stands(root: Path) -> None:
    here = root.parent / "a place"
    here.mkdir()
    launcher, stopper = ROOT / "scripts/launch_islands.sh", ROOT / "scripts/stop_islands.sh"
    started = run(launcher, "--python", sys.executable, "--dir", "my s", "--background", "1", *ENDLESS, cwd=here)
    assert started.returncode == 0, started.stderr
    wait_until(lambda: conditions(here / "my s") == ["running"], "the island")
    assert "1 islands stopped" in run(stopper, "--dir", "my s", cwd=here).stdout


def test_make_takes_a_directory_with_a_space_and_its_python_makes_the_environment_alone(root: Path) -> None:
    make = ("make", "--no-print-directory", "--assume-old=.venv/.ready", "PYTHON=/bin/false", f"DIR={root.parent}/a b")
    started = run(*make, "islands", "N=1", f"ARGS={' '.join(TINY)}")
    assert started.returncode == 0, started.stderr
    assert "island-01  finished  2/2" in started.stdout
    for target in ("status", "stop"):
        ended = run(*make, target)
        assert ended.returncode == 0, ended.stderr


def test_islands_start_where_there_is_no_setsid(root: Path) -> None:
    programs = root.parent / "bin"
    programs.mkdir()
    for program in {path.name: path for place in ("/bin", "/usr/bin") for path in Path(place).iterdir()}.values():
        if program.name != "setsid":
            (programs / program.name).symlink_to(program)
    ended = launch(root, "--background", "--wait", "1", *TINY, PATH=str(programs))
    assert ended.returncode == 0, ended.stderr
    assert "island-01  finished  2/2" in ended.stdout


def test_ctrl_c_stops_the_islands_of_a_launch_that_waits(root: Path) -> None:
    launcher = subprocess.Popen(
        launching(root, "--background", "--wait", "2", *ENDLESS),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: conditions(root) == ["running"] * 2, "two islands")
        os.killpg(launcher.pid, signal.SIGINT)
        out, err = launcher.communicate(timeout=hang_s())
    finally:
        launcher.kill()
        launcher.wait()
    assert "writes a checkpoint" in err
    assert launcher.returncode == 143
    assert conditions(root) == ["stopped"] * 2
    assert "champion of" in out


def panes_of(session: str, tmux: dict[str, str]) -> list[list[str]]:
    """Return the window, the pane and its height of each pane."""
    shown = "#{window_name} #{pane_id} #{pane_height}"
    return [
        line.split() for line in run("tmux", "list-panes", "-s", "-t", session, "-F", shown, **tmux).stdout.splitlines()
    ]


def text_of(pane: str, tmux: dict[str, str]) -> str:
    return run("tmux", "capture-pane", "-p", "-t", pane, **tmux).stdout


def test_tmux_has_a_pane_per_island_and_one_with_the_status(root: Path, tmux: dict[str, str]) -> None:
    started = launch(root, "--tmux", "--session", "lagoon", "3", *ENDLESS, **tmux)
    assert started.returncode == 0, started.stderr
    panes = panes_of("lagoon", tmux)
    assert [window for window, _, _ in panes] == ["status"] * 4

    def shows_all() -> bool:
        return all(re.search(rf"island-0{i} +running", text_of(panes[0][1], tmux)) for i in (1, 2, 3))

    wait_until(shows_all, "the status pane")
    wait_until(lambda: "published 1 genome" in text_of(panes[1][1], tmux), "an island's pane")
    run("tmux", "resize-window", "-t", "lagoon", "-x", "80", "-y", "24", **tmux)
    wait_until(lambda: int(panes_of("lagoon", tmux)[0][2]) == 3 + 2, "enough rows for the status on a small terminal")
    check_refused(launch(root, "--tmux", "--session", "lagoon", "3", *ENDLESS, **tmux), 2, "is there already")
    pids = [row.pid for row in status(root)]
    assert "3 islands stopped" in stop(root, **tmux).stdout
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids), "the islands' end")
    assert run("tmux", "has-session", "-t", "lagoon", **tmux).returncode != 0


def test_the_status_is_seen_whole_with_many_islands(root: Path, tmux: dict[str, str]) -> None:
    started = launch(root, "--tmux", "20", *TINY, **tmux)
    assert started.returncode == 0, started.stderr
    panes = panes_of("atoll", tmux)
    assert [window for window, _, _ in panes] == ["status", *["islands-1"] * 16, *["islands-2"] * 4]

    def shows_all() -> bool:
        text = text_of(panes[0][1], tmux)
        return all(re.search(rf"island-{i:02} +finished", text) for i in range(1, 21))

    wait_until(shows_all, "the status of 20 islands")


def test_an_island_has_its_own_window_where_tmux_has_no_space_for_a_pane(root: Path, tmux: dict[str, str]) -> None:
    programs = root.parent / "bin"
    programs.mkdir()
    stand_in = programs / "tmux"
    stand_in.write_text(f'#!/bin/sh\n[ "$1" != split-window ] || exit 1\nexec {shutil.which("tmux")} "$@"\n')
    stand_in.chmod(0o755)
    started = launch(root, "--tmux", "2", *TINY, **tmux, PATH=f"{programs}:{os.environ['PATH']}")
    assert started.returncode == 0, started.stderr
    assert [window for window, _, _ in panes_of("atoll", tmux)] == ["status", "islands-1", "islands-2"]
    wait_until(lambda: conditions(root) == ["finished"] * 2, "both islands")


def test_stop_leaves_alone_a_tmux_session_that_only_has_the_name_of_ours(root: Path, tmux: dict[str, str]) -> None:
    launch(root, "--tmux", "1", *ENDLESS, **tmux)
    ours = run("tmux", "display-message", "-p", "-t", "atoll", "#{session_id}", **tmux).stdout
    run("tmux", "kill-server", **tmux)
    wait_until(lambda: run("tmux", "new-session", "-d", "-s", "atoll", "cat", **tmux).returncode == 0, "a new server")
    assert run("tmux", "display-message", "-p", "-t", "atoll", "#{session_id}", **tmux).stdout == ours
    assert stop(root, **tmux).returncode == 0
    assert run("tmux", "has-session", "-t", "atoll", **tmux).returncode == 0
    assert not list((root / "launch").glob("tmux*"))


def test_tail_migrations_follows_all_islands(watched: Path) -> None:
    followed = watched.parent / "followed"
    command = ["scripts/tail_migrations.sh", "--python", sys.executable, "--migration-dir", str(watched)]
    with followed.open("w") as out:
        following = subprocess.Popen(command, cwd=ROOT, stdout=out)
    try:
        wait_until(lambda: all(f" island-0{i} " in followed.read_text() for i in (1, 2)), "lines of both islands")
    finally:
        following.kill()
        following.wait()
