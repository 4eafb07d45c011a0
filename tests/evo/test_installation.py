"""A Python that cannot run Atoll says so in one line."""

from __future__ import annotations

import ast
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from atoll.evo import compiler, installation
from tests.processes import ROOT, atoll, check_refused, run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
READ_BY_OLD_PYTHONS = ("cli.py", "src/atoll/__init__.py", "evo/__init__.py", "evo/installation.py")
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


def without(place: Path, *packages: str) -> str:
    """Return a PYTHONPATH on which packages are as if they were not installed."""
    for name in packages:
        (place / f"{name}.py").write_text(f"raise ModuleNotFoundError('no {name}', name='{name}')\n")
    return str(place)


def test_a_package_that_fails_late_is_named_too(tmp_path: Path) -> None:
    arguments = ("-p", "6", "-g", "1", "--migrants", "1", "-o", "courses=1", "--backend", "reference")
    shared = ("--migration-dir", tmp_path / "s")
    ended = atoll("evolve", "a", *arguments, *shared, PYTHONPATH=without(tmp_path, "torch"))
    check_refused(ended, 2, f"torch is not installed for {sys.executable}")


@pytest.mark.slow
def test_without_extras_islands_evolve_and_are_looked_at_and_what_needs_one_says_so(tmp_path: Path) -> None:
    shared = ("--migration-dir", tmp_path / "s")
    bare = {"PYTHONPATH": without(tmp_path, *installation.EXTRAS, "gymnasium", "ray", "optuna", "joblib", "scipy")}
    (tmp_path / "mine.py").write_text("bounds = [(0.0, 1.0)] * 3\ndef f(x):\n    return x.sum()\n")
    small = ("-p", "12", "-g", "2", "--migrants", "2")
    for place, task in (("s", "sphere"), ("own", f"{tmp_path}/mine.py:f")):
        ended = atoll("evolve", "a", *small, "--task", task, "--migration-dir", tmp_path / place, **bare)
        assert ended.returncode == 0, ended.stderr
    for command in (
        ["status"],
        ["tail", "--no-follow"],
        ["pool", "ledger"],
        ["pool", "flow"],
        ["pool", "verify"],
        ["doctor"],
    ):
        looked = atoll(*command, *shared, **bare)
        assert (looked.returncode, looked.stderr) == (0, ""), command
    assert atoll("show", "a", *shared, **bare).returncode == 0
    assert atoll("report", tmp_path / "s", "-o", tmp_path / "page.html", **bare).returncode == 0
    plotted = atoll("plot", "fitness", tmp_path / "s", "-o", tmp_path / "x.png", **bare)
    check_refused(plotted, 2, f"matplotlib is not installed for {sys.executable}")


@pytest.mark.slow
@pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
def test_creatures_on_the_native_evaluator_need_no_extra_and_a_report_tells_what_it_leaves_out(tmp_path: Path) -> None:
    shared, bare = ("--migration-dir", tmp_path / "s"), {"PYTHONPATH": without(tmp_path, *installation.EXTRAS)}
    small = ("-p", "6", "-g", "1", "--migrants", "1", "-o", "courses=1", "-o", "life_s=0.1")
    evolved = atoll("evolve", "a", *small, *shared, **bare)
    assert evolved.returncode == 0, evolved.stderr
    told = atoll("report", tmp_path / "s", "-o", tmp_path / "page.html", **bare)
    assert told.returncode == 0, told.stderr
    assert f"note: no champion is simulated: torch is not installed for {sys.executable}" in told.stderr
    check_refused(atoll("show", "a", *shared, **bare), 2, "torch is not installed")
    drawn = atoll("show", "a", "--gif", tmp_path / "x.gif", *shared, PYTHONPATH=without(tmp_path / "s", "PIL"))
    check_refused(drawn, 2, "PIL is not installed")


def test_what_a_task_of_ones_own_misses_is_the_tasks_own_mistake(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import torch\nbounds = [(0.0, 1.0)]\ndef f(x):\n    return 0.0\n")
    task = f"{tmp_path}/mine.py:f"
    own = ("--task", task, "--migration-dir", tmp_path / "s")
    ended = atoll("evolve", "a", *own, PYTHONPATH=without(tmp_path, "torch"))
    check_refused(ended, 8, "mine.py, line 1", "ModuleNotFoundError: no torch")


def test_what_is_installed_names_pip_and_all_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installation, "CHECKOUT", str(tmp_path))
    told = installation.not_installed("rich", "psutil")
    assert told == f"rich is not installed for {sys.executable}: run {sys.executable} -m pip install rich psutil"
    assert installation.not_installed("PIL").endswith(" -m pip install 'atoll[plot]'")


def test_what_is_asked_for_is_what_the_project_says_it_needs() -> None:
    assert set(installation.REQUIRED) == names_of(PROJECT["dependencies"])
    extras = PROJECT["optional-dependencies"]
    for name, extra in installation.EXTRAS.items():
        assert {"PIL": "pillow"}.get(name, name) in names_of(extras[extra])
    assert PROJECT["requires-python"] == ">=" + ".".join(map(str, installation.OLDEST_PYTHON))


def names_of(requirements: list[str]) -> set[str]:
    return {re.match(r"[a-z]+", line)[0] for line in requirements}  # type: ignore[index]


@pytest.mark.parametrize(
    ("typed", "short"), [("python cli.py", "cli.py"), ("atoll", "atoll"), ("python -m atoll", "python -m atoll")]
)
def test_a_hint_names_the_program_as_it_was_typed(typed: str, short: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "program", typed)
    assert installation.as_typed("start one: python cli.py evolve a") == f"start one: {typed} evolve a"
    assert installation.as_typed("'cli.py status' lists them") == f"'{short} status' lists them"
    assert installation.as_typed("cannot read cli.py (my/cli.py line 1)") == "cannot read cli.py (my/cli.py line 1)"


def test_setting_up_with_a_python_that_is_too_old_says_which_it_is(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" != -V ] || echo Python 3.9.18\nexit 1\n')
    python.chmod(0o755)
    ended = run("make", "--no-print-directory", "setup", f"PYTHON={python}", f"VENV={tmp_path / 'v'}")
    assert ended.returncode == 2
    assert f"error: Python 3.11 or newer is needed, {python} is Python 3.9.18;" in ended.stderr.splitlines()[0]
    assert not (tmp_path / "v").exists()
