from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo.paths import SharedPaths
from atoll.migration.observe.verify import verify
from atoll.scripts.lab.speed import pools, stages
from atoll.scripts.lab.speed.plan import QUICK

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    pools.populate(tmp_path, QUICK, peers=3)
    return tmp_path


def test_every_peer_has_published_at_every_migration_and_all_of_it_is_in_order(pool: Path) -> None:
    found = verify(SharedPaths(pool))
    batches = 3 * QUICK.generations // QUICK.migrate_every
    assert found.is_clean
    assert found.counts.items() >= {"islands": 3, "batches": batches, "genomes": 5 * batches, "starts": 3}.items()


def test_an_island_finds_them_and_leaves_the_pool_as_it_was(pool: Path) -> None:
    before = names(pool)
    stages.live(QUICK.config(stages.ISLAND), pool)
    assert names(pool) == before


def test_only_the_island_that_is_named_is_forgotten(pool: Path) -> None:
    before = names(pool)
    pools.forget(pool, "peer-0002")
    assert {name.split("/")[1] for name in before - names(pool)} == {"peer-0002"}


def names(root: Path) -> set[str]:
    """Return all that is there, but for lock files, which nobody deletes."""
    return {str(path.relative_to(root)) for path in root.rglob("*/*") if path.parent.name != "locks"}
