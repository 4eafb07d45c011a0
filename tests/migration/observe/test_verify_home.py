"""Laws of verifying a private folder: as its next start would read it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from atoll.evo import arrayfile
from atoll.evo.paths import SharedPaths
from atoll.migration.observe.verify import Findings, verify_home
from tests.migration.archipelago import damage
from tests.scripts.run.island_process import run

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.paths import IslandPaths


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "shared"
    assert run(root, "a") == 0
    return root


@pytest.fixture
def paths(whole: Path, tmp_path: Path) -> IslandPaths:
    return SharedPaths(shutil.copytree(whole, tmp_path / "shared")).island("a")


def defects(paths: IslandPaths) -> dict[str, int | None]:
    report = Findings()
    verify_home(report, paths)
    return {os.path.relpath(defect.path, paths.home): defect.byte for defect in report.defects}


def test_a_whole_folder_is_in_order(paths: IslandPaths) -> None:
    """Two checkpoints, four imports, moments of eight generations, a champion, a log and a ledger."""
    report = Findings()
    verify_home(report, paths)
    assert report.is_clean
    assert report.counts["private_files"] == 17


def test_an_island_without_a_folder_has_no_defects(tmp_path: Path) -> None:
    assert defects(SharedPaths(tmp_path).island("a")) == {}


@pytest.mark.parametrize(
    "name",
    [
        *("checkpoint/gen-12.safetensors", "inbox/gen-6.safetensors", "moments/gen-6.safetensors"),
        "champion.safetensors",
    ],
)
def test_damage_and_a_cut_are_seen(paths: IslandPaths, name: str) -> None:
    size = (paths.home / name).stat().st_size
    os.truncate(paths.home / name, size - 1)
    assert defects(paths) == {name: size - 1}
    damage(paths.home / name)
    assert list(defects(paths)) == [name]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("checkpoint/gen-12.safetensors", "checkpoint/gen-13.safetensors"),
        ("checkpoint/gen-12.safetensors", "inbox/gen-12.safetensors"),
        ("inbox/gen-3.safetensors", "inbox/gen-6.safetensors"),
        ("moments/gen-3.safetensors", "moments/gen-6.safetensors"),
        ("inbox/gen-3.safetensors", "moments/gen-3.safetensors"),
        ("inbox/gen-12.safetensors", "checkpoint/gen-12.safetensors"),
        ("inbox/gen-12.safetensors", "champion.safetensors"),
    ],
)
def test_an_intact_file_in_another_s_place_is_a_defect(paths: IslandPaths, source: str, target: str) -> None:
    shutil.copy(paths.home / source, paths.home / target)
    assert list(defects(paths)) == [target]


@pytest.mark.parametrize("metadata", [{}, {"format": 99}, {"format": 1, "ids": 3}])
def test_an_inbox_that_only_looks_like_one_is_a_defect(paths: IslandPaths, metadata: dict[str, object]) -> None:
    data = arrayfile.encode({}, {"kind": "inbox", "generation": 6, **metadata})
    paths.inbox(6).write_bytes(data)
    assert list(defects(paths)) == ["inbox/gen-6.safetensors"]


def test_moments_that_only_look_like_some_are_a_defect(paths: IslandPaths) -> None:
    paths.moments(6).write_bytes(arrayfile.encode({}, {"kind": "moments", "generation": 6}))
    assert list(defects(paths)) == ["moments/gen-6.safetensors"]


@pytest.mark.parametrize("name", ["log.jsonl", "ledger.jsonl"])
def test_a_bad_line_is_named_with_its_byte(paths: IslandPaths, name: str) -> None:
    path = paths.home / name
    data = path.read_bytes()
    first = data.index(b"\n") + 1
    for line, byte in ((b'{"kind":}\n', first + 8), (b"[]\n", first), (b'{"kind":"x"}\n', first)):
        path.write_bytes(data[:first] + line + data[first:])
        assert defects(paths) == {name: byte}


def test_names_that_mean_nothing_are_defects(paths: IslandPaths) -> None:
    for name in ("notes", "checkpoint/gen-03.safetensors", "inbox/x", "moments/x"):
        (paths.home / name).touch()
    assert set(defects(paths)) == {"notes", "checkpoint/gen-03.safetensors", "inbox/x", "moments/x"}
