"""Whatever a task does to its process, its island's files, signals and output stay what they are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.evo.errors import TaskError
from atoll.evo.paths import SharedPaths
from tests.processes import ROOT, check_refused, hang_s, run, wait_until
from tests.scripts.run.island_process import last_generation

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SETTINGS = ("-p", "9", "-g", "4", "--migrants", "2", "--tournament-size", "2", "--migrate-every", "2")
VALLEY = """
{before}
bounds = [(-5.0, 5.0)] * 3

def f(x):
    {within}
    return -float((x * x).sum())
"""


def evolve(place: Path, *arguments: str, island: str = "a", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "cli.py", "evolve", island, "--task", "task.py:f", *SETTINGS, *arguments]
    return run(*command, cwd=place, **environment)


def write(place: Path, *, before: str = "import os", within: str = "pass") -> None:
    (place / "task.py").write_text(VALLEY.format(before=before, within=within))


@pytest.mark.parametrize(
    ("before", "within"),
    [
        ("import os; os.chdir('sub')", "pass"),
        ("import os, tempfile", "os.chdir(tempfile.mkdtemp(dir='.'))"),
        ("import os", "os.chdir('/')"),
    ],
)
def test_a_task_that_changes_directory_moves_nothing(tmp_path: Path, before: str, within: str) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, before=before, within=within)
    for island in ("a", "b"):
        ended = evolve(tmp_path, "--migration-dir", "runs", island=island)
        assert ended.returncode == 0, ended.stderr
        assert f"runs/islands/{island}/champion.safetensors" in ended.stdout
    shared = SharedPaths(tmp_path / "runs")
    assert sorted(path.name for path in shared.pool.iterdir() if path.is_dir()) == ["a", "b", "locks"]
    assert last_generation(shared.root, "b") == 4
    assert "imported" in shared.island("b").migration_log.read_text()
    assert not list((tmp_path / "sub").iterdir())


def test_a_replay_of_a_task_that_changes_directory_finds_its_recording(tmp_path: Path) -> None:
    write(tmp_path, before="import os; os.chdir('/')")
    assert evolve(tmp_path, "--migration-dir", "runs").returncode == 0
    replay = ("evolve", "a", "--task", "task.py:f", "--mode", "replay", "--replay-from", "runs/islands/a")
    ended = run(sys.executable, ROOT / "cli.py", *replay, "--migration-dir", "again", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "the replay equals the recording" in ended.stdout


def test_what_a_task_and_its_programs_print_is_no_line_of_the_json(tmp_path: Path) -> None:
    within = "print('noise'); subprocess.run(['echo', 'noise of a program']); os.write(1, b'noise of the descriptor')"
    write(tmp_path, before="import os, subprocess", within=within)
    ended = evolve(tmp_path, "--json")
    records = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [record["generation"] for record in records if record["kind"] == "generation"] == [0, 1, 2, 3, 4]
    for words in ("noise\n", "noise of a program", "noise of the descriptor"):
        assert words in ended.stderr


def test_whatever_a_task_raises_is_told_in_one_line(tmp_path: Path) -> None:
    write(tmp_path, before="import asyncio", within="raise asyncio.CancelledError()")
    ended = evolve(tmp_path)
    assert ended.returncode == TaskError.exit_code
    assert "CancelledError (generation 0, genome 0 of 9)" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_a_task_does_to_the_umask_changes_no_file_of_the_island(tmp_path: Path) -> None:
    write(tmp_path, before="import os; os.umask(0o777)", within="os.umask(0o777)")
    mask = os.umask(0o022)
    try:
        assert evolve(tmp_path, "--migration-dir", "runs").returncode == 0
    finally:
        os.umask(mask)
    published = SharedPaths(tmp_path / "runs").island("a").publication(2)
    assert published.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in published.iterdir()} == {0o644}


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("pass", "came back from it, where it would be a second island"),
        ("raise OSError('mine')", "came back from it (OSError: mine)"),
        ("sys.exit('no data')", "no data"),
        ("sys.exit()", ""),
    ],
)
def test_a_process_that_a_task_forks_does_not_live_the_island_a_second_time(tmp_path: Path, end, words) -> None:
    (tmp_path / "at").touch()
    fork = "child = 1 if not os.path.exists('at') else (os.remove('at'), os.fork())[1]"
    wait = "os.waitpid(child, 0) if child > 1 else None"
    write(tmp_path, before="import os, sys", within=f"{fork}; {wait}\n    if not child: {end}")
    ended = evolve(tmp_path, "--migration-dir", "runs")
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    log = SharedPaths(tmp_path / "runs").island("a").log.read_text().splitlines()
    assert [json.loads(line)["generation"] for line in log[1:]] == [0, 1, 2, 3, 4]
    assert words in ended.stderr
    assert ended.stdout.count("a is done at generation 4") == 1


def test_a_process_that_is_forked_while_a_task_is_loaded_does_not_live_the_island_too(tmp_path: Path) -> None:
    write(tmp_path, before="import os; child = os.fork(); os.waitpid(child, 0) if child else None")
    ended = evolve(tmp_path, "--migration-dir", "runs")
    assert (ended.returncode, ended.stdout.count("epoch 1 starts here")) == (0, 1), ended.stderr
    assert "came back from it, where it would be a second island" in ended.stderr


def started(place: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "cli.py"), "evolve", "a", "--task", "task.py:f", *SETTINGS, "-g", "1000000"]
    return subprocess.Popen(
        [*command, *arguments],
        cwd=place,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_task_that_handles_the_stop_signals_itself_does_not_keep_its_island_from_stopping(tmp_path, number) -> None:
    write(tmp_path, before="import signal\nfor n in (2, 15): signal.signal(n, lambda *_: print('mine'))")
    island = started(tmp_path, "--migration-dir", "runs")
    wait_until(lambda: last_generation(tmp_path / "runs") > 0, "a generation")
    island.send_signal(number)
    out, _ = island.communicate(timeout=hang_s())
    assert island.returncode == 128 + number
    assert "stopped at generation" in out
    assert "mine" not in out


def test_a_task_that_blocks_the_stop_signals_does_not_keep_its_island_from_stopping(tmp_path) -> None:
    block = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})"
    write(tmp_path, before=f"import signal; {block}", within=block)
    island = started(tmp_path, "--migration-dir", "runs")
    wait_until(lambda: last_generation(tmp_path / "runs") > 0, "a generation")
    island.send_signal(signal.SIGTERM)
    out, _ = island.communicate(timeout=hang_s())
    assert (island.returncode, "stopped at generation" in out) == (143, True)


def test_a_stop_signal_that_also_ends_the_program_of_a_task_is_the_stop(tmp_path: Path) -> None:
    """As systemd and `scancel` signal every process of a job."""
    (tmp_path / "slow.sh").write_text("echo $$ >>pids; sleep 1000\n")
    quick = "[float(p) for p in subprocess.run(['echo', '1'], capture_output=True, check=True).stdout.split()]"
    slow = "subprocess.run(['sh', 'slow.sh'], check=True) if os.path.exists('go') else None"
    write(tmp_path, before="import os, subprocess", within=f"{quick}; {slow}")
    island = started(tmp_path, "--migration-dir", "runs")
    wait_until(lambda: last_generation(tmp_path / "runs") > 2, "some generations")
    (tmp_path / "go").touch()
    wait_until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().endswith("\n"), "the program")
    [program] = map(int, (tmp_path / "pids").read_text().split())
    os.kill(island.pid, signal.SIGTERM)
    os.killpg(os.getpgid(program), signal.SIGTERM)
    out, error = island.communicate(timeout=hang_s())
    assert (island.returncode, "Traceback" in error) == (143, False), error
    assert "stopped at generation" in out
    assert len((tmp_path / "pids").read_text().split()) == 1, "nobody looked for the individual that failed"
    (tmp_path / "go").unlink()
    reached = last_generation(tmp_path / "runs")
    ended = evolve(tmp_path, "--migration-dir", "runs", "-g", str(reached + 2))
    assert ended.returncode == 0, ended.stderr
    assert f"resuming at generation {reached}" in ended.stdout


def test_the_first_ctrl_c_is_answered_before_the_generation_is_over(tmp_path: Path) -> None:
    write(tmp_path, before="import os, time", within="time.sleep(0.01 if not os.path.exists('go') else 3600)")
    island = started(tmp_path, "--migration-dir", "runs", "--checkpoint-every", "2")
    wait_until(lambda: last_generation(tmp_path / "runs") >= 2, "a checkpoint")
    (tmp_path / "go").touch()
    island.send_signal(signal.SIGINT)
    assert island.stderr
    said = island.stderr.readline()
    assert said.startswith(
        "a: stopping after this generation; a second signal ends it at once, and loses what came after"
    )
    island.send_signal(signal.SIGINT)
    island.communicate(timeout=hang_s())
    assert island.returncode == -signal.SIGINT


def test_told_to_stop_before_it_begins_it_evaluates_nothing(tmp_path: Path) -> None:
    wait = "open('loading', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.01)"
    write(tmp_path, before=f"import os, time\n{wait}", within="open('evaluated', 'w')")
    island = started(tmp_path, "--migration-dir", "runs")
    wait_until((tmp_path / "loading").exists, "the task to be loaded")
    island.send_signal(signal.SIGTERM)
    assert island.stderr
    assert "stopping before it begins" in island.stderr.readline()
    (tmp_path / "go").touch()
    out, _ = island.communicate(timeout=hang_s())
    assert island.returncode == 143
    assert "a stopped before it began" in out
    assert not (tmp_path / "evaluated").exists()


@pytest.mark.parametrize("taken", ["sys.stdout = None", "sys.stdout = open('mine', 'w')", "sys.stdout.close()"])
def test_a_task_that_takes_standard_output_away_ends_no_island_and_gets_none_of_its_lines(tmp_path, taken) -> None:
    write(tmp_path, before=f"import sys; {taken}")
    ended = evolve(tmp_path, "--migration-dir", "runs")
    assert ended.returncode == 0, ended.stderr
    assert last_generation(tmp_path / "runs") == 4
    if "close" not in taken:
        assert "a is done at generation 4" in ended.stdout


def test_a_refusal_is_one_line_whatever_the_task_did_to_standard_output(tmp_path: Path) -> None:
    write(tmp_path, before="import os, sys; os.close(1); sys.stdout = None", within="return 'x'")
    check_refused(evolve(tmp_path), TaskError.exit_code, "must return a number")
