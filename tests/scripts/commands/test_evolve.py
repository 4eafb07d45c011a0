"""The command that evolves several islands: how they are named, spread, stopped, shown, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from atoll.evo.paths import SharedPaths
from tests.processes import ROOT, atoll, called, check_refused, hang_s, kill_all_in, wait_until
from tests.scripts.run.island_process import last_generation, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUICK = ("-p", "8", "-g", "6", "--task", "sphere", "--topology", "none")
NAMES = ("a", "b", "c")


def evolve(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return called("evolve", *QUICK, "--migration-dir", root, *arguments)


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, object]:
    """Return what each island leaves that lives alone."""
    for name in NAMES:
        assert evolve(tmp_path / "alone", name).returncode == 0
    return {name: outcome(tmp_path / "alone", name) for name in NAMES}


def test_several_names_and_a_count_evolve_as_many_islands(tmp_path: Path, alone: dict[str, object]) -> None:
    assert evolve(tmp_path / "named", *NAMES).returncode == 0
    assert {name: outcome(tmp_path / "named", name) for name in NAMES} == alone
    assert evolve(tmp_path / "counted", "--count", "12").returncode == 0
    islands = sorted(path.name for path in (tmp_path / "counted" / "islands").iterdir())
    assert islands == [f"island-{n:02}" for n in range(1, 13)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("name an island", "--count")),
        (("a", "--count", "2"), ("name an island", "--count")),
        (("a", "b", "a"), ("a is named twice",)),
        (("a", "b/c"), ("island name 'b/c' cannot be used",)),
        (("--count", "0"), ("--count",)),
        (("a", "b", "--processes", "0"), ("--processes",)),
        (("a", "b", "-o", "colour=red"), ("no option 'colour'",)),
    ],
)
def test_what_cannot_be_evolved_is_refused(tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    ended = evolve(tmp_path, *arguments)
    assert ended.returncode == 2
    assert all(word in ended.stderr for word in words), ended.stderr
    assert "Traceback" not in ended.stderr


def test_each_reads_its_own_section_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "islands.toml"
    file.write_text("[defaults]\ncheckpoint_every = 3\n[b]\ngenerations = 9\n")
    arguments = ("--config", str(file), "-p", "8", "--task", "sphere", "--migration-dir")
    assert called("evolve", *NAMES, *arguments, tmp_path / "shared", "--migrate-every", "3").returncode == 0
    assert [last_generation(tmp_path / "shared", name) == 9 for name in NAMES] == [False, True, False]


def test_the_exit_code_is_the_worst_and_each_error_names_its_island(tmp_path: Path) -> None:
    assert evolve(tmp_path, "b").returncode == 0
    ended = evolve(tmp_path, *NAMES, "-p", "9")
    check_refused(ended, 6, "error: b: ", "population was 8, now 9")
    assert last_generation(tmp_path, "c") == 6


def test_what_all_say_is_said_once_and_one_line_says_how_far_all_are(tmp_path: Path) -> None:
    ended = evolve(tmp_path, *NAMES)
    assert ended.stdout.count("task sphere") == ended.stdout.count("MIGRATION IS OFF") == 1
    assert "gen 6/6 of 3 islands  best " in ended.stdout
    assert [ended.stdout.count(f"{name} is done at generation 6") for name in NAMES] == [1, 1, 1]


def test_json_names_the_island_of_each_line(tmp_path: Path) -> None:
    ended = atoll("evolve", *NAMES, *QUICK, "--json", "--migration-dir", tmp_path)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    for name in NAMES:
        ours = [line for line in lines if line["island"] == name]
        assert [line["generation"] for line in ours if line["kind"] == "generation"] == [*range(7)]
        assert ours[0]["kind"] == "start"


def test_one_island_is_told_of_as_before(tmp_path: Path) -> None:
    ended = atoll("evolve", "a", *QUICK, "--json", "--migration-dir", tmp_path)
    assert all("island" not in json.loads(line) for line in ended.stdout.splitlines())


@pytest.mark.slow
def test_spread_over_processes_each_leaves_the_same(tmp_path: Path, alone: dict[str, object]) -> None:
    ended = atoll("evolve", *NAMES, *QUICK, "--processes", "2", "--migration-dir", tmp_path / "spread")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {name: outcome(tmp_path / "spread", name) for name in NAMES} == alone
    pids = {name: start_of(tmp_path / "spread", name)["pid"] for name in NAMES}
    assert pids["a"] == pids["c"] != pids["b"]


def start_of(root: Path, name: str) -> dict[str, object]:
    first = SharedPaths(root).island(name).log.read_text().splitlines()[0]
    start: dict[str, object] = json.loads(first)
    return start


ENDLESS = ("-p", "8", "-g", "100000000", "--task", "sphere", "--topology", "none", "--checkpoint-every", "1000000")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "shared"
    kill_all_in(tmp_path / "shared")


def begin(root: Path, processes: int) -> subprocess.Popen[str]:
    """Start three islands that never end, and wait until all evolve."""
    command = [sys.executable, "cli.py", "evolve", *NAMES, *ENDLESS, "--processes", str(processes)]
    process = subprocess.Popen(
        [*command, "--migration-dir", str(root)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: all(last_generation(root, name) > 0 for name in NAMES), "all to evolve")
    return process


def check_stopped(root: Path) -> None:
    for name in NAMES:
        newest = max(int(path.name[4:].split(".")[0]) for path in SharedPaths(root).island(name).checkpoints.iterdir())
        assert newest == last_generation(root, name)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_one_signal_stops_all_with_a_checkpoint(
    root: Path, processes: int, number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    """Sent to the command alone, or as a terminal does to all its processes."""
    with begin(root, processes) as process:
        send(process.pid, number)
        _, said = process.communicate(timeout=hang_s())
    assert process.returncode == 128 + number
    assert said.count("stopping after this generation") == processes
    assert "error" not in said
    check_stopped(root)


@pytest.mark.slow
def test_killed_the_command_takes_its_processes_with_it_in_order(root: Path) -> None:
    with begin(root, 2) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 2
        process.kill()
        psutil.wait_procs(children)
        wait_until(lambda: not any(child.is_running() for child in children), "the processes to end")
    check_stopped(root)
