"""The installed command works wherever it is called, whatever a project of its user's is called."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.processes import ROOT, check_refused, kill_all_in, run

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

THEIRS = "raise SystemExit('not ours')\n"
INSTALLED = "import sys; from atoll.cli import main; sys.argv[0] = 'bin/atoll'; sys.exit(main())"
SMALL = ("-p", "12", "-g", "2", "--migrants", "2")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
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
    yield place
    kill_all_in(place)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of installed packages with ours, unpacked from its wheel."""
    pytest.importorskip("hatchling")
    place = tmp_path_factory.mktemp("site-packages")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place)
    assert built.returncode == 0, built.stderr
    [wheel] = place.glob("*.whl")
    shutil.unpack_archive(wheel, place, "zip")
    wheel.unlink()
    return place


def atoll(project: Path, packages: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as installed among the packages, in the project and with the project in front of them."""
    path = os.pathsep.join([str(project), str(packages)])
    return run(sys.executable, "-c", INSTALLED, *arguments, cwd=project, PYTHONPATH=path, **more)


@pytest.mark.slow
def test_a_project_with_our_names_on_its_path_keeps_them_and_is_not_mistaken_for_us(project, packages) -> None:
    version = atoll(project, packages, "--version")
    assert version.stdout.startswith("atoll, version "), version.stderr
    ended = atoll(project, packages, "evolve", "a", "--task", "mine.py:f", *SMALL, "--migration-dir", "data")
    assert ended.returncode == 0, ended.stderr
    checked = atoll(project, packages, "tasks", "check", "mine.py:f")  # which starts a process of its own
    assert "keeps its contract" in checked.stdout, checked.stderr


@pytest.mark.slow
def test_a_task_in_a_checkout_imports_its_own_scripts_too(project) -> None:
    """`python cli.py` puts its own directory first, where folders called evo, migration and scripts lie."""
    checked = run(sys.executable, ROOT / "cli.py", "tasks", "check", "mine.py:f", cwd=project)
    assert "keeps its contract" in checked.stdout, checked.stderr


@pytest.mark.slow
def test_the_installed_command_launches_islands_looks_at_them_and_stops_them(project, packages) -> None:
    own = ("--task", "mine.py:f", *SMALL)
    launched = atoll(project, packages, "launch", "--background", "--wait", "--vary", "2", *own)
    assert launched.returncode == 0, launched.stderr
    assert "champion of island-02: " in launched.stdout
    assert (project / "shared/islands.toml").exists()
    status = atoll(project, packages, "status").stdout.splitlines()
    assert [row.split()[:3] for row in status[1:3]] == [[f"island-0{i}", "finished", "2/2"] for i in (1, 2)]
    assert atoll(project, packages, "report").returncode == 0
    endless = (*SMALL[:2], "-g", "1000000", "--migrants", "2", "--task", "sphere")
    assert atoll(project, packages, "launch", "--background", "--migration-dir", "on", "1", *endless).returncode == 0
    again = atoll(project, packages, "launch", "--background", "--dir", "on", "1", *endless)
    check_refused(again, 4, "all 1 islands in on are running already; atoll stop stops what runs")
    assert "1 islands stopped" in atoll(project, packages, "stop", "--dir", "on").stdout


@pytest.mark.slow
def test_the_installed_command_names_itself_in_its_help_and_its_hints(project, packages) -> None:
    assert "\n  atoll status --watch\n" in atoll(project, packages, "status", "--help").stdout.replace("    ", "  ")
    nobody = atoll(project, packages, "tail", "nosuch", "--no-follow", "--migration-dir", ".")
    check_refused(nobody, 2, "'atoll status' lists them")
    assert "start one: atoll evolve island-01" in atoll(project, packages, "status", "--migration-dir", ".").stdout
    assert "'atoll tutorial' shows how" in atoll(project, packages, "tasks").stdout
    assert (ROOT / "docs/tutorial.md").read_text() == atoll(project, packages, "tutorial").stdout


@pytest.mark.slow
def test_a_shell_completes_the_installed_command(project, packages) -> None:
    asked = {"COMP_WORDS": "atoll la", "COMP_CWORD": "1", "_ATOLL_COMPLETE": "bash_complete"}
    completed = atoll(project, packages, **asked)
    assert (completed.returncode, completed.stdout) == (0, "plain,launch\n")


@pytest.mark.slow
def test_an_installed_slurm_script_starts_the_installed_command_where_the_job_is(project, packages, tmp_path) -> None:
    command = tmp_path / "atoll"
    command.write_text(f"#!{sys.executable}\n{INSTALLED}\n")
    command.chmod(0o755)
    job = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_SUBMIT_DIR": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = packages / "atoll/scripts/islands.sbatch"
    ended = run("bash", script, "--task", "mine.py:f", *SMALL, cwd=project, PYTHONPATH=str(packages), **job)
    assert ended.returncode == 0, ended.stderr
    assert (project / "shared/islands/island-01").exists()


@pytest.mark.slow
def test_one_name_is_installed_without_the_laboratory(packages) -> None:
    names = {path.name for path in packages.iterdir() if path.suffix != ".dist-info"}
    assert names == {"atoll"}
    assert not (packages / "atoll/scripts/lab").exists()
    assert not (packages / "atoll/evo").is_symlink()


@pytest.mark.slow
def test_a_source_distribution_has_what_the_links_of_a_checkout_lead_to(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path)
    assert built.returncode == 0, built.stderr
    [archive] = tmp_path.iterdir()
    with tarfile.open(archive) as packed:
        names = {name.split("/", 1)[1] for name in packed.getnames()}
    assert {"src/atoll/evo/errors.py", "src/atoll/scripts/launch_islands.sh", "cli.py", "docs/tutorial.md"} <= names


def test_one_command_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"atoll": "atoll.cli:main"}
