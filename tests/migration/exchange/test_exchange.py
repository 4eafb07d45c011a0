"""The contract of exchange, held by the directory and by its twin in memory; then what only a directory meets."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from atoll.evo.genome import NO_PLACE
from atoll.evo.paths import GENOMES
from atoll.evo.rng import streams
from atoll.migration.pool.bounded_io import Reason
from tests.migration.archipelago import (
    SEED,
    SPEC,
    collect,
    damage,
    displaced,
    gene_names,
    kinds,
    migrants_of,
    packed,
    read_ledger,
    same,
    tree,
    write_batch,
)

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
    genes = SPEC.sample(np.random.default_rng(k), 20)
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
    b.record_outcome(10, arrivals, np.arange(n, dtype=np.float32), np.arange(n, dtype=np.int64) + 40, best=0.5)
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
    b.record_outcome(10, arrivals, np.zeros(1, np.float32), np.zeros(1, np.int64), best=0.0)
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
    b.record_outcome(10, arrivals, scores, places, best=0.0)
    [imported], [refused] = (read_ledger(world.paths("b"), kind) for kind in ("imported", "refused"))
    assert (imported["id"], refused["id"]) == arrivals.migrants.ids
    assert refused["reason"] == Reason.NOT_BETTER
    assert refused["source"] == "a"
    assert "displaced" not in refused
    assert "-5 here, not better than whom it would displace" in world.paths("b").migration_log.read_text()


@pytest.mark.parametrize("how", ["random", "tournament"])
def test_random_policies_are_functions_of_seed_island_generation_and_purpose(world, how):
    a = world.island("a", emigrant_selection=how, replacement="random")
    genes, fitness = SPEC.sample(np.random.default_rng(1), 50), np.arange(50, dtype=np.float32)

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


# A neighbour that publishes nothing new


def test_taking_from_the_same_batch_again_is_noted_and_from_a_newer_one_is_not(world):
    """On a ring nobody else would tell that the neighbour is dead or slow."""
    a, b = world.island("a"), world.island("b")
    for generation, is_new in ((10, True), (20, False), (30, False), (40, True)):
        if is_new:
            a.publish(generation, migrants_of("a", generation))
        arrivals = collect(b, "b", generation)
        scores = arrivals.migrants.fitness
        b.record_outcome(generation, arrivals, scores, np.arange(len(scores)), best=9.0)
    noted = {record["generation"]: record.get("again") for record in read_ledger(world.paths("b"), "imported")}
    assert noted == {10: None, 20: True, 30: True, 40: None}
    lines = world.paths("b").migration_log.read_text().splitlines()
    assert {"gen 10, again" in line for line in lines if "  gen 20  imported" in line} == {True}
    assert not [line for line in lines if "again" in line and "  gen 20  " not in line and "  gen 30  " not in line]


def test_whether_a_batch_was_met_before_outlives_a_restart(disk):
    disk.island("a").publish(10, migrants_of("a", 10))
    for generation in (10, 20):
        b = disk.island("b", generation=generation)
        arrivals = collect(b, "b", generation)
        scores = arrivals.migrants.fitness
        b.record_outcome(generation, arrivals, scores, np.arange(len(scores)), best=9.0)
    assert read_ledger(disk.paths("b"), "imported")[-1]["again"] is True
