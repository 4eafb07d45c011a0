from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.processes import ROOT, atoll, hang_s, wait_until
from tests.test_cli import QUICK

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """Run a command on a pseudo-terminal and return all it wrote."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "cli.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **environment},
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the terminal's other side is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(ours)
    process.wait()
    return written.decode()


def test_colour_is_for_terminals_and_no_color_is_respected(tmp_path: Path) -> None:
    atoll("evolve", "i", *QUICK, "--migration-dir", tmp_path / "s")
    arguments = ("status", "--migration-dir", str(tmp_path / "s"))
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9]m")
    bold = "\x1b[1m"
    assert bold in on_a_terminal(*arguments)
    assert not colour.search(on_a_terminal(*arguments, NO_COLOR="1"))
    assert "\x1b" not in atoll(*arguments).stdout


def test_an_island_on_a_terminal_shows_its_last_generation(tmp_path: Path) -> None:
    shown = on_a_terminal("evolve", "i", *QUICK, "--migration-dir", str(tmp_path / "s"))
    assert "gen 20/20" in shown
    assert "i is done at generation 20" in shown


def test_an_island_outlives_its_terminal_until_it_has_checkpointed(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    endless = ["i", *QUICK, "-g", "1000000", "--checkpoint-every", "1000000", "--topology", "none"]
    island = subprocess.Popen(
        ["setsid", "--ctty", "--wait", sys.executable, "cli.py", "evolve", *endless, "--migration-dir", tmp_path / "s"],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    wait_until((tmp_path / "s/islands/i/log.jsonl").exists, "the island's start")
    os.close(ours)
    assert island.wait(hang_s()) == 129
    assert list((tmp_path / "s/islands/i/checkpoint").iterdir())
