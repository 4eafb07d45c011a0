"""What the documents say is run, and what they list is complete."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atoll.evo.errors import EXIT_CODES
from atoll.scripts.commands import group as cli
from tests.processes import ROOT, kill_all_in, run

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PATIENCE_S = 20
MAX_PICTURE_BYTES = 2 << 20
LONG = {"make islands N=4": 300, 'make islands N=4 ARGS="-p 150 -g 100"': 300}
"""Commands that are run to their end; any other one that goes on for longer is asked to stop, and must do so well."""


def commands(page: Path) -> list[str]:
    """Return what a page tells its reader to run; a block of Python that begins with the name of a file is saved."""
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [command for language, block in blocks for command in (lines if language == "sh" else python)(block)]


def lines(block: str) -> list[str]:
    return [line for line in block.splitlines() if line and not line.startswith("#")]


def python(block: str) -> list[str]:
    named = re.match(r"# (\w+\.py)\b", block)
    return [f"{f'cat > {named[1]}' if named else 'python -'} <<'END'\n{block}END"]


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A copy of the project's files, with the packages of this environment, which make takes to be ready.

    The copies are older than anything, so that no command here installs anything into the environment of who tests.
    """
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
            os.utime(tmp_path / name, (0, 0))
    environment = tmp_path / ".venv"
    environment.mkdir()
    for part in Path(sys.executable).parent.parent.iterdir():
        (environment / part.name).symlink_to(part)
    (environment / ".ready").unlink(missing_ok=True)
    (environment / ".ready").touch()
    try:
        yield tmp_path
    finally:
        kill_all_in(tmp_path)


def test_no_command_sets_up_the_environment_of_who_tests(checkout: Path) -> None:
    assert run("make", "--question", "setup", cwd=checkout).returncode == 0
    assert not (checkout / ".venv").is_symlink()
    assert (checkout / "pyproject.toml").stat().st_mtime == 0


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_runs(page: Path, checkout: Path) -> None:
    environment = {**os.environ, "PATH": f"{checkout}/.venv/bin:{os.environ['PATH']}"}
    for command in commands(page):
        code, err = outcome(command, checkout, environment)
        assert code == 0, f"{command}: {err}"
        assert "Traceback" not in err


def outcome(command: str, place: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command to its end, or for as long as we are patient; one that stops well when asked to ended well."""
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
            _, err = process.communicate(timeout=LONG.get(command, PATIENCE_S))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            _, err = process.communicate(timeout=60)
            is_well = command not in LONG and process.returncode in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
            return 0 if is_well else process.returncode or 1, err
        else:
            return process.returncode, err
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_every_picture_of_a_page_is_there_told_in_words_and_small() -> None:
    found = [(page, *each) for page in PAGES for each in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text())]
    assert found
    for page, words, name in found:
        assert len(words.split()) > 3, name
        assert (page.parent / name).stat().st_size <= MAX_PICTURE_BYTES, name


def test_no_page_has_a_placeholder() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("shared/*.md")]
    assert [found for page in pages for found in re.findall(r"@[A-Z_]+@", page.read_text())] == []


def test_the_readme_names_every_command_and_every_exit_code() -> None:
    text = (ROOT / "README.md").read_text()
    for name in cli.cli.commands:
        group = {"pool": cli.pool_commands.pool, "tasks": cli.tasks}.get(name)
        alone = [] if name == "pool" else [name]
        names = [*alone, *(f"{name} {sub}" for sub in (group.commands if group else ()))]
        assert all(f"| `{full}` |" in text for full in names)
    table = text.split("## Exit codes")[1].split("##")[0]
    documented = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, flags=re.MULTILINE) for code in row.split(",")
    }
    assert documented == set(EXIT_CODES)


def test_the_readme_names_every_dependency() -> None:
    text = (ROOT / "README.md").read_text().split("## What it stands on")[1].split("##")[0]
    declared = re.findall(r'^  "([a-z-]+)>=', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert declared
    assert [name for name in declared if name not in text] == []


def test_every_make_target_is_in_the_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    shown = run("make", "--no-print-directory").stdout
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert phony
    for target in phony[1].split():
        assert re.search(rf"^  make {target} +\S", shown, flags=re.MULTILINE), target


def test_ci_runs_check_and_test() -> None:
    assert "make check test" in (ROOT / ".ci/run").read_text()
