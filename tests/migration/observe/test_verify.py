"""Laws of verifying: what is wrong is named with its file and byte, what is right is counted, nothing changes."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import PurePath
from typing import TYPE_CHECKING

import pytest

from atoll.evo.errors import PoolMismatchError
from atoll.evo.paths import GENOMES, MANIFEST, SharedPaths
from atoll.evo.tasks.loader import ENTRIES, load_task
from atoll.evo.tasks.task import task_identity
from atoll.migration.observe import verify
from atoll.migration.pool import bounded_io as untrusted
from atoll.migration.pool import identity as pool
from atoll.migration.pool.access import spec_of
from tests.migration.archipelago import damage, tree
from tests.migration.observe.test_status import live
from tests.scripts.run.island_process import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atoll.migration.observe.verify import Findings

IN_ORDER = {"islands": 2, "batches": 8, "genomes": 40, "starts": 2, "private_files": 34}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two islands to its end."""
    root = tmp_path_factory.mktemp("whole") / "shared"
    assert [run(root, name, duplicates="accept") for name in "ba"] == [0, 0]
    return root


@pytest.fixture
def shared(whole: Path, tmp_path: Path) -> SharedPaths:
    """The same, to be damaged."""
    return SharedPaths(shutil.copytree(whole, tmp_path / "shared"))


def defects(found: Findings, shared: SharedPaths) -> dict[str, int | None]:
    return {os.path.relpath(defect.path, shared.root): defect.byte for defect in found.defects}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_layout_in_the_pool_is_the_tasks(name: str) -> None:
    task = load_task(name, {})
    assert spec_of(task_identity(task)) == task.spec


@pytest.mark.parametrize(
    "segments", [None, 3, [["x", 3]], [["x", 0, 0.0, 1.0, "real", 1.0]], [["x", 1, 0.0, 1.0, "unreal", 1.0]], []]
)
def test_a_layout_that_is_none_is_refused(segments: object) -> None:
    with pytest.raises(PoolMismatchError):
        spec_of({"segments": segments})


def test_a_directory_without_a_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoolMismatchError, match="no island has used this directory"):
        verify.verify(SharedPaths(tmp_path))


def test_a_run_in_order_is_counted_and_nothing_changes(shared: SharedPaths) -> None:
    before = tree(shared.root)
    found = verify.verify(shared)
    assert found.is_clean, found
    assert found.counts == IN_ORDER
    assert (found.leftovers, found.left_out) == ([], [])
    assert tree(shared.root) == before


def test_an_island_that_has_only_just_started_is_in_order(tmp_path: Path) -> None:
    shared = SharedPaths(tmp_path)
    pool.join(shared, seed=1, task=task_identity(load_task("sphere", {})))
    live(shared.island("a"), generation=3)
    assert verify.verify(shared).is_clean


@pytest.mark.parametrize("inside", ["", "epochs", "gen-9", "migration_pool"])
def test_a_folder_in_which_no_island_has_started_is_named_and_is_no_island(shared: SharedPaths, inside: str) -> None:
    (shared.pool / "backup" / inside).mkdir(parents=True)
    found = verify.verify(shared)
    assert [(defect.path, defect.reason) for defect in found.defects] == [
        (str(shared.pool / "backup"), "no island has ever started here")
    ]
    assert found.counts == IN_ORDER


def test_an_island_that_is_starting_just_now_is_no_defect(shared: SharedPaths) -> None:
    shared.island("c").owner_lock.touch()
    shared.island("c").epochs.mkdir(parents=True)
    found = verify.verify(shared)
    assert found.is_clean
    assert found.leftovers == [str(shared.island("c").outbox)]


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def cut(path: Path) -> None:
    rewrite(path, lambda data: data[: len(data) // 2])


def test_every_defect_is_named_with_its_file_and_byte(shared: SharedPaths) -> None:
    """One of each kind, all over the archipelago."""
    a, b = shared.island("a"), shared.island("b")
    cut(a.publication(3) / GENOMES)
    half = (a.publication(3) / GENOMES).stat().st_size
    damage(a.publication(6) / GENOMES)
    cut(a.publication(9) / MANIFEST)
    (a.publication(12) / MANIFEST).unlink()
    rewrite(b.publication(3) / MANIFEST, lambda data: data.replace(b'"b"', b'"c"', 1))
    shutil.copytree(b.publication(6), b.publication(7))
    (b.publication(9) / "more").touch()
    (b.outbox / "gen-010").mkdir()
    (b.outbox / ".hidden").touch()
    rewrite(b.epoch(1), lambda data: b"?" + data)
    b.epoch(2).write_text("{}")
    (b.epochs / "notes").touch()
    a.beat.write_text('{"epoch":9,"nonce":"x","generation":1}')
    (shared.pool / "not an island").mkdir()
    (shared.pool / "notes").touch()
    (shared.locks / "notes").touch()
    b.prune_lock.unlink(missing_ok=True)
    os.mkfifo(b.prune_lock)
    before = tree(shared.pool)
    found = verify.verify(shared)
    assert tree(shared.pool) == before
    half_manifest = (a.publication(9) / MANIFEST).stat().st_size
    assert {name.removeprefix("migration_pool/"): byte for name, byte in defects(found, shared).items()} == {
        "a/gen-3/genomes.safetensors": half,
        "a/gen-6/genomes.safetensors": None,
        "a/gen-9/manifest.json": half_manifest,
        "a/gen-12/manifest.json": None,
        "a/beat.json": None,
        "b/gen-3/manifest.json": None,
        "b/gen-6/manifest.json": None,
        "b/gen-7/manifest.json": None,
        "b/gen-9/manifest.json": None,
        "b/gen-12/manifest.json": None,
        "b/gen-010": None,
        "b/.hidden": None,
        "b/beat.json": None,
        "b/epochs/1.json": 0,
        "b/epochs/2.json": None,
        "b/epochs/notes": None,
        "locks/b.prune.lock": None,
        "locks/notes": None,
        "not an island": None,
        "notes": None,
    }
    reasons = {
        defect.path.rsplit("/", 2)[-2]: defect.reason for defect in found.defects if defect.path.endswith(MANIFEST)
    }
    assert "published by epoch 1, of which there is no such record" in reasons["gen-9"]
    assert "it says b gen 6, it lies at b gen 7" in reasons["gen-7"]


def test_a_file_too_many_in_a_batch_is_named(shared: SharedPaths) -> None:
    (shared.island("b").publication(9) / "more").touch()
    assert defects(verify.verify(shared), shared) == {"migration_pool/b/gen-9/more": None}


def test_what_running_and_killed_processes_leave_is_no_defect(shared: SharedPaths) -> None:
    a = shared.island("a")
    for place in (shared.pool, a.outbox, a.epochs, a.home, a.checkpoints, a.inboxes, a.all_moments):
        (place / ".tmp-x").touch()
    (a.outbox / ".trash-gen-1-1-ab").mkdir()
    (a.outbox / ".nfs0001").touch()
    with a.log.open("ab") as log:
        log.write(b'{"torn')
    found = verify.verify(shared)
    assert found.is_clean
    assert len(found.leftovers) == 10
    assert {name: n for name, n in found.counts.items() if name != "private_files"} == {
        name: n for name, n in IN_ORDER.items() if name != "private_files"
    }


@pytest.mark.parametrize(
    ("text", "byte"),
    [
        ("", 0),
        ('{"format":', 10),
        ('{"format":1}', None),
        ('{"format":2}', None),
        ("[" * 1000, None),
        ('{"a":1,"a":1}', None),
    ],
)
def test_a_damaged_identity_is_named_and_nothing_else_is_judged(
    shared: SharedPaths, text: str, byte: int | None
) -> None:
    shared.identity.write_text(text)
    found = verify.verify(shared)
    assert defects(found, shared) == {"migration_pool/POOL.json": byte}
    assert "all else" in found.left_out[0]


def test_a_layout_that_is_not_the_one_it_is_called_is_a_defect(shared: SharedPaths) -> None:
    document = json.loads(shared.identity.read_text())
    document["task"]["segments"][0][1] += 1
    shared.identity.write_text(json.dumps(document))
    assert list(defects(verify.verify(shared), shared)) == ["migration_pool/POOL.json"]


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("nowhere")])
def test_something_else_in_the_place_of_the_identity_is_a_defect(
    shared: SharedPaths, plant: Callable[[Path], None]
) -> None:
    shared.identity.unlink()
    plant(shared.identity)
    assert list(defects(verify.verify(shared), shared)) == ["migration_pool/POOL.json"]


def test_more_islands_than_importers_see_are_named_and_not_read(
    shared: SharedPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MAX_ISLANDS", 1)
    found = verify.verify(shared)
    assert defects(found, shared) == {"migration_pool": None}
    assert found.left_out == ["1 islands after a"]
    assert found.counts["islands"] == 1


def test_more_entries_than_anybody_reads_are_named(shared: SharedPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MAX_ENTRIES", 6)
    assert defects(verify.verify(shared), shared) == {"migration_pool/a": None, "migration_pool/b": None}


def test_an_examination_that_takes_too_long_says_what_it_left_out(shared: SharedPaths) -> None:
    times_s = iter([0.0] * 5 + [11.0] * 1000)
    found = verify.verify(shared, limit_s=10.0, clock=lambda: next(times_s))
    assert found.left_out == ["the rest: 10 s were over"]
    assert not found.is_clean


def test_the_time_is_looked_at_before_each_file(shared: SharedPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []
    monkeypatch.setattr(verify.Findings, "check_time", lambda _: looks.append(None))
    verify.verify(shared)
    lines = sum((shared.island(name).log).read_bytes().count(b"\n") for name in "ab")
    lines += sum((shared.island(name).ledger).read_bytes().count(b"\n") for name in "ab")
    lines += 2  # of no team: a file each that is not there
    assert len(looks) == lines + IN_ORDER["batches"] + IN_ORDER["starts"] + IN_ORDER["private_files"]


def test_ten_thousand_strange_names_are_counted_and_some_are_kept(
    shared: SharedPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MAX_KEPT", 100)
    for i in range(10_000):
        (shared.island("a").outbox / f"x{i}\n\udcff").touch()
    found = verify.verify(shared)
    assert (len(found.defects), found.more) == (100, 9_900)


def test_no_node_makes_an_examination_wait(shared: SharedPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    a = shared.island("a")
    for place in (a.publication(3) / GENOMES, a.publication(6) / MANIFEST, a.beat, a.log, a.champion):
        place.unlink()
        os.mkfifo(place)
    monkeypatch.chdir(a.inboxes)
    (a.inboxes / "gen-3.safetensors").unlink()
    with socket.socket(socket.AF_UNIX) as node:
        node.bind("gen-3.safetensors")
    found = verify.verify(shared)
    assert len(found.defects) == 6
    assert all("not a plain file" in defect.reason for defect in found.defects)


def test_an_entry_that_vanishes_while_the_pool_is_read_is_no_defect(
    shared: SharedPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shared.pool / "stray").touch()
    list_names = untrusted.list_names

    def list_and_remove(path: Path, **limit: int) -> list[str]:
        names = list_names(path, **limit)
        (shared.pool / "stray").unlink(missing_ok=True)
        if path == shared.island("a").outbox:
            shutil.rmtree(shared.island("a").publication(3), ignore_errors=True)
        return names

    monkeypatch.setattr(verify, "list_names", list_and_remove)
    found = verify.verify(shared)
    assert found.is_clean
    assert found.counts["batches"] == 7


# Findings: all is counted, some is kept, and time is kept too


def test_what_is_noted_is_found():
    report = verify.Findings()
    report.counts["genomes"] += 3
    report.defect(PurePath("a"), "torn", byte=7)
    report.leftover(PurePath("b"))
    found = report
    assert (found.counts["genomes"], found.counts["islands"]) == (3, 0)
    assert (found.defects, found.leftovers, found.more) == ([verify.Defect("a", "torn", 7)], ["b"], 0)
    assert not found.is_clean


def test_leftovers_alone_are_clean_and_what_was_not_read_is_not():
    report = verify.Findings()
    report.leftover(PurePath("b"))
    assert report.is_clean
    report.left_out.append("the rest")
    assert not report.is_clean


def test_more_than_memory_should_hold_is_only_counted(monkeypatch):
    monkeypatch.setattr(verify, "MAX_KEPT", 2)
    report = verify.Findings()
    for _ in range(5):
        report.defect(PurePath("a"), "torn")
        report.leftover(PurePath("b"))
    found = report
    assert (len(found.defects), len(found.leftovers), found.more) == (2, 2, 6)


def test_time_is_counted_from_the_beginning():
    now_s = 50.0
    report = verify.Findings(limit_s=10.0, clock=lambda: now_s)
    now_s = 60.0
    report.check_time()
    now_s = 60.1
    with pytest.raises(verify.OutOfTimeError):
        report.check_time()
