"""Laws of replay: what arrived arrives again, from the recording alone; what it lacks is named."""

from __future__ import annotations

import numpy as np
import pytest

from atoll.evo import atomic
from atoll.evo.config import Migration
from atoll.evo.errors import DamagedFileError
from atoll.evo.paths import PrivateFiles
from atoll.evo.records import Start
from atoll.migration.exchange.exchange import Journal, ReplayExchange
from atoll.migration.exchange.modes import directory_exchange
from atoll.migration.pool import inbox
from atoll.migration.pool.ledger import Ledger
from tests.migration.archipelago import OnDisk, collect, damage, gene_names, migrants_of


@pytest.fixture
def recorded(disk):
    """An island `a` that met two others at generations 10 and 20, and nobody at 30."""
    a = disk.island("a")
    for generation in (10, 20):
        for name in "bc":
            disk.island(name).publish(generation, migrants_of(name, generation))
        collect(a, "a", generation)
    for name in "bc":
        atomic.remove_directory(disk.paths(name).outbox)
    collect(a, "a", 30)
    return disk


def replaying(recorded, tmp_path, exports=None):
    """Return the island again, in an empty archipelago, and that archipelago."""
    there = OnDisk(tmp_path / "replayed", run_id="b" * 32)
    epoch = there.epoch("a")
    ledger = Ledger(there.paths("a"))
    ledger.start(Start(epoch=1, generation=0))
    journal = Journal(PrivateFiles(recorded.paths("a").home), exports or {10: 5, 20: 0, 30: 5})
    exchange = directory_exchange(
        there.owned("a", epoch),
        migration=Migration(migrants=5, mode="replay", replay_from="recorded"),
        ledger=ledger,
        journal=journal,
    )
    return exchange, there


def test_what_arrived_arrives_again_and_is_kept_in_equal_bytes(recorded, tmp_path):
    exchange, there = replaying(recorded, tmp_path)
    assert isinstance(exchange, ReplayExchange)
    for generation in (10, 20, 30):
        before = inbox.load(recorded.paths("a"), generation)
        found = collect(exchange, "a", generation)
        assert found.sources == before.sources
        assert np.array_equal(found.migrants.population.genes, before.migrants.population.genes)
        assert gene_names(found.migrants.population) == gene_names(before.migrants.population)
        assert there.paths("a").inbox(generation).read_bytes() == recorded.paths("a").inbox(generation).read_bytes()


def test_nothing_is_published_and_what_was_accepted_is_counted(recorded, tmp_path):
    exchange, there = replaying(recorded, tmp_path)
    assert [exchange.publish(generation, migrants_of("a", generation)) for generation in (10, 20, 30)] == [5, 0, 5]
    assert list(there.paths("a").outbox.glob("gen-*")) == []


def test_a_missing_entry_is_named(recorded, tmp_path):
    atomic.remove_file(recorded.paths("a").inbox(20))
    exchange, there = replaying(recorded, tmp_path)
    collect(exchange, "a", 10)
    with pytest.raises(DamagedFileError, match=rf"no imports of generation 20: {recorded.paths('a').inbox(20)}"):
        collect(exchange, "a", 20)
    assert not there.paths("a").inbox(20).exists()


def test_a_damaged_entry_is_named(recorded, tmp_path):
    damage(recorded.paths("a").inbox(20))
    exchange, _ = replaying(recorded, tmp_path)
    with pytest.raises(DamagedFileError, match=str(recorded.paths("a").inbox(20))):
        collect(exchange, "a", 20)


def test_every_migration_leaves_an_entry_whether_or_not_anybody_came(recorded):
    """And none is removed: pruning concerns what is published."""
    a = recorded.island("a", generation=30, keep_generations=3)
    for generation in range(40, 200, 10):
        a.publish(generation, migrants_of("a", generation))
        collect(a, "a", generation)
    assert len(list(recorded.paths("a").outbox.glob("gen-*"))) == 3
    found = {path.name for path in recorded.paths("a").inboxes.iterdir()}
    assert found == {f"gen-{generation}.safetensors" for generation in range(10, 200, 10)}
