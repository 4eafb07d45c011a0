"""The contract of exchange, held by the directory and by its twin in memory; then what only a directory meets."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter

import numpy as np
import pytest

from evo.errors import StorageError
from evo.genome import NO_PLACE
from evo.paths import GENOMES, MANIFEST
from evo.rng import streams
from migration import inbox, locks
from migration.untrusted import Reason
from tests.migration.archipelago import (
    SEED,
    SPEC,
    collect,
    damage,
    displaced,
    gene_names,
    migrants_of,
    packed,
    publisher,
    read_ledger,
    tree,
    write_batch,
)


def same(one, other):
    return (
        one.migrants.ids == other.migrants.ids
        and one.migrants.population.genes.tobytes() == other.migrants.population.genes.tobytes()
        and one.migrants.fitness.tobytes() == other.migrants.fitness.tobytes()
        and gene_names(one.migrants.population) == gene_names(other.migrants.population)
        and (one.sources, one.refusals, one.peers) == (other.sources, other.refusals, other.peers)
    )


def kinds(world, island):
    return Counter(record["kind"] for record in read_ledger(world.paths(island)))


# The contract


def test_what_one_publishes_the_others_collect(world):
    a, b = world.island("a"), world.island("b")
    sent = migrants_of("a", 10, 5, ancestors=("a", "old"))
    assert a.publish(10, sent) == 5
    found = collect(b, "b", 10).migrants
    assert len(found) == len(set(found.ids))
    for i, name in enumerate(found.ids):
        j = sent.ids.index(name)
        assert found.population.genes[i].tobytes() == sent.population.genes[j].tobytes()
        assert gene_names(found.population)[i] == gene_names(sent.population)[j]
        assert found.fitness[i] == sent.fitness[j]


def test_nobody_imports_from_oneself(world):
    a = world.island("a")
    a.publish(10, migrants_of("a", 10))
    assert len(collect(a, "a", 10).migrants) == 0
    world.island("b").publish(10, migrants_of("b", 10))
    for generation in range(20, 60, 10):
        assert {s.island for s in collect(a, "a", generation).sources} == {"b"}


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_k_best_leave_and_as_many_of_the_worst_make_room(world, k):
    a = world.island("a", migrants=k)
    fitness = np.random.default_rng(k).permutation(20).astype(np.float32)
    genes = np.zeros((20, SPEC.size), np.float32)
    leaving = a.emigrants(genes, fitness, streams=streams(SEED, "a", 10))
    assert list(fitness[leaving]) == list(range(19, 19 - k, -1))
    assert sorted(fitness[displaced(a, fitness, np.zeros(2, np.float32))]) == [0, 1]


def test_the_same_generation_collects_the_same_though_the_pool_has_changed(world):
    a, b = world.island("a"), world.island("b")
    a.publish(10, migrants_of("a", 10))
    first = collect(b, "b", 10)
    a.publish(20, migrants_of("a", 20))
    world.island("c").publish(20, migrants_of("c", 20))
    assert same(collect(b, "b", 10), first)
    assert not same(collect(b, "b", 20), first)


def test_the_same_generation_collects_nobody_again(world):
    b = world.island("b")
    assert len(collect(b, "b", 10).migrants) == 0
    world.island("a").publish(10, migrants_of("a", 10))
    assert len(collect(b, "b", 10).migrants) == 0
    assert len(collect(b, "b", 20).migrants) > 0


def test_publishing_again_is_no_second_offer(world):
    a, b = world.island("a"), world.island("b")
    assert a.publish(10, migrants_of("a", 10)) == a.publish(10, migrants_of("a", 10)) == 3
    assert set(collect(b, "b", 10).migrants.ids) <= set(migrants_of("a", 10).ids)


def test_the_newest_batch_is_the_one_on_offer(world):
    a, b = world.island("a"), world.island("b")
    for generation in (9, 10, 100):
        a.publish(generation, migrants_of("a", generation))
    assert {s.generation for s in collect(b, "b", 10).sources} == {100}


@pytest.mark.parametrize(
    ("topology", "expected"),
    [
        ("full", {"a", "b", "d"}),
        ("ring", {"b"}),
        ("two-way-ring", {"b", "d"}),
        ("star", {"a"}),
        ("none", set()),
        ("random-9", {"a", "b", "d"}),
    ],
)
def test_the_topology_is_respected(world, topology, expected):
    for name in "abd":
        world.island(name).publish(10, migrants_of(name, 10))
    c = world.island("c", topology=topology)
    met = {s.island for generation in range(10, 100, 10) for s in collect(c, "c", generation).sources}
    assert met == expected


def test_random_one_meets_one_at_a_time(world):
    for name in "abd":
        world.island(name).publish(10, migrants_of(name, 10))
    c = world.island("c", topology="random-1")
    for generation in range(10, 60, 10):
        assert len({s.island for s in collect(c, "c", generation).sources}) == 1


@pytest.mark.parametrize("k", [1, 2, 5])
def test_an_import_never_exceeds_k_nor_takes_a_genome_twice(world, k):
    for name in "bcde":
        world.island(name).publish(10, migrants_of(name, 10, 5))
    a = world.island("a", migrants=k)
    for generation in range(10, 200, 10):
        ids = collect(a, "a", generation).migrants.ids
        assert len(set(ids)) == len(ids) <= k


def test_an_empty_archipelago_yields_nobody_and_says_so(world):
    a = world.island("a")
    assert len(collect(a, "a", 10).migrants) == 0
    world.island("b")
    assert len(collect(a, "a", 20).migrants) == 0
    alone = read_ledger(world.paths("a"), "alone")
    assert [record["peers"] for record in alone] == [0, 1]
    text = world.paths("a").migration_log.read_text()
    assert "no other island in the pool yet; evolving alone" in text
    assert "nothing to import from them yet; evolving alone" in text


def test_the_ledger_follows_every_migrant(world):
    a, b = world.island("a"), world.island("b")
    a.publish(10, migrants_of("a", 10))
    arrivals = collect(b, "b", 10)
    n = len(arrivals.migrants)
    b.settle(10, arrivals, np.arange(n, dtype=np.float32), np.arange(n, dtype=np.int64) + 40, best=0.5)
    imported = read_ledger(world.paths("b"), "imported")
    assert [r["id"] for r in imported] == list(arrivals.migrants.ids)
    assert [r["displaced"] for r in imported] == [40 + i for i in range(n)]
    assert [r["fitness_here"] for r in imported] == list(range(n))
    assert [r["led"] for r in imported] == [i > 0.5 for i in range(n)]
    (offer,) = read_ledger(world.paths("a"), "published")
    assert set(offer["ids"]) >= {r["id"] for r in imported}


def test_who_refuses_all_that_it_draws_says_that_there_was_something(world):
    a = world.island("a", max_migrant_age=1)
    world.island("b").publish(10, migrants_of("b", 10))
    assert len(collect(a, "a", 12).migrants) == 0
    assert "all that was drawn is refused; evolving alone" in world.paths("a").migration_log.read_text()
    assert [record["reason"] for record in read_ledger(world.paths("a"), "refused")] == [Reason.TOO_OLD]


def test_whose_genes_an_immigrant_brought_is_in_the_ledger(world):
    a, b = world.island("a", migrants=1), world.island("b", migrants=1)
    a.publish(10, migrants_of("a", 10, 1, ancestors=("a", "old")))
    arrivals = collect(b, "b", 10)
    b.settle(10, arrivals, np.zeros(1, np.float32), np.zeros(1, np.int64), best=0.0)
    [imported] = read_ledger(world.paths("b"), "imported")
    names = gene_names(arrivals.migrants.population)[0]
    assert imported["ancestry"] == {name: names.count(name) / len(names) for name in ("a", "old")}


def test_who_is_not_better_is_refused_with_the_reason(world):
    a, b = world.island("a"), world.island("b", replacement="only-if-better", migrants=2)
    a.publish(10, migrants_of("a", 10, 2))
    arrivals = collect(b, "b", 10)
    scores = np.asarray([5, -5], np.float32)
    places = displaced(b, np.zeros(9, np.float32), scores)
    assert list(places != NO_PLACE) == [True, False]
    b.settle(10, arrivals, scores, places, best=0.0)
    [imported], [refused] = (read_ledger(world.paths("b"), kind) for kind in ("imported", "refused"))
    assert (imported["id"], refused["id"]) == arrivals.migrants.ids
    assert refused["reason"] == Reason.NOT_BETTER
    assert refused["source"] == "a"
    assert "displaced" not in refused
    assert "-5 here, not better than whom it would displace" in world.paths("b").migration_log.read_text()


@pytest.mark.parametrize("how", ["random", "tournament"])
def test_random_policies_are_functions_of_seed_island_generation_and_purpose(world, how):
    a = world.island("a", emigrant_selection=how, replacement="random")
    genes, fitness = np.zeros((50, SPEC.size), np.float32), np.arange(50, dtype=np.float32)

    def chosen(generation):
        leaving = a.emigrants(genes, fitness, streams=streams(SEED, "a", generation))
        return tuple(leaving), tuple(displaced(a, fitness, np.zeros(5, np.float32), generation=generation))

    assert chosen(10) == chosen(10)
    assert chosen(10)[0] != chosen(20)[0]
    assert chosen(10)[1] != chosen(20)[1]


def test_pruning_keeps_the_newest_r(world):
    a, b = world.island("a", keep_generations=3), world.island("b")
    for generation in range(1, 8):
        a.publish(generation, migrants_of("a", generation))
    assert {s.generation for s in collect(b, "b", 10).sources} == {7}
    pruned = [g for r in read_ledger(world.paths("a"), "pruned") for g in r["generations"]]
    assert sorted(pruned) == [1, 2, 3, 4]


def test_everything_is_kept_by_default(world):
    a = world.island("a")
    for generation in range(1, 8):
        a.publish(generation, migrants_of("a", generation))
    assert kinds(world, "a")["pruned"] == 0


# Starts and restarts of an island on disk


def test_a_restart_collects_what_the_dead_process_did(disk):
    disk.island("a").publish(10, migrants_of("a", 10))
    first = collect(disk.island("b"), "b", 10)
    disk.island("a").publish(20, migrants_of("a", 20))
    assert same(collect(disk.island("b"), "b", 10), first)


def test_a_restart_remembers_what_it_had_seen(disk):
    """Not from the pool, but from the last import before the generation it goes on from."""
    disk.island("a").publish(30, migrants_of("a", 30))
    collect(disk.island("b"), "b", 10)
    shutil.rmtree(disk.paths("a").publication(30))
    write_batch(disk.paths("a").publication(20), packed("a", 20))
    found = collect(disk.island("b", generation=20), "b", 20)
    assert [Reason(r.reason) for r in found.refusals] == [Reason.ROLLED_BACK]
    assert len(found.migrants) == 0


def test_a_journal_of_a_later_generation_is_not_what_an_earlier_one_had_seen(disk):
    disk.island("a").publish(30, migrants_of("a", 30))
    collect(disk.island("b"), "b", 20)
    shutil.rmtree(disk.paths("a").publication(30))
    write_batch(disk.paths("a").publication(20), packed("a", 20))
    assert len(collect(disk.island("b", generation=10), "b", 10).migrants) > 0


def test_republishing_across_starts_is_the_same_batch(disk):
    disk.island("a").publish(10, migrants_of("a", 10))
    before = tree(disk.paths("a").publication(10))
    assert disk.island("a").publish(10, migrants_of("a", 10)) == 3
    assert tree(disk.paths("a").publication(10)) == before


def test_a_start_mends_and_says_so(disk):
    disk.island("a").publish(10, migrants_of("a", 10))
    damage(disk.paths("a").publication(10) / GENOMES)
    a = disk.island("a")
    [mended] = read_ledger(disk.paths("a"), "mended")
    assert (mended["generation"], mended["reason"]) == (10, Reason.DAMAGED)
    assert "moved our gen-10 away, damaged: genomes" in disk.paths("a").migration_log.read_text()
    a.publish(10, migrants_of("a", 10))
    assert len(collect(disk.island("b"), "b", 10).migrants) > 0


def test_a_start_says_what_it_leaves_alone_in_one_line(disk):
    for generation in (10, 20, 30):
        write_batch(disk.paths("a").publication(generation), packed("a", generation, run_id="b" * 32))
    disk.island("a")
    [left] = read_ledger(disk.paths("a"), "unmended")
    assert (left["generations"], left["reason"]) == ([30, 20, 10], Reason.OTHER_RUN)
    assert "left 3 publications of ours alone, of another run: gen-30, run bbb" in (
        disk.paths("a").migration_log.read_text()
    )
    assert read_ledger(disk.paths("a"), "mended") == []


# Faults


def refuse_writes(monkeypatch, code=errno.ENOSPC):
    def refuse(path, *_args, **_kwargs):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr("evo.atomic.create_directory", refuse)
    monkeypatch.setattr("evo.atomic.replace_file", refuse)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_pool_that_cannot_be_written_costs_the_offer_and_nothing_else(disk, monkeypatch, code):
    a = disk.island("a")
    refuse_writes(monkeypatch, code)
    assert a.publish(10, migrants_of("a", 10)) == 0
    a.beat(10)
    monkeypatch.undo()
    assert a.publish(20, migrants_of("a", 20)) == 3
    assert kinds(disk, "a") == {"start": 1, "unpublished": 1, "no-beat": 1, "published": 1}
    assert os.strerror(code) in read_ledger(disk.paths("a"), "unpublished")[0]["error"]


def test_a_file_in_the_way_of_the_folder_costs_the_offer(disk):
    a = disk.island("a")
    shutil.rmtree(disk.paths("a").outbox)
    disk.paths("a").outbox.touch()
    assert a.publish(10, migrants_of("a", 10)) == 0
    a.beat(10)
    assert kinds(disk, "a")["unpublished"] == 1


def test_a_pool_deleted_under_us_costs_the_exchange_only(disk):
    a = disk.island("a")
    shutil.rmtree(disk.shared.pool)
    assert a.publish(10, migrants_of("a", 10)) == 0
    assert len(collect(a, "a", 10).migrants) == 0
    a.beat(10)


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
        for place in ("migration.batch.pack", "migration.memory.pack", "migration.exchange.draw"):
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

    monkeypatch.setattr("evo.atomic.move", refuse)
    for generation in range(1, 6):
        assert a.publish(generation, migrants_of("a", generation)) == 3
    assert kinds(disk, "a")["unpruned"] == 2


def test_pruning_waits_for_another_time_while_somebody_reads(disk):
    a = disk.island("a", keep_generations=3)
    with locks.pruning_paused(disk.paths("a").prune_lock, "flock"):
        for generation in range(1, 6):
            a.publish(generation, migrants_of("a", generation))
    assert kinds(disk, "a")["pruned"] == 0
    a.publish(6, migrants_of("a", 6))
    assert sorted(read_ledger(disk.paths("a"), "pruned")[0]["generations"]) == [1, 2, 3]


def test_an_import_goes_on_while_a_peer_s_lock_is_held(disk):
    disk.island("b").publish(10, migrants_of("b", 10))
    a = disk.island("a")
    with locks.pruning(disk.paths("b").prune_lock, "flock"):
        assert len(collect(a, "a", 10).migrants) > 0


def plant(disk, island, what):
    outbox = disk.paths(island).outbox
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
