"""A Python that cannot run Atoll says so in one line."""

from __future__ import annotations

import ast
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from atoll.evo import installation
from tests.processes import ROOT, atoll, check_refused, run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
READ_BY_OLD_PYTHONS = ("cli.py", "evo/__init__.py", "evo/installation.py")
OLD_PYTHONS = [
    (version, path)
    for version in ("3.6", "3.7", "3.8", "3.9", "3.10")
    for path in [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    if path and run(path, "-c", "").returncode == 0
]


@pytest.mark.parametrize("path", READ_BY_OLD_PYTHONS)
def test_what_is_read_before_the_version_is_checked_can_be_read_by_python_3_6(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text(), feature_version=(3, 6))
    futures = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert path == "evo/__init__.py" or not futures


@pytest.mark.skipif(not OLD_PYTHONS, reason="there is no Python older than 3.11")
def test_a_python_that_is_too_old_is_told_so_in_one_line() -> None:
    for version, path in OLD_PYTHONS:
        ended = run(path, "cli.py", "status")
        check_refused(ended, 2, f"Python 3.11 or newer is needed, this is {version}.", str(path))


def test_a_python_without_the_packages_is_told_so_in_one_line() -> None:
    ended = run(sys.executable, "-S", "cli.py", "status", PYTHONPATH="")
    check_refused(
        ended, 2, f"click is not installed for {sys.executable}: run 'make setup', then '. .venv/bin/activate'"
    )


def test_every_package_is_asked_for_before_a_command_begins(tmp_path: Path) -> None:
    """Only the last of them is missing, which no command imports before it works."""
    for name in ("click", "numpy", "rich", "filelock", "psutil"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    ended = run(sys.executable, "-S", "cli.py", "status", PYTHONPATH=str(tmp_path))
    check_refused(ended, 2, f"safetensors is not installed for {sys.executable}")


def test_a_package_that_fails_late_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')\n")
    arguments = ("-p", "6", "-g", "1", "--migrants", "1", "-o", "courses=1", "--backend", "reference")
    ended = atoll("evolve", "a", *arguments, "--migration-dir", tmp_path / "s", PYTHONPATH=str(tmp_path))
    check_refused(ended, 2, f"torch is not installed for {sys.executable}")


def test_what_a_task_of_ones_own_misses_is_the_tasks_own_mistake(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import torch\nbounds = [(0.0, 1.0)]\ndef f(x):\n    return 0.0\n")
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')\n")
    task = f"{tmp_path}/mine.py:f"
    ended = atoll("evolve", "a", "--task", task, "--migration-dir", tmp_path / "s", PYTHONPATH=str(tmp_path))
    check_refused(ended, 8, "mine.py, line 1", "ModuleNotFoundError: no torch")


def test_an_installed_command_names_pip_and_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/atoll", "status"])
    told = installation.not_installed("rich", "psutil")
    assert told == f"rich is not installed for {sys.executable}: run '{sys.executable} -m pip install rich psutil'"


def test_what_is_asked_for_is_what_the_project_says_it_needs() -> None:
    names = {re.match(r"[a-z]+", line)[0] for line in PROJECT["dependencies"]}  # type: ignore[index]
    assert set(installation.PACKAGES) == names
    assert PROJECT["requires-python"] == ">=" + ".".join(map(str, installation.OLDEST_PYTHON))


def test_setting_up_with_a_python_that_is_too_old_says_which_it_is(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" != -V ] || echo Python 3.9.18\nexit 1\n')
    python.chmod(0o755)
    ended = run("make", "--no-print-directory", "setup", f"PYTHON={python}", f"VENV={tmp_path / 'v'}")
    assert ended.returncode == 2
    assert f"error: Python 3.11 or newer is needed, {python} is Python 3.9.18;" in ended.stderr.splitlines()[0]
    assert not (tmp_path / "v").exists()
