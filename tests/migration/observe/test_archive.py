from __future__ import annotations

import fcntl
import json
import threading
from typing import TYPE_CHECKING

import filelock
import pytest

from atoll.evo import atomic
from atoll.evo.errors import OwnerConflictError, PoolMismatchError
from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import task_identity
from atoll.migration.observe import archive
from atoll.migration.pool import identity as pool
from atoll.migration.pool import locks
from tests.migration.observe.test_status import change, live
from tests.processes import hang_s

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shared(tmp_path: Path) -> SharedPaths:
    """A pool with one finished island."""
    shared = SharedPaths(tmp_path / "shared")
    pool.join(shared, seed=1, task=task_identity(load_task("sphere", {})))
    change(shared.island("a"), live(shared.island("a"), generation=50), pid=2**22 + 1)
    return shared


def test_nothing_is_there_before_the_first_island(tmp_path: Path) -> None:
    run = archive.look(SharedPaths(tmp_path))
    assert (run.run_id, run.is_finished) == (None, False)
    assert archive.put_away(SharedPaths(tmp_path), run) is None


def test_a_run_is_finished_when_all_of_it_is(shared: SharedPaths) -> None:
    assert archive.look(shared).is_finished
    live(shared.island("b"), generation=49)
    assert not archive.look(shared).is_finished


def test_everything_of_a_run_moves_and_a_new_one_may_differ(shared: SharedPaths) -> None:
    shared.settings.write_text("[a]\n")
    before = archive.look(shared)
    target = archive.put_away(shared, before)
    assert target is not None
    assert sorted(path.name for path in target.iterdir()) == ["islands", "islands.toml", "migration_pool"]
    assert not shared.pool.exists()
    assert not shared.homes.exists()
    assert archive.look(shared).run_id is None


def test_a_running_island_keeps_its_run_in_place(shared: SharedPaths) -> None:
    live(shared.island("b"), generation=3)
    with pytest.raises(OwnerConflictError, match="still running: b"):
        archive.put_away(shared, archive.look(shared))
    assert shared.identity.exists()


def far_away(shared: SharedPaths, lock_class: str) -> archive.Run:
    """Let island b have ended on another host, in a pool of such locks; return the run."""
    document = json.loads(shared.identity.read_bytes())
    shared.identity.write_text(json.dumps({**document, "lock_class": lock_class}))
    change(shared.island("b"), live(shared.island("b"), generation=3), host="far-away")
    return archive.look(shared)


def test_a_lock_that_reaches_everywhere_tells_that_an_island_elsewhere_has_ended(shared: SharedPaths) -> None:
    assert archive.put_away(shared, far_away(shared, "flock")) is not None


def test_a_lock_that_is_held_keeps_the_run_whatever_the_records_say(
    shared: SharedPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a finished island that is not gone yet, one elsewhere, and one that has nothing but its lock so far."""
    monkeypatch.setattr(archive, "LETTING_GO_S", 0.01)
    run = far_away(shared, "flock")
    for name in ("a", "b", "c"):
        with (
            locks.Locks("flock").owner(shared.island(name).owner_lock),
            pytest.raises(OwnerConflictError, match=f"still running: {name};"),
        ):
            archive.put_away(shared, run, force=True)
        assert shared.identity.exists()
        assert not shared.archived_run(run.run_id or "").exists()
    assert archive.put_away(shared, run) is not None


def test_a_finished_island_has_a_moment_to_go(shared: SharedPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last line is in the log before its process has ended."""
    monkeypatch.setattr(archive, "LETTING_GO_S", hang_s())
    with shared.island("a").owner_lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ending = threading.Timer(0.3, fcntl.flock, (held, fcntl.LOCK_UN))
        ending.start()
        assert archive.put_away(shared, archive.look(shared)) is not None
        ending.join()


def test_where_locks_are_soft_only_a_person_can_tell_of_another_host(shared: SharedPaths) -> None:
    run = far_away(shared, "soft")
    with pytest.raises(OwnerConflictError, match=r"on another host: b;.*--force"):
        archive.put_away(shared, run)
    assert not shared.archive.exists() or not list(shared.archive.iterdir())
    assert archive.put_away(shared, run, force=True) is not None


def test_force_does_not_override_an_island_that_runs_here(shared: SharedPaths) -> None:
    run = far_away(shared, "soft")
    live(shared.island("c"), generation=3)
    with pytest.raises(OwnerConflictError, match="still running: c;"):
        archive.put_away(shared, run, force=True)


def test_what_started_after_the_look_is_seen(shared: SharedPaths) -> None:
    run = archive.look(shared)
    live(shared.island("c"), generation=3)
    with pytest.raises(OwnerConflictError, match="still running: c;"):
        archive.put_away(shared, run)


def test_no_island_can_start_while_things_move(shared: SharedPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a known one, whose lock is held, nor a new one, which finds the folder in `old/`."""
    joined = pool.read(shared)
    assert joined is not None
    moved: list[str] = []

    def move(source: Path, target: Path) -> None:
        with pytest.raises(filelock.Timeout):
            locks.Locks("flock").owner(shared.island("a").owner_lock).acquire()
        with (
            locks.Locks("flock").owner(shared.island("new").owner_lock),
            pytest.raises(PoolMismatchError, match="is being archived"),
        ):
            pool.check_current(shared, joined)
        source.rename(target)
        moved.append(source.name)

    monkeypatch.setattr(atomic, "move", move)
    archive.put_away(shared, archive.look(shared))
    assert moved == ["islands", "migration_pool"]


def test_who_got_the_lock_of_a_run_that_has_gone_does_not_go_on(shared: SharedPaths) -> None:
    """It opened the lock's file before the run moved, and got the lock when the archiver let go."""
    joined = pool.read(shared)
    assert joined is not None
    archive.put_away(shared, archive.look(shared))
    with pytest.raises(PoolMismatchError, match="archived"):
        pool.check_current(shared, joined)
    pool.join(shared, seed=1, task=task_identity(load_task("sphere", {})))
    with pytest.raises(PoolMismatchError, match="archived"):
        pool.check_current(shared, joined)


def test_a_run_that_has_gone_since_the_look_is_not_put_away(shared: SharedPaths) -> None:
    run = archive.look(shared)
    shared.pool.rename(shared.root / "mine")
    pool.join(shared, seed=1, task=task_identity(load_task("sphere", {})))
    with pytest.raises(PoolMismatchError, match="changed while it was looked at"):
        archive.put_away(shared, run)
    assert shared.identity.exists()


def test_a_folder_in_which_nothing_ever_started_is_no_unfinished_island(shared: SharedPaths) -> None:
    shared.island("empty").outbox.mkdir()
    (shared.pool / "notes").touch()
    assert archive.look(shared).is_finished
    assert archive.put_away(shared, archive.look(shared)) is not None


def test_a_call_cut_short_is_completed_by_the_next_one(shared: SharedPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []

    def move_once(source: Path, target: Path) -> None:
        if moved:
            raise KeyboardInterrupt
        moved.append(source.name)
        source.rename(target)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "move", move_once)
        with pytest.raises(KeyboardInterrupt):
            archive.put_away(shared, archive.look(shared))
    assert moved == ["islands"]
    target = archive.put_away(shared, archive.look(shared))
    assert target is not None
    assert sorted(path.name for path in target.iterdir()) == ["islands", "migration_pool"]


def test_what_is_published_can_stay(shared: SharedPaths) -> None:
    paths = shared.island("a")
    atomic.make_directory(paths.home)
    target = archive.put_island_away(shared, paths, epoch=7, keep_published=True)
    assert target is not None
    assert [place.name for place in target.iterdir()] == ["private"]
    assert paths.outbox.is_dir()
    assert not paths.home.exists()
