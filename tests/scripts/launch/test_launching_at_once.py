"""Launchers, stoppers and their deaths at the same time, with real islands."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from tests.processes import ROOT, check_refused, hang_s, run, wait_until
from tests.scripts.launch.test_launch import (
    ENDLESS,
    conditions,
    launch,
    launching,
    record_of,
    records,
    sourced,
    stop,
    stopping,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

LONGEST_S = 3.0
HEADER = "--- 20"
STOPPED = 143


@pytest.fixture
def offsets(chaos):
    """Delays up to LONGEST_S, most of them in the short time that a launch takes."""
    return [LONGEST_S * share**3 for share in np.random.default_rng(8).random(100 if chaos else 3)]


@pytest.fixture
def roots(root: Path) -> Iterator[Path]:
    """Shared directories, one after the other."""
    return (root / str(i) for i in count())


def start(*command: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["env", *[f"{name}={value}" for name, value in environment.items()], *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = process.communicate(timeout=hang_s())
    return process.returncode, err


def living(root: Path) -> list[int]:
    """Return every island that runs on a directory, whatever the scripts remember of it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and {"evolve", str(root)} <= set(process.cmdline()):
                found.append(process.pid)
    return found


def outputs(root: Path) -> list[str]:
    return [path.read_text() for path in sorted((root / "launch").glob("*.out"))]


def check_whole(text: str) -> None:
    """An island's output says how it came, how it began and how it went."""
    assert text.startswith(HEADER)
    assert ": starting, 20 individuals by" in text
    assert "stopped at generation" in text


def test_of_two_launches_at_any_offset_one_starts_the_islands_and_stop_stops_them(
    roots: Iterator[Path], offsets: list[float], tally: Callable[..., None]
) -> None:
    tally(32, launches_at_once=len(offsets))
    for root, offset_s in zip(roots, offsets, strict=False):
        first = start(*launching(root, "--background", "2", *ENDLESS))
        time.sleep(offset_s)
        second = start(*launching(root, "--background", "2", *ENDLESS))
        told = sorted([ended(first), ended(second)])
        assert [code for code, _ in told] == [0, 4], told
        assert told[1][1].startswith("error: ")
        assert len(told[1][1].splitlines()) == 1
        assert len(records(root)) == 2
        assert "2 islands stopped" in stop(root).stdout
        assert living(root) == []
        for text in outputs(root):
            check_whole(text)


def test_a_launcher_killed_at_any_moment_blocks_nobody_and_leaves_no_island_unknown(
    roots: Iterator[Path], offsets: list[float]
) -> None:
    for root, offset_s in zip(roots, offsets, strict=False):
        first = start(*launching(root, "--background", "2", *ENDLESS))
        time.sleep(offset_s / 6)
        first.kill()
        ended(first)
        again = launch(root, "--background", "2", *ENDLESS)
        assert again.returncode in {0, 4}, again.stderr
        assert "starting or stopping" not in again.stderr
        stop(root)
        assert living(root) == []


def test_a_stop_while_islands_are_launched_stops_all_or_none(roots: Iterator[Path], offsets: list[float]) -> None:
    for root, offset_s in zip(roots, offsets, strict=False):
        launcher = start(*launching(root, "--background", "3", *ENDLESS))
        time.sleep(offset_s / 6)
        stopped = stop(root).stdout
        assert ended(launcher)[0] in {0, STOPPED}
        assert len(living(root)) == (0 if "3 islands stopped" in stopped else 3)
        stop(root)
        assert living(root) == []


def test_a_stop_waits_for_what_is_being_launched(root: Path) -> None:
    (root / "launch").mkdir(parents=True)
    sleepers = [start("sleep", "6000") for _ in range(2)]
    writing = [f"write_record '{record_of(root, f'island-0{i}')}' {sleeper.pid}" for i, sleeper in enumerate(sleepers)]
    with launch_in_progress(root, writing[0], finally_=writing[1]) as launcher:
        stopper = start(*stopping(root))
        time.sleep(0.5)  # more than it takes to look
        launcher.communicate("\n", timeout=hang_s())
    out, err = stopper.communicate(timeout=hang_s())
    for sleeper in sleepers:
        sleeper.communicate(timeout=hang_s())
    assert "2 islands stopped" in out, err


@contextlib.contextmanager
def launch_in_progress(root: Path, command: str, finally_: str = "true") -> Iterator[subprocess.Popen[str]]:
    """A process that holds what launchers hold, and has done the one command, but not yet the other."""
    script = f"source scripts/processes.bash; take '{root}/launch'; {command}; echo; read -r; {finally_}"
    with subprocess.Popen(
        ["bash", "-euc", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout
        launcher.stdout.readline()
        try:
            yield launcher
        finally:
            launcher.kill()


def test_a_launcher_that_dies_as_an_island_starts_leaves_it_on_record(root: Path, tmp_path: Path) -> None:
    deadly = stand_in(tmp_path, "setsid", "kill -9 $PPID")
    assert launch(root, "--background", "1", *ENDLESS, **deadly).returncode == -9
    wait_until(lambda: conditions(root) == ["running"], "the island")
    assert "1 islands stopped" in stop(root).stdout
    assert living(root) == []


def stand_in(place: Path, program: str, first: str) -> dict[str, str]:
    """Return a PATH on which a program does something else first."""
    programs = place / "bin"
    programs.mkdir()
    (programs / program).write_text(f'#!/bin/sh\n{first}\nexec {shutil.which(program)} "$@"\n')
    (programs / program).chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}"}


def test_a_launch_that_waits_for_its_islands_keeps_nobody_from_stopping_them(root: Path) -> None:
    launcher = start(*launching(root, "--background", "--wait", "1", *ENDLESS))
    wait_until(lambda: conditions(root) == ["running"], "the island")
    assert "1 islands stopped" in stop(root).stdout
    assert ended(launcher)[0] == STOPPED


def test_a_stop_that_waits_keeps_nobody_from_stopping_at_once(root: Path, stranger: subprocess.Popen[bytes]) -> None:
    sourced(f"write_record '{record_of(root, 'island-01')}' {stranger.pid}")
    patient = start(*stopping(root))
    assert patient.stdout
    patient.stdout.readline()
    assert "1 islands stopped" in stop(root, "--now").stdout
    assert ended(patient)[0] == 0


def test_a_stop_leaves_alone_the_session_that_was_launched_while_it_waited(
    root: Path, stranger: subprocess.Popen[bytes], tmux: dict[str, str]
) -> None:
    sourced(f"write_record '{record_of(root, 'island-02')}' {stranger.pid}")
    stopper = start(*stopping(root))
    assert stopper.stdout
    stopper.stdout.readline()
    wait_until(lambda: launch(root, "--tmux", "1", *ENDLESS, **tmux).returncode == 0, "the lock to be let go")
    stranger.kill()
    assert ended(stopper)[0] == 0
    assert run("tmux", "has-session", "-t", "atoll", **tmux).returncode == 0
    wait_until(lambda: conditions(root)[:1] == ["running"], "the island of the new session")
    assert "1 islands stopped" in stop(root, **tmux).stdout


def test_who_looked_long_ago_takes_no_number_that_was_used_since(root: Path) -> None:
    """Its look is a stand-in that sees, the first time, what was there before the lock was taken."""
    (root / "launch").mkdir(parents=True)
    with launch_in_progress(root, f"mv '{root}/launch/lock-1@'* '{root}/launch/lock-3@'\"$this_host\"") as launcher:
        look = f"looks='{root}/looks'; highest_lock() {{ [ ! -e $looks ] || echo 3; touch $looks; }}"
        assert sourced(f"{look}; take '{root}/launch' || echo refused") == "refused"
        assert [path.name.split("@")[0] for path in (root / "launch").iterdir()] == ["lock-3"]
        assert sourced(f"holder '{root}/launch'") == f"process {launcher.pid}"


def test_a_launch_in_tmux_and_one_in_the_background_do_not_mix(root: Path, tmux: dict[str, str]) -> None:
    launchers = [start(*launching(root, mode, "2", *ENDLESS), **tmux) for mode in ("--tmux", "--background")]
    told = sorted(map(ended, launchers))
    assert [code for code, _ in told] == [0, 4], told
    assert "2 islands stopped" in stop(root, **tmux).stdout
    assert living(root) == []


def test_of_launches_on_two_hosts_each_stops_its_own_and_no_output_is_emptied(root: Path, tmp_path: Path) -> None:
    """The second host is a stand-in: a program that says another name."""
    there = stand_in(tmp_path, "uname", '[ "$*" != -n ] || exec echo elsewhere')
    assert launch(root, "--background", "2", *ENDLESS).returncode == 0
    refused = launch(root, "--background", "2", *ENDLESS, **there)
    assert refused.returncode == 4
    assert "island-01 ended with exit code 4: " in refused.stderr
    assert "0 islands stopped" in stop(root, **there).stdout
    assert len(living(root)) == 2
    assert "2 islands stopped" in stop(root).stdout
    assert living(root) == []
    for text in outputs(root):
        check_whole(text)
        assert text.count(HEADER) == 2


def test_who_launches_while_another_one_does_is_told_at_once_who_that_is(root: Path) -> None:
    (root / "launch").mkdir(parents=True)
    with launch_in_progress(root, "true") as launcher:
        refused = launch(root, "--background", "1", *ENDLESS)
        check_refused(refused, 4, f"process {launcher.pid} is starting or stopping islands in {root}; try again")
        check_refused(stop(root, "--timeout", "0"), 4, f"process {launcher.pid} is starting")
    assert launch(root, "--background", "1", *ENDLESS).returncode == 0


def test_of_many_that_come_at_once_one_holds_the_lock_at_a_time(root: Path) -> None:
    """Each adds one to a number that is lost if two do so at once; all are done, so nobody was blocked for good."""
    (root / "launch").mkdir(parents=True)
    number = root / "number"
    number.write_text("0\n")
    turns = f"until take '{root}/launch'; do :; done; n=$(<'{number}'); sleep 0.01; echo $((n + 1)) >'{number}'"
    script = f"source scripts/processes.bash; for i in 1 2 3 4 5; do {turns}; let_go; done"
    takers = [start("bash", "-euc", script) for _ in range(6)]
    assert [ended(each) for each in takers] == [(0, "")] * 6
    assert number.read_text() == "30\n"
    assert len(list((root / "launch").iterdir())) == 1


def test_an_island_takes_nobodys_place_on_record(root: Path) -> None:
    assert launch(root, "--background", "1", *ENDLESS).returncode == 0
    record = record_of(root, "island-01")
    before = record.read_text()
    late = start("bash", "scripts/recorded.bash", str(record), "echo", "an island")
    assert ended(late) == (4, f"error: it was started meanwhile, as process {before.split()[0]}\n")
    assert record.read_text() == before


def test_what_is_on_record_is_a_living_process_before_it_is_an_island(root: Path) -> None:
    (root / "launch").mkdir(parents=True)
    record = record_of(root, "island-01")
    seen = start("bash", "scripts/recorded.bash", str(record), "bash", "-c", f"cat '{record}'; echo $$")
    out, _ = seen.communicate(timeout=hang_s())
    assert out.split()[0] == out.split()[-1] == str(seen.pid)


def test_a_record_that_is_not_written_starts_no_island(root: Path) -> None:
    root.mkdir()
    (root / "launch").touch()
    told = start("bash", "scripts/recorded.bash", f"{root}/launch/island-01@here.pid", "touch", f"{root}/started")
    code, err = ended(told)
    assert code == 7
    assert err.startswith(f"error: cannot write in {root}/launch: ")
    assert not (root / "started").exists()
    check_refused(launch(root, "--background", "1", *ENDLESS), 7, f"cannot write in {root}/launch")


def test_a_record_of_what_has_ended_gives_way_and_one_of_the_living_does_not(root: Path) -> None:
    (root / "launch").mkdir(parents=True)
    dead, alive = root / "launch/dead", root / "launch/alive"
    dead.write_text("1 never\n")
    alive.write_text(f"{os.getpid()} {sourced(f'start_of {os.getpid()}')}\n")
    sourced(f"clear_record '{dead}'; clear_record '{alive}'; clear_record '{root}/launch/none'")
    assert [path.name for path in (root / "launch").iterdir()] == ["alive"]


def test_a_link_in_the_place_of_a_file_of_ours_is_not_written_through(root: Path, tmp_path: Path) -> None:
    """Whoever may write the shared directory can put one there."""
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (root / "launch").mkdir(parents=True)
    (root / "launch/island-01.out").symlink_to(precious)
    check_refused(launch(root, "--background", "1", *ENDLESS), 7, "island-01.out is a link")
    sourced(f"take '{root}/launch'; ln -sf '{precious}' \"$held\"; let_go")
    record, temporary = record_of(root, "island-02"), f"{root}/launch/.tmp-$$-island-02@{os.uname().nodename}.pid"
    sourced(f"ln -s '{precious}' {temporary}; write_record '{record}' $$")
    assert precious.read_text() == "kept"


def test_a_stop_asks_no_tmux_server_of_another_account(root: Path, tmp_path: Path) -> None:
    """A client of tmux obeys its server, also where that tells it to write a file."""
    if os.geteuid():
        pytest.skip("giving a file to another account is not permitted to this one")
    socket, asked, program = tmp_path / "socket", tmp_path / "asked", tmp_path / "tmux"
    socket.touch()
    os.chown(socket, 1001, 1001)
    program.write_text(f"#!/bin/sh\ntouch '{asked}'\n")
    program.chmod(0o755)
    (root / "launch").mkdir(parents=True)
    (root / f"launch/tmux-0@{os.uname().nodename}").write_text(f"$0 1 2 {socket}\n")
    assert stop(root, PATH=f"{tmp_path}:{os.environ['PATH']}").returncode == 0
    assert not asked.exists()


def test_output_of_one_run_is_kept_together_and_goes_where_the_run_goes(root: Path) -> None:
    for _ in range(2):
        assert launch(root, "--background", "1", *ENDLESS).returncode == 0
        stop(root)
    [text] = outputs(root)
    assert text.count(HEADER) == 2
    assert launch(root, "--background", "--fresh", "1", *ENDLESS).returncode == 0
    [archived] = (root / "old").glob("run-*/launch/island-01.out")
    assert archived.read_text() == text
    assert outputs(root)[0].count(HEADER) == 1


def test_islands_that_do_not_begin_are_named_with_their_reason_without_waiting_for_the_others(root: Path) -> None:
    assert launch(root, "--background", "1", *ENDLESS).returncode == 0
    told = launch(root, "--background", "2", "-p", "20", "--migrants", "30")
    assert told.returncode == 2
    assert "island-02 ended with exit code 2: error: --migrants must be smaller" in told.stderr
    wait_until(lambda: conditions(root)[0] == "running", "the first island")


@pytest.mark.parametrize("name", ["-dashes", "new\nlines\n", "a 'quote' and \"two\"", "#S %H $HOME"])
def test_a_directory_may_have_any_name(name: str, root: Path, tmux: dict[str, str]) -> None:
    here = root / name
    here.mkdir(parents=True)
    for mode in ("--background", "--tmux"):
        command = [f"{ROOT}/scripts/launch_islands.sh", *launching(here, mode, "1", *ENDLESS)[1:]]
        command[command.index("--dir") + 1] = name
        launched = subprocess.run(
            command, cwd=here, env={**os.environ, **tmux}, capture_output=True, text=True, timeout=hang_s(), check=False
        )
        assert launched.returncode == 0, launched.stderr
        wait_until(lambda: conditions(here / name) == ["running"], "the island")
        stopper = [f"{ROOT}/scripts/stop_islands.sh", "--dir", name]
        stopped = subprocess.run(stopper, cwd=here, capture_output=True, text=True, timeout=hang_s(), check=False)
        assert "1 islands stopped" in stopped.stdout, stopped.stderr
