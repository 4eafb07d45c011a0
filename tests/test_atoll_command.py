"""The installed command starts wherever it is called, whatever a project of its user's is called."""

from __future__ import annotations

import os
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

import atoll_command
from evo.tasks import mistakes
from tests.processes import ROOT, run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

THEIRS = "raise SystemExit('not ours')\n"
INSTALLED = "import sys; from atoll_command import main; sys.argv[0] = 'atoll'; sys.exit(main())"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with every name of ours, a task, and what the task imports."""
    for name in atoll_command.OURS:
        (tmp_path / f"{name}.py").write_text(THEIRS)
    for name in ("evo", "scripts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(THEIRS)
    (tmp_path / "beside.py").write_text("HEIGHT = 3.0\n")
    task = "import beside\nbounds = [(0, 1)] * 3\ndef f(x): return beside.HEIGHT * x.sum()\n"
    (tmp_path / "mine.py").write_text(task)
    return tmp_path


def atoll(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as installed beside its packages, in the project and with the project in front of them."""
    path = os.pathsep.join([str(project), str(ROOT)])
    return run(sys.executable, "-c", INSTALLED, *arguments, cwd=project, PYTHONPATH=path)


@pytest.mark.slow
def test_a_project_with_our_names_on_its_path_is_not_mistaken_for_us(project: Path) -> None:
    version = atoll(project, "--version")
    assert version.stdout.startswith("atoll, version "), version.stderr
    small = ("-p", "12", "-g", "2", "--migrants", "2", "--migration-dir", "data")
    ended = atoll(project, "evolve", "a", "--task", "mine.py:f", *small)
    assert ended.returncode == 0, ended.stderr
    checked = atoll(project, "tasks", "check", "mine.py:f")  # which starts a process of its own
    assert "keeps its contract" in checked.stdout, checked.stderr


def test_the_path_is_afterwards_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.main", lambda: None)
    before = [*sys.path]
    atoll_command.main()
    assert sys.path == before


def test_what_is_installed_is_that_command_and_all_that_it_imports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"atoll": "atoll_command:main"}
    packed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert {each.removesuffix(".py") for each in packed} == {"atoll_command", *atoll_command.OURS}


def test_the_names_that_hide_a_users_are_those_that_are_told_of() -> None:
    assert set(mistakes.OURS) == set(atoll_command.OURS)
