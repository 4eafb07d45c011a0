"""The installed command starts wherever it is called, whatever a project of its user's is called."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.processes import ROOT, run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

THEIRS = "raise SystemExit('not ours')\n"
INSTALLED = "import sys; from atoll.cli import main; sys.argv[0] = 'atoll'; sys.exit(main())"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with folders called as ours are, a task, and what the task imports of them."""
    place = tmp_path / "project"
    place.mkdir()
    for name in ("cli", "migration"):
        (place / f"{name}.py").write_text(THEIRS)
    for name in ("evo", "scripts"):
        (place / name).mkdir()
        (place / name / "__init__.py").write_text("")
    (place / "scripts" / "score.py").write_text("HEIGHT = 3.0\n")
    task = "from scripts import score\nbounds = [(0, 1)] * 3\ndef f(x): return score.HEIGHT * x.sum()\n"
    (place / "mine.py").write_text(task)
    return place


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A directory of installed packages with ours: the links of the checkout have become folders."""
    place = tmp_path / "site-packages"
    shutil.copytree(ROOT / "src/atoll", place / "atoll", ignore=shutil.ignore_patterns("__pycache__", "lab"))
    assert not (place / "atoll/evo").is_symlink()
    return place


def atoll(project: Path, packages: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as installed among the packages, in the project and with the project in front of them."""
    path = os.pathsep.join([str(project), str(packages)])
    return run(sys.executable, "-c", INSTALLED, *arguments, cwd=project, PYTHONPATH=path)


@pytest.mark.slow
def test_a_project_with_our_names_on_its_path_keeps_them_and_is_not_mistaken_for_us(project, packages) -> None:
    version = atoll(project, packages, "--version")
    assert version.stdout.startswith("atoll, version "), version.stderr
    small = ("-p", "12", "-g", "2", "--migrants", "2", "--migration-dir", "data")
    ended = atoll(project, packages, "evolve", "a", "--task", "mine.py:f", *small)
    assert ended.returncode == 0, ended.stderr
    checked = atoll(project, packages, "tasks", "check", "mine.py:f")  # which starts a process of its own
    assert "keeps its contract" in checked.stdout, checked.stderr


@pytest.mark.slow
def test_a_task_in_a_checkout_imports_its_own_scripts_too(project) -> None:
    """`python cli.py` puts its own directory first, where folders called evo, migration and scripts lie."""
    checked = run(sys.executable, ROOT / "cli.py", "tasks", "check", "mine.py:f", cwd=project)
    assert "keeps its contract" in checked.stdout, checked.stderr


def test_one_package_is_installed_without_the_laboratory() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"atoll": "atoll.cli:main"}
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel == {"packages": ["src/atoll"], "exclude": ["/src/atoll/scripts/lab"]}
