from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evo.errors import PoolMismatchError
from evo.island import task_identity
from evo.paths import SharedPaths
from evo.tasks.loader import ENTRIES, load_task
from migration import pool
from migration.verify import spec_of, verify

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


def test_what_does_not_belong_is_reported_and_left_alone(tmp_path: Path) -> None:
    shared = SharedPaths(tmp_path)
    pool.join(shared, seed=1, task=task_identity(load_task("sphere", {})))
    strange = [shared.pool / "not an island", shared.pool / "a" / "gen-10", shared.pool / "a" / "gen-010"]
    for path in strange:
        path.mkdir(parents=True)
    findings = verify(shared)
    assert (findings.islands, findings.batches) == (1, 0)
    assert {defect.path for defect in findings.defects} == set(map(str, strange))
    assert all(path.is_dir() for path in strange)
