from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from atoll.scripts.lab.kit import machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, taken for the project's."""
    (tmp_path / "evo").mkdir()
    for name in ("evo/page.py", "README.md"):
        (tmp_path / name).write_text("as committed\n")
    author = ("-c", "user.name=Somebody", "-c", "user.email=some@body")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "First")):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    return tmp_path


def test_a_commit_is_named_and_clean_as_long_as_what_is_measured_is_as_committed(repository: Path) -> None:
    here = machine.describe()
    assert len(str(here["commit"])) == 40
    assert here["dirty"] is False
    (repository / "README.md").write_text("edited\n")
    assert machine.describe()["dirty"] is False
    (repository / "evo" / "page.py").write_text("edited\n")
    assert machine.describe() == {**here, "dirty": True}


def test_a_new_file_of_the_sources_is_a_change_too(repository: Path) -> None:
    (repository / "evo" / "new.py").write_text("\n")
    assert machine.describe()["dirty"] is True


def test_sources_without_git_are_never_called_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    here = machine.describe()
    assert (here["commit"], here["dirty"]) == ("unknown", True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.describe() == here


def test_the_processor_is_named_as_the_system_names_it(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Abacus 9\nflags\t\t: fpu\nmodel name\t: Abacus 9\n")
    assert machine._cpu_model(info) == "Abacus 9"
    assert machine._cpu_model(tmp_path / "nothing")


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mounts(**_):
        kinds = {"/": "ext4", str(tmp_path): "tmpfs", str(tmp_path / "a"): "nfs"}
        return [type("Mount", (), {"mountpoint": point, "fstype": kind}) for point, kind in kinds.items()]

    monkeypatch.setattr(machine.psutil, "disk_partitions", mounts)
    assert machine.filesystem(tmp_path / "a" / "b") == "nfs"
    assert machine.filesystem(tmp_path / "ab") == "tmpfs"
    assert machine.filesystem(tmp_path.parent) == "ext4"
