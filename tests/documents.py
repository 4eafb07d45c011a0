"""The documents, and a copy of the checkout in which what they say is run."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.processes import ROOT, kill_all_in, run

if TYPE_CHECKING:
    from collections.abc import Iterator

FINDINGS = [ROOT / "docs" / f"{name}.md" for name in ("parallel-trials", "islands", "measured", "performance")]
"""Pages of the laboratory, whose commands are run with its tests."""

GUIDES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page not in FINDINGS)]
LIMIT_S = 600
"""Only what hangs takes so long."""

ENDLESS = {"python cli.py tail"}
"""Commands that go on until they are stopped; once they have printed something they are, and must end well."""

SMALLER = {
    '"-g 1000"': '"-g 10"',
    "evolve island-01 --migration-dir": "evolve island-01 -g 10 --migration-dir",
    "-o episodes=20 -p 64 -g 10 --migrate-every 2": "-o episodes=1 -p 8 -g 2 --migrate-every 1",
}
"""Sizes that take long, and the same in small; all other commands are run as they stand."""


def commands(page: Path) -> list[str]:
    """Return what a page tells its reader to run; a block of Python that begins with the name of a file is saved."""
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [command for language, block in blocks for command in (lines if language == "sh" else python)(block)]


def lines(block: str) -> list[str]:
    return [line for line in block.splitlines() if line and not line.startswith("#")]


def python(block: str) -> list[str]:
    named = re.match(r"# (\w+\.py)\b", block)
    return [f"{f'cat > {named[1]}' if named else 'python -'} <<'END'\n{block}END"]


def in_small(command: str) -> str:
    for large, small in SMALLER.items():
        command = command.replace(large, small)
    return command


@contextmanager
def copied_checkout(place: Path) -> Iterator[Path]:
    """Make a copy of the project's files, with the packages of this environment, which make takes to be ready.

    The copies are older than anything, so that no command here installs anything into the environment of who tests.
    """
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file() or (ROOT / name).is_symlink():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name, follow_symlinks=False)
            os.utime(place / name, (0, 0), follow_symlinks=False)
    environment = place / ".venv"
    environment.mkdir()
    for part in Path(sys.executable).parent.parent.iterdir():
        (environment / part.name).symlink_to(part)
    (environment / ".ready").unlink(missing_ok=True)
    (environment / ".ready").touch()
    try:
        yield place
    finally:
        kill_all_in(place)


def check_commands(page: Path, checkout: Path) -> None:
    """Run every command of a page in order; none may fail."""
    environment = {**os.environ, "PATH": f"{checkout}/.venv/bin:{os.environ['PATH']}", "PYTHONPATH": f"{checkout}/src"}
    for command in commands(page):
        code, err = outcome(in_small(command), checkout, environment)
        assert code == 0, f"{command}: {err}"
        assert "Traceback" not in err


def outcome(command: str, place: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command to its end; an endless one until it has printed a line, which ends well if it stops when asked."""
    with subprocess.Popen(
        ["bash", "-c", command],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            if command in ENDLESS:
                assert select.select([process.stdout], [], [], LIMIT_S)[0], f"{command} prints nothing"
                os.killpg(process.pid, signal.SIGTERM)
            _, err = process.communicate(timeout=LIMIT_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        is_stopped = command in ENDLESS and process.returncode in {-signal.SIGTERM, 128 + signal.SIGTERM}
        return 0 if is_stopped else process.returncode, err
