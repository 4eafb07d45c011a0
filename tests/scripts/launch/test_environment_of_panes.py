"""What an island in a tmux pane is started with: all that its launcher has, whatever tmux's server has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.processes import ROOT, hang_s, run, wait_until
from tests.scripts.launch.test_launch import ENDLESS, conditions, launch, launching, stop

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

DUMPING = """
import os
bounds = [(-1.0, 1.0)] * 3
with open({0!r}, "wb") as out:
    out.write(b"\\0".join(name + b"=" + value for name, value in os.environb.items()))
mask = os.umask(0)
os.umask(mask)
with open({0!r} + ".umask", "w") as out:
    out.write(oct(mask))
def f(x):
    return float(sum(x))
"""
TERMINAL = {b"TERM", b"TMUX", b"TMUX_PANE", b"TERM_PROGRAM", b"TERM_PROGRAM_VERSION", b"COLUMNS", b"LINES"}
SHELL = {b"SHLVL", b"PWD", b"OLDPWD", b"_"}
SET_BY_AN_ISLAND = b"_THREADS"
PRIVATE = "not for other people's eyes"
FUNCTION = b"BASH_FUNC_hello%%"
OURS = {
    b"MY_DATA": PRIVATE.encode(),
    b"LINES_OF_TEXT": b"one\ntwo = 2\n\n",
    b"QUOTES": b"""a 'b' "c" `d` $e \\f \\""",
    b"NOT_UTF_8": b"caf\xe9 \xff\x01\t\x7f",
    b"UNICODE": "Größe 漢字".encode(),
    b"EMPTY": b"",
    b"EQUALS": b"=a=b=",
    b"PATTERN": b"* ? [a] {b,c} ~ #S %H #{pid}",
    b"LONG": b"x" * 100_000,
    b"LONGER": b"y z" * 40_000,
    b"PYTHONPATH": b"/of/launcher",
    b"CUDA_VISIBLE_DEVICES": b"1,0",
    b"mode": b"mine",  # a variable of the launcher's own
    FUNCTION: b"() {  echo \"hello 'you'\"\n}",
}


@pytest.fixture
def server(tmux: dict[str, str]) -> dict[str, str]:
    """A tmux server that was started before, with another environment."""
    others = {"MY_DATA": "of server", "ONLY_OF_SERVER": "1", "PYTHONPATH": "/of/server", "BASH_ENV": "/nowhere"}
    started = run("tmux", "new-session", "-d", "-s", "before", "cat", **tmux, **others)
    assert started.returncode == 0, started.stderr
    return tmux


def dumping(place: Path) -> str:
    task = place / "dump.py"
    task.write_text(DUMPING.format(str(place / "seen")))
    return f"{task}:f"


def launch_with(environment: dict[bytes, bytes], root: Path, *arguments: str, umask: int = 0o022) -> None:
    launched = subprocess.run(
        launching(root, *arguments),
        cwd=ROOT,
        env=environment,
        umask=umask,
        capture_output=True,
        timeout=hang_s(),
        check=False,
    )
    assert launched.returncode == 0, launched.stderr


def inherited(environment: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return what comes from who launched: neither the terminal's, nor the shell's own, nor an island's own."""
    return {
        name: value
        for name, value in environment.items()
        if name not in TERMINAL | SHELL and not name.endswith(SET_BY_AN_ISLAND)
    }


def seen_by(place: Path) -> dict[bytes, bytes]:
    return dict(entry.split(b"=", 1) for entry in (place / "seen").read_bytes().split(b"\0"))


@pytest.mark.parametrize("mode", ["--tmux", "--background"])
def test_an_island_has_the_environment_of_its_launcher_byte_for_byte(
    mode: str, root: Path, tmp_path: Path, server: dict[str, str]
) -> None:
    ours = {**os.environb, **{name.encode(): value.encode() for name, value in server.items()}, **OURS}
    task = dumping(tmp_path)
    launch_with(ours, root, mode, "1", "--task", task, "-p", "12", "-g", "2", "--migrants", "2", umask=0o027)
    wait_until(lambda: conditions(root) == ["finished"], "the island")
    seen = seen_by(tmp_path)
    assert inherited(seen) == inherited(ours)
    assert (tmp_path / "seen.umask").read_text() == "0o27"
    if mode == "--tmux":
        assert seen[b"TERM"].startswith((b"screen", b"tmux"))
        assert seen[b"TMUX_PANE"].startswith(b"%")


def test_nothing_of_the_environment_is_on_a_command_line_or_stays_in_a_file(
    root: Path, tmp_path: Path, server: dict[str, str]
) -> None:
    programs, private, calls = tmp_path / "bin", tmp_path / "private", tmp_path / "calls"
    for folder in (programs, private):
        folder.mkdir()
    stand_in = programs / "tmux"
    listing = f"stat -c '%a %n' '{private}'/*/* '{private}'/* 2>/dev/null"
    stand_in.write_text(
        f"#!/bin/sh\n{{ printf '%s ' \"$@\"; echo; {listing}; }} >>'{calls}'\nexec {shutil.which('tmux')} \"$@\"\n"
    )
    stand_in.chmod(0o755)
    ours = {**server, "MY_DATA": PRIVATE, "TMPDIR": str(private), "PATH": f"{programs}:{os.environ['PATH']}"}
    assert launch(root, "--tmux", "3", *ENDLESS, **ours).returncode == 0
    told = calls.read_text()
    assert PRIVATE not in told
    modes = {line.split()[0] for line in told.splitlines() if line[3:].startswith(f" {private}")}
    assert modes == {"600", "700"}
    assert list(private.iterdir()) == []
    assert not [p for p in psutil.process_iter(["cmdline"]) if PRIVATE in " ".join(p.info["cmdline"] or [])]
    assert "3 islands stopped" in stop(root, **server).stdout


@pytest.mark.usefixtures("root")
def test_a_pane_is_where_the_launcher_is_whatever_its_folder_is_called(tmp_path: Path, server: dict[str, str]) -> None:
    here = tmp_path / "#S %H ' \" $x"
    here.mkdir()
    launcher = ROOT / "scripts/launch_islands.sh"
    small = ("-p", "12", "-g", "2", "--migrants", "2", "--task", "sphere")
    command = (launcher, "--python", sys.executable, "--tmux", "--dir", "here", "1", *small)
    assert run(*command, cwd=here, **server).returncode == 0
    wait_until(lambda: conditions(here / "here") == ["finished"], "the island")
