from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.processes import kill_all_in, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A shared directory; what still runs on it in the end is killed, whatever the scripts remember of it."""
    try:
        yield tmp_path / "s"
    finally:
        kill_all_in(tmp_path)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A tmux server of this test's own."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    sockets = tmp_path / "tmux"
    sockets.mkdir(mode=0o700)
    environment = {"TMUX_TMPDIR": str(sockets), "TMUX": ""}
    try:
        yield environment
    finally:
        run("tmux", "kill-server", **environment)


@pytest.fixture
def stranger(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that no script started, and that is not impressed by SIGTERM."""
    process = subprocess.Popen(
        ["bash", "-c", "trap '' TERM; echo; read"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    (root / "launch").mkdir(parents=True)
    try:
        assert process.stdout
        process.stdout.read(1)
        yield process
    finally:
        process.kill()
        process.communicate()
