"""Laws of POOL.json: one identity, written once, obeyed by all, and never trusted."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import pytest

from atoll.evo.errors import ConfigError, PoolMismatchError, StorageError
from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import task_identity
from atoll.migration.pool import identity as pool
from atoll.migration.pool import locks
from tests.migration.archipelago import tree

TASK = task_identity(load_task("sphere", {"dimensions": "4"}))


@pytest.fixture
def paths(tmp_path):
    return SharedPaths(tmp_path / "shared")


def join(paths, **changes):
    return pool.join(paths, **{"seed": 1, "task": TASK, **changes})


def plant(paths, document):
    paths.pool.mkdir(parents=True, exist_ok=True)
    paths.identity.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())


def good(paths):
    join(paths)
    return json.loads(paths.identity.read_bytes())


def test_the_first_writes_and_the_others_obey(paths):
    first = join(paths)
    written = paths.identity.read_bytes()
    assert join(paths) == first
    assert paths.identity.read_bytes() == written
    assert (first.seed, first.task, first.lock_class) == (1, TASK, "flock")
    assert paths.locks.is_dir()


def test_two_pools_have_two_run_ids(tmp_path):
    assert join(SharedPaths(tmp_path / "a")).run_id != join(SharedPaths(tmp_path / "b")).run_id


def test_many_who_start_together_agree(paths):
    """Whoever loses the race for the name reads what the winner wrote."""
    barrier = threading.Barrier(8)
    found = []

    def start():
        barrier.wait()
        found.append(join(paths))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({one.run_id for one in found}) == 1
    assert sorted(p.name for p in paths.pool.iterdir()) == ["POOL.json", "locks"]


def test_another_seed_is_refused_and_says_what_to_do(paths):
    join(paths)
    with pytest.raises(PoolMismatchError, match=r"--seed 1 \(not 2\).*use the same, or another --migration-dir"):
        join(paths, seed=2)


def test_another_task_is_refused_and_named(paths):
    join(paths)
    with pytest.raises(PoolMismatchError, match=r"--task sphere \(not rastrigin\)"):
        join(paths, task=task_identity(load_task("rastrigin", {})))


def test_every_other_option_is_named(paths):
    join(paths)
    with pytest.raises(PoolMismatchError, match=r"--seed 1 \(not 2\), -o dimensions=4 \(not 5\)"):
        join(paths, seed=2, task=task_identity(load_task("sphere", {"dimensions": "5"})))


def test_another_genome_layout_is_refused(paths):
    join(paths)
    with pytest.raises(PoolMismatchError, match="genome layout of another version"):
        join(paths, task={**TASK, "genome_sha256": "0" * 64})


def test_another_format_is_refused(paths):
    plant(paths, {**good(paths), "format": 2})
    with pytest.raises(PoolMismatchError, match="format 2, this version of Atoll reads format 1"):
        join(paths)


LOCKSTEP = {"mode": "lockstep", "members": "a,b,c", "migrate_every": 10, "generations": 150, "migrants": 5}


@pytest.mark.parametrize("agreement", [{"mode": "async"}, {"mode": "replay"}, LOCKSTEP])
def test_a_pool_keeps_what_its_first_island_agreed_to(paths, agreement):
    assert join(paths, agreement=agreement).agreement == agreement
    assert join(paths, agreement=agreement) == pool.read(paths)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"members": "a,b,c,d"}, r"--members a,b,c \(not a,b,c,d\)"),
        ({"migrate_every": 5}, r"--migrate-every 10 \(not 5\)"),
        ({"generations": 300}, r"--generations 150 \(not 300\)"),
        ({"migrants": 4, "members": "a,b"}, r"--members a,b,c \(not a,b\), --migrants 5 \(not 4\)"),
    ],
)
def test_other_terms_of_a_lockstep_are_refused_and_named(paths, changes, words):
    join(paths, agreement=LOCKSTEP)
    with pytest.raises(PoolMismatchError, match=f"{words}; use the same"):
        join(paths, agreement={**LOCKSTEP, **changes})


@pytest.mark.parametrize(
    ("there", "here", "words"),
    [
        (LOCKSTEP, {"mode": "async"}, r"--mode lockstep --members a,b,c \(not async\)"),
        ({"mode": "async"}, LOCKSTEP, r"--mode async \(not lockstep\)"),
        ({"mode": "replay"}, {"mode": "async"}, r"--mode replay \(not async\)"),
    ],
)
def test_islands_of_two_modes_do_not_share_a_pool(paths, there, here, words):
    join(paths, agreement=there)
    with pytest.raises(PoolMismatchError, match=f"{words}; use the same"):
        join(paths, agreement=here)


@pytest.mark.parametrize(
    "agreement",
    [{}, {"mode": "other"}, {"mode": ["async"]}, {**LOCKSTEP, "members": ["a"]}, {**LOCKSTEP, "\x1b[2J": 1}],
)
def test_an_agreement_that_says_nothing_or_cannot_be_shown_is_damage(paths, agreement):
    plant(paths, {**good(paths), "agreement": agreement})
    with pytest.raises(PoolMismatchError, match="damaged"):
        join(paths)


@pytest.mark.parametrize("field", ["format", "run_id", "seed", "task", "lock_class", "agreement"])
@pytest.mark.parametrize("value", [None, [], {}, "", 1.5, True, "x" * 1000, "\x1b[2J"])
def test_a_field_of_another_kind_is_damage(paths, field, value):
    plant(paths, {**good(paths), field: value})
    with pytest.raises(PoolMismatchError):
        join(paths)


@pytest.mark.parametrize("run_id", ["/../../x", "..", "a/b", "a b", "a\n", "é"])
def test_a_run_id_that_is_no_plain_name_is_damage(paths, run_id):
    """The run is archived under it."""
    plant(paths, {**good(paths), "run_id": run_id})
    with pytest.raises(PoolMismatchError, match="damaged"):
        join(paths)


def test_an_unknown_kind_of_lock_is_damage(paths):
    plant(paths, {**good(paths), "lock_class": "strict"})
    with pytest.raises(PoolMismatchError, match="damaged"):
        join(paths)


@pytest.mark.parametrize("field", ["format", "run_id", "seed", "task", "lock_class", "agreement"])
def test_a_missing_field_is_damage(paths, field):
    document = good(paths)
    del document[field]
    plant(paths, document)
    with pytest.raises(PoolMismatchError, match=r"is damaged.*move the pool away"):
        join(paths)


@pytest.mark.parametrize("field", ["name", "options", "genome_sha256"])
@pytest.mark.parametrize("value", [None, [], 1, "gone"])
def test_a_task_that_does_not_say_what_it_is_is_damage(paths, field, value):
    document = good(paths)
    document["task"][field] = value
    if value == "gone":
        del document["task"][field]
    plant(paths, document)
    with pytest.raises(PoolMismatchError):
        join(paths)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b" " * 3_000_000])
def test_any_other_bytes_are_damage(paths, data):
    plant(paths, data)
    with pytest.raises(PoolMismatchError, match="damaged"):
        join(paths)


def test_every_truncation_is_damage_or_the_same(paths):
    """The last byte is a newline, which says nothing."""
    join(paths)
    data = paths.identity.read_bytes()
    for n in range(len(data) - 1):
        plant(paths, data[:n])
        with pytest.raises(PoolMismatchError, match="damaged"):
            pool.read(paths)


@pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path)])
def test_what_is_no_file_is_refused_without_waiting(paths, kind):
    paths.pool.mkdir(parents=True)
    kind(paths.identity)
    with pytest.raises((PoolMismatchError, StorageError)):
        join(paths)


def test_a_missing_parent_is_a_typing_error(tmp_path):
    with pytest.raises(StorageError, match=r"typo does not exist; create it, or choose another --migration-dir"):
        join(SharedPaths(tmp_path / "typo" / "shared"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "shared").touch()
    with pytest.raises(StorageError, match="is not a directory"):
        join(SharedPaths(tmp_path / "shared"))


@pytest.mark.parametrize("name", ["migration_pool", "migration_pool/locks"])
def test_a_file_in_the_way_of_the_pool_is_named(paths, name):
    place = paths.root / name
    place.parent.mkdir(parents=True)
    place.touch()
    with pytest.raises(StorageError, match=f"{place}.*choose another directory"):
        join(paths)


def test_a_pool_behind_a_link_is_a_pool(paths, tmp_path):
    """Scratch directories are often links; only names inside the pool must not be."""
    (tmp_path / "scratch").mkdir()
    paths.root.symlink_to("scratch")
    assert join(paths) == join(paths)


def test_a_pool_that_was_replaced_or_removed_is_not_current(paths):
    joined = join(paths)
    pool.check_current(paths, joined)
    paths.identity.unlink()
    with pytest.raises(PoolMismatchError, match="was replaced while this island started"):
        pool.check_current(paths, joined)
    assert join(paths).run_id != joined.run_id
    with pytest.raises(PoolMismatchError, match="was replaced while this island started"):
        pool.check_current(paths, joined)


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ({"hard_links": False}, "makes no hard links that refuse"),
        ({"rename_refuses": False}, "lets a rename replace a folder"),
        ({"hard_links": False, "rename_refuses": False}, "hard links .* and lets a rename"),
    ],
)
def test_a_file_system_that_lacks_what_islands_need_is_refused_by_name(paths, monkeypatch, lacking, words):
    everything = {"flock_excludes": True, "hard_links": True, "directory_fsync": True, "rename_refuses": True}
    monkeypatch.setattr(locks, "probe", lambda _: locks.MountSupport(**{**everything, **lacking}))
    with pytest.raises(StorageError, match=rf"{words}.*islands need both.*--migration-dir"):
        join(paths)
    assert not paths.identity.exists()


def test_a_mount_without_hard_links_is_not_taken_for_one_that_may_not_be_written(paths, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StorageError, match="makes no hard links"):
        join(paths)


def test_a_start_clears_the_probes_and_drafts_of_those_who_died_making_the_pool(paths):
    join(paths)
    (paths.pool / ".tmp-probe-1").mkdir()
    (paths.pool / ".tmp-POOL.json-1").touch()
    join(paths)
    assert sorted(path.name for path in paths.pool.iterdir()) == ["POOL.json", "locks"]


def test_who_is_cleared_away_while_trying_obeys_the_pool_that_is_there(paths, monkeypatch):
    """The first of many has made the pool, and its clearing takes the others' probes from under them."""

    def probe(_):
        monkeypatch.undo()
        join(paths)
        raise FileNotFoundError

    monkeypatch.setattr(locks, "probe", probe)
    assert join(paths) == pool.read(paths)


@pytest.mark.parametrize("folder", ["pool", "locks"])
def test_a_pool_of_another_account_is_refused_unless_told(paths, monkeypatch, folder):
    join(paths)
    mine = os.geteuid()
    stat = type(paths.pool).stat

    def foreign(path, **options):
        found = stat(path, **options)
        return os.stat_result((*found[:4], 12345, *found[5:10])) if path == getattr(paths, folder) else found

    monkeypatch.setattr(type(paths.pool), "stat", foreign)
    with pytest.raises(StorageError, match=f"belongs to account 12345, and you are {mine}.*--foreign-pool"):
        join(paths)
    assert join(paths, is_foreign_allowed=True)


def test_root_s_pool_is_everybody_s(paths, monkeypatch):
    join(paths)
    account = paths.pool.stat().st_uid
    monkeypatch.setattr(pool, "ROOT", account)
    monkeypatch.setattr(os, "geteuid", lambda: account + 1)
    join(paths)
    monkeypatch.setattr(pool, "ROOT", account + 2)
    with pytest.raises(StorageError, match="--foreign-pool"):
        join(paths)


def test_a_task_whose_description_could_not_be_read_back_makes_no_pool(paths):
    segments = [[f"{i}{'n' * 300}", 1, 0.0, 1.0, "real", 1.0] for i in range(4000)]
    with pytest.raises(ConfigError, match="shorter names"):
        join(paths, task={**TASK, "segments": segments})
    assert not paths.root.exists()


def test_a_task_with_as_many_segments_as_may_be_is_described_and_read_back(paths):
    segments = [[f"x{i}", 1, -1.2345678901234567e-300, 1.2345678901234567e-300, "integer", 1.0] for i in range(4096)]
    join(paths, task={**TASK, "segments": segments})
    assert join(paths).task["segments"] == segments


# Which directory


@pytest.mark.parametrize(
    "inside",
    ["migration_pool", "migration_pool/x", "migration_pool/x/y", "islands", "islands/a", "launch", "old", "old/a-1"],
)
def test_a_directory_among_a_shared_directory_s_own_folders_is_refused_by_name(paths, inside):
    """Islands started there would be taken for others, and those that were meant would wait for them in vain."""
    join(paths)
    before = tree(paths.root)
    with pytest.raises(ConfigError, match=f"lies in the shared directory {paths.root}; name that one"):
        join(SharedPaths(paths.root / inside))
    assert tree(paths.root) == before


def test_a_pool_inside_a_pool_is_refused_though_it_is_one_already(paths):
    """So it was made by a slip."""
    join(paths)
    plant(SharedPaths(paths.pool), json.loads(paths.identity.read_bytes()))
    with pytest.raises(ConfigError, match="name that one"):
        join(SharedPaths(paths.pool))


def test_a_directory_is_refused_by_what_it_is_whichever_way_it_is_named(paths, tmp_path, monkeypatch):
    join(paths)
    (tmp_path / "link").symlink_to(paths.pool)
    monkeypatch.chdir(paths.pool)
    for root in (tmp_path / "link", Path(), Path("x"), paths.pool / ".." / "islands"):
        with pytest.raises(ConfigError, match="name that one"):
            join(SharedPaths(root))


def test_an_archived_run_is_a_directory_of_its_own(paths):
    join(paths)
    archived = SharedPaths(paths.archive / "run-1")
    archived.archive.parent.mkdir(parents=True)
    plant(archived, good(paths))
    pool.check_directory(archived)
    with pytest.raises(ConfigError, match=f"shared directory {archived.root}; name that one"):
        pool.check_directory(SharedPaths(archived.pool))


@pytest.mark.parametrize("name", ["islands", "old", "launch", "migration_pool", "islands/x"])
def test_what_a_directory_is_called_is_no_reason_to_refuse_it(tmp_path, name):
    join(SharedPaths(tmp_path / "elsewhere"))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    join(SharedPaths(tmp_path / name))


def test_a_directory_beside_the_pool_is_free(paths):
    join(paths)
    join(SharedPaths(paths.root / "exact"))
