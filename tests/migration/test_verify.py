from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evo.errors import PoolMismatchError
from evo.paths import SharedPaths
from evo.tasks.loader import ENTRIES, load_task
from evo.tasks.task import task_identity
from migration import pool
from migration.verify import Defect, Findings, spec_of, verify
from tests.migration.test_status import live

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ENTRIES)
def test_the_layout_in_the_pool_is_the_tasks(name: str) -> None:
    task = load_task(name, {})
    assert spec_of(task_identity(task)) == task.spec


def test_a_layout_that_is_none_is_refused() -> None:
    with pytest.raises(PoolMismatchError):
        spec_of({"segments": [["x", 3]]})


def test_a_directory_without_a_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoolMismatchError, match="no island has used this directory"):
        verify(SharedPaths(tmp_path))


@pytest.fixture
def shared(tmp_path: Path) -> SharedPaths:
    """A pool in order, with one island."""
    shared = SharedPaths(tmp_path)
    pool.join(shared, seed=1, task=task_identity(load_task("sphere", {})))
    live(shared.island("a"), generation=3)
    return shared


def test_a_pool_in_order_has_no_defects(shared: SharedPaths) -> None:
    (shared.pool / ".tmp-probe-ab").mkdir()
    assert verify(shared) == Findings(islands=1, batches=0, genomes=0, defects=())


def test_what_does_not_belong_is_reported_and_left_alone(shared: SharedPaths) -> None:
    strange = [shared.pool / "not an island", shared.pool / "a" / "gen-10", shared.pool / "a" / "gen-010"]
    for path in strange:
        path.mkdir(parents=True)
    findings = verify(shared)
    assert (findings.islands, findings.batches) == (1, 0)
    assert {defect.path for defect in findings.defects} == set(map(str, strange))
    assert all(path.is_dir() for path in strange)


def test_a_file_with_an_islands_name_and_an_empty_folder_are_defects(shared: SharedPaths) -> None:
    (shared.pool / "notes").touch()
    shared.island("empty").outbox.mkdir()
    findings = verify(shared)
    assert findings.islands == 2
    assert {defect.path: defect.reason for defect in findings.defects} == {
        str(shared.pool / "notes"): "not an island's folder",
        str(shared.island("empty").epochs): "no island has ever started here",
    }


@pytest.mark.parametrize("name", ["99.json", "notes"])
def test_a_start_that_never_was_is_reported(shared: SharedPaths, name: str) -> None:
    place = shared.island("a").epochs / name
    place.write_text("{}")
    assert verify(shared).defects == (Defect(str(place), "not the record of a start"),)
