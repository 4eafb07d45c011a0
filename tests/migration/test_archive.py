from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evo import atomic
from evo.errors import OwnerConflictError
from evo.island import task_identity
from evo.paths import SharedPaths
from evo.tasks.loader import load_task
from migration import archive, pool
from tests.migration.test_status import change, live

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


def test_an_island_elsewhere_may_be_running(shared: SharedPaths) -> None:
    change(shared.island("b"), live(shared.island("b"), generation=3), host="far-away")
    with pytest.raises(OwnerConflictError, match="b"):
        archive.put_away(shared, archive.look(shared))


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
