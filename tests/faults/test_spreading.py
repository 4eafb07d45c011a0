"""Islands whose tasks spread over processes: they end, they stop, they leave nobody behind, and they lose nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.faults.spreading import CONSTRUCTOR, EVALUATE, IMPORT, WAYS, source
from tests.faults.test_signals_at_start import is_before_the_first_line
from tests.processes import ROOT, hang_s, wait_until
from tests.scripts.run.island_process import outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

RUNS = 20
MOMENTS = 10
LAST = 5
SETTINGS = ("-p", "6", "-g", str(LAST), "--tournament-size", "2", "--migrants", "1", "--topology", "none")
USUAL = (("pool-fork", EVALUATE), ("pool-spawn", CONSTRUCTOR), ("executor-fork", IMPORT), ("program", CONSTRUCTOR))
CODES = {
    signal.SIGINT: {0, 130, -signal.SIGINT},  # a shell shows 130 for one that Ctrl-C ends before it listens
    signal.SIGTERM: {0, 143, -signal.SIGTERM},
    signal.SIGKILL: {0, -signal.SIGKILL},
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "way" in metafunc.fixturenames:
        metafunc.parametrize(("way", "when"), WAYS if metafunc.config.getoption("--chaos") else USUAL)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory in which nobody is left running."""
    yield tmp_path
    for process in running_in(tmp_path):
        process.kill()


def running_in(place: Path) -> list[psutil.Process]:
    """Return the processes that work in a directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(place):
                found.append(process)
        except psutil.Error:
            continue
    return found


def command(place: Path, root: str) -> list[str]:
    task = f"{place / 'spread.py'}:Spread"
    return [sys.executable, str(ROOT / "cli.py"), "evolve", "a", "--task", task, *SETTINGS, "--migration-dir", root]


def start(place: Path, root: str) -> subprocess.Popen[str]:
    """Start an island as a terminal does: in a process group of its own."""
    return subprocess.Popen(
        command(place, root),
        cwd=place,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for an island; return its exit code and what it said, without a traceback.

    A worker of one that was killed may find its pipe broken, and say so, before the guard ends it.
    """
    try:
        out, error = process.communicate(timeout=hang_s())
    except subprocess.TimeoutExpired:
        pytest.fail(f"it hangs: {[each.cmdline() for each in psutil.Process(process.pid).children(recursive=True)]}")
    is_killed = process.returncode == -signal.SIGKILL
    if not (is_before_the_first_line(error) or (is_killed and str(ROOT) not in error)):
        assert "Traceback" not in out + error, error
    return process.returncode, out + error


def run(place: Path, root: str) -> float:
    """Run an island to its end and return how long that took."""
    began_s = time.monotonic()
    code, said = ended(start(place, root))
    assert code == 0, said
    wait_until(lambda: not running_in(place), "the last of the task's processes to end")
    return time.monotonic() - began_s


def interrupt(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Signal a process as its sender does: a terminal and `timeout` mean the whole group, `kill -9` the one."""
    if process.poll() is None:
        (os.kill if number == signal.SIGKILL else os.killpg)(process.pid, number)


def check_goes_on(place: Path, root: str) -> None:
    """Hold an island that was stopped, and goes on to its end, against one that was never disturbed."""
    run(place, root)
    stopped, whole = outcome(place / root), outcome(place / "undisturbed")
    for each in (stopped, whole):
        each["checkpoints"] = each["checkpoints"][f"gen-{LAST}.safetensors"]  # a stop adds one of where it came
    assert stopped == whole


def test_an_island_whose_task_spreads_over_processes_ends_and_leaves_none(place, way, when, chaos, tally) -> None:
    (place / "spread.py").write_text(source(way, when))
    for i in range(RUNS if chaos else 1):
        run(place, f"run-{i}")
    tally(30, runs_to_the_end=RUNS if chaos else 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_whenever_it_is_stopped_it_leaves_no_process_and_goes_on_to_the_same_end(  # noqa: PLR0917 - fixtures
    place, way, when, number, chaos, tally
) -> None:
    (place / "spread.py").write_text(source(way, when))
    whole_s = run(place, "undisturbed")
    rng = random.Random(f"{way} {when} {number}")  # noqa: S311 - which moments, not which secrets
    stopped = 0
    for i in range(MOMENTS if chaos else 1):
        process = start(place, f"stopped-{i}")
        time.sleep(rng.random() * whole_s)
        interrupt(process, number)
        code, said = ended(process)
        assert code in CODES[number] or is_before_the_first_line(said), said
        wait_until(lambda: not running_in(place), "the last of the task's processes to end")
        stopped += code != 0
        check_goes_on(place, f"stopped-{i}")
    tally(30, signals=MOMENTS if chaos else 1, stopped=stopped)
