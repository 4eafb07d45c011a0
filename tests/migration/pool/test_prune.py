"""Laws of pruning: the owner alone, never under a reader, the newest stay, and what a kill left goes the next time."""

from __future__ import annotations

import json
import os

import pytest
from msgspec.structs import asdict, replace

from atoll.evo import atomic
from atoll.evo.errors import ConfigError
from atoll.migration.pool import epochs, locks, prune
from atoll.migration.pool.prune import Pruned
from tests.migration.archipelago import migrants_of, read_ledger, tree


@pytest.fixture
def ended(disk):
    """Two islands that have ended, with five publications each."""
    for name in "ab":
        island = disk.island(name)
        for generation in range(10, 60, 10):
            island.publish(generation, migrants_of(name, generation))
        end(disk, name)
    return disk


def end(disk, name):
    """Make an island's newest record that of a process that is no more."""
    epoch = epochs.latest(disk.paths(name))
    record = asdict(replace(epoch, boot_id="before"))
    atomic.replace_file(disk.paths(name).epoch(epoch.number), json.dumps(record).encode(), durable=False)


def generations(disk, name):
    return sorted(int(path.name[4:]) for path in disk.paths(name).outbox.glob("gen-*"))


def run(disk, *names, keep=3, **options):
    return prune.prune(disk.shared, names, keep=keep, locks=locks.Locks(disk.lock_class), **options)


@pytest.mark.parametrize("lock_class", ["flock", "soft"])
def test_the_newest_of_each_island_stay(ended, lock_class):
    ended.lock_class = lock_class
    assert run(ended) == [Pruned(name, (20, 10), 3, "") for name in "ab"]
    assert generations(ended, "a") == generations(ended, "b") == [30, 40, 50]
    assert run(ended) == [Pruned(name, (), 3, "") for name in "ab"]


def test_only_the_named_are_pruned_and_it_is_noted_where_the_island_would_have(ended):
    with ended.paths("a").ledger.open("ab") as ledger:
        ledger.write(b'{"torn')
    run(ended, "a", keep=4)
    assert (generations(ended, "a"), len(generations(ended, "b"))) == ([20, 30, 40, 50], 5)
    assert [event["generations"] for event in read_ledger(ended.paths("a"), "pruned")] == [[10]]
    assert "'pool prune' removed 1 of 5 publications" in ended.paths("a").migration_log.read_text()
    assert read_ledger(ended.paths("b"), "pruned") == []


def test_a_dry_run_says_the_same_and_changes_nothing(ended):
    before = tree(ended.root)
    assert run(ended, is_dry_run=True) == [Pruned(name, (20, 10), 3, "") for name in "ab"]
    assert tree(ended.root) == before


@pytest.mark.parametrize("is_dry_run", [False, True])
def test_an_island_that_runs_is_left_alone(ended, is_dry_run):
    ended.epoch("a", 50)
    a, b = run(ended, is_dry_run=is_dry_run)
    assert f"it is run by process {os.getpid()}" in a.left_alone
    assert "--keep-generations" in a.left_alone
    assert (a.removed, a.kept, b.removed) == ((), 5, (20, 10))
    assert len(generations(ended, "a")) == 5


@pytest.mark.parametrize("lock_class", ["flock", "soft"])
def test_an_island_whose_lock_is_held_is_left_alone(ended, lock_class):
    """Its process is just starting, or lives on another host."""
    ended.lock_class = lock_class
    with locks.Locks(lock_class).owner(ended.paths("a").owner_lock):
        a, b = run(ended)
    assert "its owner lock is held" in a.left_alone
    assert (len(generations(ended, "a")), len(generations(ended, "b"))) == (5, 3)
    assert run(ended, "a")[0].removed == (20, 10)
    assert b.left_alone == ""


def test_an_owner_elsewhere_counts_as_running_where_its_lock_still_names_it(ended):
    ended.lock_class = "soft"
    ended.paths("a").owner_lock.write_text("1\nfar-away\n1\n")
    assert "its owner lock is held" in run(ended, "a")[0].left_alone


def test_nothing_is_removed_under_a_reader(ended, monkeypatch):
    monkeypatch.setattr(prune, "READER_WAIT_S", 0.05)
    with locks.Locks("flock").pruning_paused(ended.paths("a").prune_lock):
        a, b = run(ended)
    assert "somebody has been reading it for 0.05 s" in a.left_alone
    assert (len(generations(ended, "a")), b.removed) == (5, (20, 10))


def test_what_a_killed_pruner_left_is_removed_the_next_time(ended):
    paths = ended.paths("a")
    atomic.move(paths.publication(10), paths.trash(10, "1-ab"))
    (paths.outbox / ".tmp-60-1-ab").mkdir()
    run(ended, "a", keep=4)
    assert sorted(path.name for path in paths.outbox.iterdir() if path.name.startswith(".")) == [".tmp-60-1-ab"]


def test_what_cannot_be_removed_is_out_of_sight_and_retried(ended, monkeypatch):
    monkeypatch.setattr(atomic, "remove_directory", lambda _: None)
    assert run(ended, "a")[0].removed == (20, 10)
    monkeypatch.undo()
    assert len(list(ended.paths("a").outbox.glob(".trash-*"))) == 2
    run(ended, "a")
    assert list(ended.paths("a").outbox.glob(".trash-*")) == []


def test_a_link_in_the_place_of_an_island_is_left_alone(ended, tmp_path):
    """What it points to is not the pool's."""
    elsewhere = tmp_path / "elsewhere"
    for generation in range(9):
        (elsewhere / f"gen-{generation}").mkdir(parents=True)
    (elsewhere / "epochs").mkdir()
    (elsewhere / "epochs" / "1.json").touch()
    (ended.shared.pool / "c").symlink_to(elsewhere)
    assert "its folder is none" in run(ended, "c")[0].left_alone
    assert len(list(elsewhere.iterdir())) == 10


def test_a_folder_in_which_no_island_has_started_is_nobody_s_to_prune(ended):
    """Somebody may keep a copy of publications there."""
    for generation in range(9):
        (ended.shared.pool / "backup" / f"gen-{generation}").mkdir(parents=True)
    with pytest.raises(ConfigError, match="no island backup"):
        run(ended, "backup")
    assert "backup" not in [row.island for row in run(ended)]
    assert len(list((ended.shared.pool / "backup").iterdir())) == 9


def test_a_file_system_that_refuses_leaves_one_island_alone_and_not_the_others(ended):
    ended.paths("a").owner_lock.unlink(missing_ok=True)
    ended.paths("a").owner_lock.mkdir()
    a, b = run(ended)
    assert a.left_alone
    assert b.removed == (20, 10)


@pytest.mark.parametrize(("names", "keep", "words"), [((), 2, "at least 3"), (("c",), 3, "no island c")])
def test_a_wrong_wish_is_refused_before_anything_is_removed(ended, names, keep, words):
    before = tree(ended.root)
    with pytest.raises(ConfigError, match=words):
        run(ended, *names, keep=keep)
    assert tree(ended.root) == before
