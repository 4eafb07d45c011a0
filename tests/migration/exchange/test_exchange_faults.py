"""What broken pools, disks, peers and short memory cost an exchange: that offer or import, and nothing else."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from atoll.evo.errors import StorageError
from atoll.evo.paths import GENOMES, MANIFEST
from atoll.migration.pool import inbox, locks
from atoll.migration.pool.bounded_io import Reason
from tests.migration.archipelago import (
    collect,
    damage,
    kinds,
    migrants_of,
    number_an_epoch,
    packed,
    publisher,
    read_ledger,
    same,
    tree,
    write_batch,
)


def refuse_writes(monkeypatch, code=errno.ENOSPC):
    def refuse(path, *_args, **_kwargs):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr("atoll.evo.atomic.create_directory", refuse)
    monkeypatch.setattr("atoll.evo.atomic.replace_file", refuse)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_pool_that_cannot_be_written_costs_the_offer_and_nothing_else(disk, monkeypatch, code):
    a = disk.island("a")
    refuse_writes(monkeypatch, code)
    assert a.publish(10, migrants_of("a", 10)) == 0
    a.heartbeat(10)
    monkeypatch.undo()
    assert a.publish(20, migrants_of("a", 20)) == 3
    assert kinds(disk, "a") == {"start": 1, "unpublished": 1, "no-beat": 1, "published": 1}
    assert os.strerror(code) in read_ledger(disk.paths("a"), "unpublished")[0]["error"]


def test_a_file_in_the_way_of_the_folder_costs_the_offer(disk):
    a = disk.island("a")
    shutil.rmtree(disk.paths("a").outbox)
    disk.paths("a").outbox.touch()
    assert a.publish(10, migrants_of("a", 10)) == 0
    a.heartbeat(10)
    assert kinds(disk, "a")["unpublished"] == 1


def test_a_pool_deleted_under_us_costs_the_exchange_only(disk):
    a = disk.island("a")
    shutil.rmtree(disk.shared.pool)
    assert a.publish(10, migrants_of("a", 10)) == 0
    assert len(collect(a, "a", 10).migrants) == 0
    a.heartbeat(10)


def test_a_pool_that_cannot_be_listed_is_a_refusal_and_replays(disk, monkeypatch):
    a = disk.island("a")
    disk.island("b").publish(10, migrants_of("b", 10))

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        found = collect(a, "a", 10)
    assert [Reason(r.reason) for r in found.refusals] == [Reason.UNREADABLE]
    assert same(collect(a, "a", 10), found)
    assert len(collect(a, "a", 20).migrants) > 0


def test_memory_that_is_short_costs_an_offer_or_an_import_and_nothing_else(world, monkeypatch):
    a, b = world.island("a"), world.island("b")
    b.publish(10, migrants_of("b", 10))
    with monkeypatch.context() as patch:
        for place in (
            "atoll.migration.pool.mailbox.pack",
            "atoll.migration.exchange.exchange.draw_immigrants",
        ):
            patch.setattr(place, lambda *_, **__: bytearray(1 << 62))
        assert a.publish(10, migrants_of("a", 10)) == 0
        found = collect(a, "a", 10)
    assert "not enough memory" in read_ledger(world.paths("a"), "unpublished")[0]["error"]
    assert [(r.reason, "not enough memory" in r.detail) for r in found.refusals] == [("unreadable", True)]
    assert a.publish(20, migrants_of("a", 20)) == 3
    assert len(collect(a, "a", 20).migrants) > 0


def test_an_inbox_that_cannot_be_written_stops_the_island(disk, monkeypatch):
    a = disk.island("a")
    refuse_writes(monkeypatch)
    with pytest.raises(StorageError, match=r"cannot write the inbox.*free some space"):
        collect(a, "a", 10)


def test_a_prune_that_fails_is_noted(disk, monkeypatch):
    a = disk.island("a", keep_generations=3)

    def refuse(*_args):
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr("atoll.evo.atomic.move", refuse)
    for generation in range(1, 6):
        assert a.publish(generation, migrants_of("a", generation)) == 3
    assert kinds(disk, "a")["unpruned"] == 2


def test_pruning_waits_for_another_time_while_somebody_reads(disk):
    a = disk.island("a", keep_generations=3)
    with locks.Locks("flock").pruning_paused(disk.paths("a").prune_lock):
        for generation in range(1, 6):
            a.publish(generation, migrants_of("a", generation))
    assert kinds(disk, "a")["pruned"] == 0
    a.publish(6, migrants_of("a", 6))
    assert sorted(read_ledger(disk.paths("a"), "pruned")[0]["generations"]) == [1, 2, 3]


def test_an_import_goes_on_while_a_peer_s_lock_is_held(disk):
    disk.island("b").publish(10, migrants_of("b", 10))
    a = disk.island("a")
    with locks.Locks("flock").pruning(disk.paths("b").prune_lock):
        assert len(collect(a, "a", 10).migrants) > 0


def plant(disk, island, what):
    outbox = disk.paths(island).outbox
    number_an_epoch(disk.paths(island))
    place = write_batch(outbox / "gen-10", packed(island, 10))
    what(place)


ATTACKS = {
    "torn manifest": (lambda p: os.truncate(p / MANIFEST, 100), Reason.DAMAGED),
    "flipped bit": (lambda p: damage(p / GENOMES), Reason.DAMAGED),
    "oversized": (lambda p: os.truncate(p / MANIFEST, 1 << 30), Reason.TOO_LARGE),
    "link": (lambda p: [(p / GENOMES).unlink(), (p / GENOMES).symlink_to("/dev/zero")], Reason.NOT_A_FILE),
    "pipe": (lambda p: [(p / GENOMES).unlink(), os.mkfifo(p / GENOMES)], Reason.NOT_A_FILE),
    "bomb": (lambda p: (p / MANIFEST).write_bytes(b"[" * 200_000), Reason.DAMAGED),
    "other run": (
        lambda p: write_batch(p, packed(p.parent.name, 10, by=publisher(p.parent.name, run_id="b" * 32))),
        Reason.OTHER_RUN,
    ),
    "another's": (lambda p: write_batch(p, packed("zz", 10)), Reason.MISPLACED),
}


def test_bad_peers_are_refused_by_name_while_the_good_one_is_heard(disk):
    """All attacks at once, one peer each, and one honest island among them: 40 imports, none raises."""
    for i, (what, _) in enumerate(ATTACKS.values()):
        plant(disk, f"bad-{i}", what)
    disk.island("good").publish(10, migrants_of("good", 10))
    a = disk.island("a")
    for generation in range(10, 410, 10):
        arrivals = collect(a, "a", generation)
        assert {s.island for s in arrivals.sources} <= {"good"}
    refused = {(r["source"], r["reason"]) for r in read_ledger(disk.paths("a"), "refused")}
    assert refused == {(f"bad-{i}", str(reason)) for i, (_, reason) in enumerate(ATTACKS.values())}
    assert collect(a, "a", 400).refused == len(inbox.load(disk.paths("a"), 400).refusals)


def test_nothing_of_a_peer_s_is_ever_touched(disk):
    for i, (what, _) in enumerate(ATTACKS.values()):
        if i not in {2, 4}:
            plant(disk, f"bad-{i}", what)
    outboxes = [disk.paths(f"bad-{i}").outbox for i in range(len(ATTACKS))]
    before = [tree(outbox) for outbox in outboxes]
    a = disk.island("a", keep_generations=3)
    for generation in range(10, 100, 10):
        a.publish(generation, migrants_of("a", generation))
        collect(a, "a", generation)
    assert [tree(outbox) for outbox in outboxes] == before
