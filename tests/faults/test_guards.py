"""Each protection is needed: switched off, the proof notices. And where a proof is a search, it is not a vain one."""

from __future__ import annotations

import os

import pytest

from atoll.evo.errors import FencedError
from atoll.evo.paths import GENOMES, MANIFEST
from atoll.migration.pool import batch
from atoll.migration.pool.bounded_io import RefusedError
from tests.faults import sabotage
from tests.faults.campaign import Order, read_report
from tests.faults.contest import NO_LOCK, contest, overlaps
from tests.faults.operations import Checkpoint, Import
from tests.faults.test_crash_model import explored
from tests.faults.world import World
from tests.migration.archipelago import OnDisk, migrants_of, packed, publisher, write_batch
from tests.scripts.run.island_process import CONTEXT

# A proof that holds with the protection, and does not without


def damage_is_refused(place):
    """Flip the lowest bit of each byte of the genes, one after the other: nearly the same genomes, in bounds."""
    path, files = place / "batch", packed("b", 10)
    accepted = 0
    for offset in range(len(files[GENOMES]) - 70, len(files[GENOMES])):
        data = bytearray(files[GENOMES])
        data[offset] ^= 1
        write_batch(path, {**files, GENOMES: bytes(data)})
        accepted += is_accepted(path)
    assert accepted == 0


def is_accepted(path):
    by = publisher("b")
    try:
        batch.read(path, run_id=by.run_id, spec=by.spec, island="b", generation=10)
    except RefusedError:
        return False
    return True


def the_older_owner_is_fenced(place):
    disk = OnDisk(place / "shared")
    older, newer = disk.mailbox("a"), disk.mailbox("a")
    newer.publish(10, migrants_of("a", 10))
    with pytest.raises(FencedError):
        older.publish(20, migrants_of("a", 20))
    assert not disk.paths("a").publication(20).exists()


def an_oversized_manifest_is_refused_unread(place):
    """Eight million zeros behind a whole one."""
    path, n_read = write_batch(place / "batch", packed("b", 10)), 0
    os.truncate(path / MANIFEST, 1 << 23)
    read = os.read

    def count(descriptor, n):
        nonlocal n_read
        data = read(descriptor, n)
        n_read += len(data)
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "read", count)
        assert not is_accepted(path)
    assert n_read <= (1 << 18) + 1


def a_link_is_refused(place):
    files = packed("b", 10)
    write_batch(place / "elsewhere", files)
    write_batch(place / "batch", {MANIFEST: files[MANIFEST]})
    (place / "batch" / GENOMES).symlink_to(place / "elsewhere" / GENOMES)
    assert not is_accepted(place / "batch")


def a_power_cut_loses_nothing(place):
    _, wrong = explored(Checkpoint(), place)
    assert not wrong, wrong[0]


def an_import_is_kept_before_it_is_used(place):
    operation, world = Import(), World(place / "world")
    operation.prepare(world)
    operation.check(world, operation.ready(world)())


PROOFS = [
    (sabotage.no_hash, damage_is_refused),
    (sabotage.no_fencing, the_older_owner_is_fenced),
    (sabotage.no_size_limit, an_oversized_manifest_is_refused_unread),
    (sabotage.follow_links, a_link_is_refused),
    (sabotage.no_sync, a_power_cut_loses_nothing),
    (sabotage.use_before_keeping, an_import_is_kept_before_it_is_used),
]


@pytest.mark.parametrize(("protection", "proof"), PROOFS, ids=lambda part: part.__name__)
def test_a_protection_that_is_switched_off_is_noticed(tmp_path, monkeypatch, protection, proof):
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    proof(tmp_path / "with")
    protection(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        proof(tmp_path / "without")


# A search that finds nothing, and would have


@pytest.mark.slow
def test_without_a_lock_the_contest_finds_processes_that_hold_it_at_once(tmp_path):
    assert overlaps(contest(tmp_path, "flock", 20)) == []
    assert overlaps(contest(tmp_path, NO_LOCK, 20)) != []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "protection"),
    [("publish", sabotage.publish_in_place), ("claim", sabotage.create_in_place)],
    ids=["publish", "claim"],
)
def test_without_a_commit_the_campaign_of_faults_finds_what_is_wrong(tmp_path, operation, protection):
    order = Order(operation, "seam", "once")
    process = CONTEXT.Process(target=sabotage.sabotaged_campaign, args=(tmp_path, order, protection))
    process.start()
    process.join()
    assert len(read_report(tmp_path).wrong) > 3
