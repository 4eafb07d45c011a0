"""What the documents say is run, and what they list is complete."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from evo.errors import EXIT_CODES
from tests.processes import ROOT, run

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PATIENCE_S = 20
LONG = {"make islands N=4": 300}
"""Commands that are run to their end; any other one that goes on for longer is asked to stop, and must do so well."""


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project's files, with the environment of this one."""
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.split()
    for name in files:
        if (ROOT / name).exists():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    environment = tmp_path / ".venv"
    environment.symlink_to(Path(sys.executable).parent.parent)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_runs(page: Path, checkout: Path) -> None:
    environment = {**os.environ, "PATH": f"{checkout}/.venv/bin:{os.environ['PATH']}"}
    for command in commands(page):
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=checkout,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            _, err = process.communicate(timeout=LONG.get(command, PATIENCE_S))
        except subprocess.TimeoutExpired:
            assert command not in LONG, f"{command}: not done after {LONG[command]} s"
            os.killpg(process.pid, signal.SIGTERM)
            _, err = process.communicate(timeout=60)
            assert process.returncode in {-signal.SIGTERM, 128 + signal.SIGTERM}, f"{command}: {err}"
        else:
            assert process.returncode == 0, f"{command}: {err}"
        assert "Traceback" not in err


def test_the_readme_names_every_command_and_every_exit_code() -> None:
    text = (ROOT / "README.md").read_text()
    for name in cli.cli.commands:
        names = [f"pool {sub}" for sub in cli.pool.commands] if name == "pool" else [name]
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
