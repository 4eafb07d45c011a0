"""Laws of lockstep: an import is a function of members, seed and generation; a refused offer is made again."""

from __future__ import annotations

import errno
import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import atomic
from atoll.evo.config import Migration
from atoll.evo.errors import ResumeError
from atoll.evo.paths import GENOMES, MANIFEST
from atoll.evo.rng import streams
from atoll.migration.exchange.immigration import draw_sources
from atoll.migration.exchange.lockstep import first_lost
from tests.migration.archipelago import (
    SEED,
    InMemory,
    OnDisk,
    collect,
    damage,
    gene_names,
    migrants_of,
    packed,
    publisher,
    read_ledger,
    write_batch,
)
from tests.migration.exchange.members import LOCKSTEP, is_ready, member, publish, refusing


def imported(world, name, generation, **migration):
    """Import as a member does, all others having published; return what came as values."""
    exchange = member(world, name, **migration)
    exchange.publish(generation, migrants_of(name, generation))
    assert is_ready(exchange, name, generation)
    found = collect(exchange, name, generation)
    population = found.migrants.population
    return found.migrants.ids, population.genes.tobytes(), gene_names(population), found.refusals, found.peers


# Exactly the batches of the same generation


def test_a_member_is_ready_when_all_it_draws_from_have_published_this_very_generation(world):
    a = member(world, "a", migrants=30)  # so many draws that nobody is left out
    a.publish(10, migrants_of("a", 10))
    for name in "bcd":
        assert not is_ready(a, "a", 10)
        publish(world, name, 9, 11, 20)
        assert not is_ready(a, "a", 10)
        publish(world, name, 10)
    assert is_ready(a, "a", 10)
    assert {source.generation for source in collect(a, "a", 10).sources} == {10}


def test_only_those_are_waited_for_whom_the_draw_names(world):
    one = Migration(migrants=1, topology="full")
    a = member(world, "a", migrants=one.migrants)
    for generation in range(10, 100, 10):
        draws, _ = draw_sources("a", ("b", "c", "d"), migration=one, streams=streams(SEED, "a", generation))
        [drawn] = draws
        a.publish(generation, migrants_of("a", generation))
        for name in sorted({*"bcd"} - {drawn}):
            publish(world, name, generation)
        assert not is_ready(a, "a", generation)
        publish(world, drawn, generation)
        assert is_ready(a, "a", generation)
        assert {source.island for source in collect(a, "a", generation).sources} == {drawn}


@pytest.mark.parametrize(("topology", "source"), [("ring", "b"), ("full", None), ("random-1", None)])
def test_peers_are_the_members_whoever_is_seen(world, topology, source):
    """A stranger's folder and its batches change nothing, and neither does a member that nobody has seen yet."""
    publish(world, "b", 10)
    alone = member(world, "c", topology=topology)
    alone.publish(10, migrants_of("c", 10))
    if source:
        assert is_ready(alone, "c", 10)
    publish(world, "a", 10)
    publish(world, "d", 10)
    world.island("bb", **{**LOCKSTEP, "members": "a,b,bb,c,d"}).publish(10, migrants_of("bb", 10))
    assert is_ready(alone, "c", 10)
    found = collect(alone, "c", 10)
    assert {s.island for s in found.sources} <= ({source} if source else {*"abd"})
    assert found.peers == 3


ORDERS = list(itertools.permutations("bcd"))


@pytest.mark.slow
@given(st.sampled_from(ORDERS), st.lists(st.sampled_from([5, 15, 20, 30]), unique=True), st.booleans())
def test_what_arrives_depends_on_nothing_but_members_seed_and_generation(tmp_path_factory, order, others, is_on_disk):
    root = tmp_path_factory.mktemp("worlds")
    world = (OnDisk if is_on_disk else InMemory)(root)
    for name in order:
        publish(world, name, *others, 10)
    reference = InMemory(root / "reference")
    for name in "bcd":
        publish(reference, name, 10)
    assert imported(world, "a", 10) == imported(reference, "a", 10)


def test_the_order_in_which_members_are_spelled_does_not_matter(world):
    for name in "bcd":
        publish(world, name, 10, 20)
    assert imported(world, "a", 10, members="d,b,a,c") == imported(InMemoryCopy(world), "a", 10)


class InMemoryCopy(InMemory):
    """A world of its own in which the same was published."""

    def __init__(self, world):
        super().__init__(world.root / "copy")
        for name in "bcd":
            publish(self, name, 10, 20)


def test_a_restart_collects_from_its_inbox_what_the_dead_process_did(disk):
    for name in "bcd":
        publish(disk, name, 10)
    before = imported(disk, "a", 10)
    for name in "bcd":
        atomic.remove_directory(disk.paths(name).publication(10))
    assert imported(disk, "a", 10) == before


# Offers


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_an_offer_that_is_refused_is_made_again_and_nobody_goes_on_before(disk, monkeypatch, number):
    for name in "bcd":
        publish(disk, name, 10)
    a = member(disk, "a")
    refusing(monkeypatch, 4, OSError(number, os.strerror(number)))
    assert a.publish(10, migrants_of("a", 10)) == 3, (
        "it is counted when the generation is complete, and then it is there"
    )
    for _ in range(3):
        assert not is_ready(a, "a", 10)
        assert not disk.paths("a").publication(10).exists()
    assert is_ready(a, "a", 10)
    assert disk.paths("a").publication(10).is_dir()
    events = [record["kind"] for record in read_ledger(disk.paths("a"))]
    assert events == ["start", "unpublished", "published"], "each is said once"


def test_other_genomes_under_a_name_that_is_taken_end_the_island(disk):
    publish(disk, "a", 10)
    restarted = member(disk, "a")
    with pytest.raises(ResumeError, match=r"gen-10 of a was published before, and is another.*repeat their settings"):
        restarted.publish(10, migrants_of("a", 11))


def test_the_same_genomes_again_are_the_offer_that_is_there(disk):
    publish(disk, "a", 10)
    before = disk.paths("a").publication(10).stat().st_ino
    publish(disk, "a", 10)
    assert disk.paths("a").publication(10).stat().st_ino == before


def test_a_batch_of_another_run_under_our_name_ends_the_island(disk):
    write_batch(disk.paths("a").publication(10), packed("a", 10, run_id="b" * 32))
    with pytest.raises(ResumeError, match="of another run"):
        publish(disk, "a", 10)


# Going back


def test_the_first_lost_publication_is_found(disk):
    publish(disk, "a", 10, 20, 30, 40)
    paths = disk.paths("a")

    def lost(*generations):
        return first_lost(disk.pool, "a", generations)

    assert lost(10, 20, 30, 40) is None
    assert lost() is None
    assert lost(10, 20, 30, 40, 50) == 50
    damage(paths.publication(30) / GENOMES)
    assert lost(10, 20, 30, 40) == 30
    (paths.publication(20) / MANIFEST).unlink()
    assert lost(10, 20, 30, 40) == 20


def test_what_cannot_be_read_or_is_another_runs_is_not_lost(disk, monkeypatch):
    write_batch(disk.paths("a").publication(10), packed("a", 10, by=publisher("a", run_id="b" * 32)))
    assert first_lost(disk.pool, "a", [10]) is None
    publish(disk, "b", 10)

    def refuse(*_args, **_kwargs):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "open", refuse)
    assert first_lost(disk.pool, "b", [10]) is None
