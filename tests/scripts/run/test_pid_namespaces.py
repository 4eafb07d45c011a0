"""Laws of containers on one host: same name, same boot, other process numbers: nobody there is called dead or alive."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.evo.paths import SharedPaths
from atoll.migration.pool import epochs
from tests.processes import ROOT, atoll, check_refused, run, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
ENDLESS = ("-p", "20", "-g", "1000000", "--task", "sphere", "--migrate-every", "50")
HOST = socket.gethostname()


@pytest.fixture(scope="module", autouse=True)
def _containers() -> None:
    """Skip where nobody may make a namespace."""
    if shutil.which("unshare") is None or run(*CONTAINER, "true").returncode:
        pytest.skip("a pid namespace of its own is not permitted here")


def contained(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return run(*CONTAINER, *command)


def in_container(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return contained(sys.executable, "cli.py", *arguments, "--migration-dir", root)


def begin(root: Path, *prefix: str) -> subprocess.Popen[bytes]:
    command = [*prefix, sys.executable, "cli.py", "evolve", "island-01", *ENDLESS, "--migration-dir", str(root)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(SharedPaths(root).island("island-01").log.exists, "the island's log")
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory in which an island runs, in our own namespace."""
    process = begin(tmp_path / "shared")
    yield tmp_path / "shared"
    end(process)


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Path]:
    """The same, where the island runs in a container."""
    process = begin(tmp_path / "shared", *CONTAINER)
    yield tmp_path / "shared"
    end(process)


def told(ended: subprocess.CompletedProcess[str], what: str) -> dict[str, object]:
    assert ended.returncode == 0, ended.stderr
    row: dict[str, object] = json.loads(ended.stdout)[what][0]
    return row


def test_a_running_island_is_elsewhere_for_whoever_is_in_a_container(outside: Path) -> None:
    assert told(in_container(outside, "status", "--json"), "islands")["condition"] == "elsewhere"
    assert told(in_container(outside, "pool", "owners", "--json"), "owners")["state"] == "unknown"
    assert told(atoll("status", "--json", "--migration-dir", outside), "islands")["condition"] == "running"


def test_a_running_island_in_a_container_is_elsewhere_for_whoever_is_not(inside: Path) -> None:
    owner = told(atoll("pool", "owners", "--json", "--migration-dir", inside), "owners")
    assert owner["state"] == "unknown"
    assert str(owner["host"]).startswith(f"{HOST}?pidns-")
    assert told(atoll("status", "--json", "--migration-dir", inside), "islands")["condition"] == "elsewhere"
    shown = atoll("pool", "owners", "--migration-dir", inside).stdout
    assert f"{HOST} in pid namespace " in shown


def test_a_second_start_in_a_container_says_who_holds_the_island_and_takes_it_when_told_to(outside: Path) -> None:
    epoch = epochs.latest(SharedPaths(outside).island("island-01"))
    assert epoch is not None
    again = ("evolve", "island-01", *ENDLESS)
    check_refused(in_container(outside, *again), 4, f"process {epoch.pid} on {HOST}, since", "use --take-over")
    taking = in_container(outside, *again[:2], "-p", "20", "-g", "1", *ENDLESS[4:], "--take-over")
    assert f"taking island-01 over from process {epoch.pid} on {HOST}" in taking.stdout, taking.stderr


def test_stopping_in_a_container_leaves_the_record_of_a_living_island(tmp_path: Path) -> None:
    root = tmp_path / "shared"
    launcher = ("scripts/launch_islands.sh", "--python", sys.executable, "--background", "--dir", root)
    assert run(*launcher, "1", *ENDLESS).returncode == 0
    [record] = (root / "launch").glob("*.pid")
    ended = contained("scripts/stop_islands.sh", "--dir", root)
    assert record.exists()
    assert f"left alone: island-01 was started on {HOST}; stop it there" in ended.stderr
    assert "1 islands stopped" in run("scripts/stop_islands.sh", "--dir", root).stdout


def test_a_record_of_the_host_s_own_namespace_is_what_older_versions_wrote(tmp_path: Path) -> None:
    """So they read it; only where they judged wrongly, in a container, a record has more in its host."""
    if os.stat("/proc/self/ns/pid").st_ino != epochs.INITIAL_PID_NAMESPACE:  # noqa: PTH116
        pytest.skip("looking from the host's own pid namespace is not permitted in a container")
    paths = SharedPaths(tmp_path).island("a")
    claimed = epochs.claim(paths, after=0, generation=0, target=1, population=2, task="sphere")
    assert claimed.host == HOST
    assert set(json.loads(paths.epoch(1).read_bytes())) == set(epochs.Epoch.__annotations__)
