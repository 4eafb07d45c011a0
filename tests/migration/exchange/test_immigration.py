"""Laws of the draw: K at most, distinct, never from oneself, and the same whatever order the pool is listed in."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.config import Migration
from atoll.evo.rng import streams
from atoll.migration.exchange.immigration import draw_immigrants, draw_sources, topology_sources
from atoll.migration.pool import batch
from atoll.migration.pool.batch import Batch
from atoll.migration.pool.bounded_io import MAX_ISLANDS, Reason
from atoll.migration.pool.inbox import Refusal
from tests.migration.archipelago import SEED, SPEC, gene_names, migrants_of, nobody_from, publisher

ME = "island-00"


class Shelves:
    """Others' batches, listed in a shuffled order."""

    def __init__(self, batches, shuffle=0):
        self.batches = batches
        self.asked = []
        self._rng = np.random.default_rng(shuffle)

    def peers(self):
        return tuple(str(name) for name in self._rng.permutation(sorted(self.batches)))

    def newest(self, peer):
        self.asked.append(peer)
        found = self.batches[peer]
        return (found, []) if isinstance(found, Batch) else (None, list(found))


def shelf(island, n, generation=10, epoch=1, **kwargs):
    sent = migrants_of(island, generation, n, **kwargs)
    return Batch(batch.pack(publisher(island, epoch), generation, sent)[0], sent)


def pick(shelves, k=5, *, topology="full", generation=10, known=(ME,), residents=None, seen=None, **migration):
    return draw_immigrants(
        ME,
        shelves.peers(),
        shelves.newest,
        migration=Migration(migrants=k, topology=topology, **migration),
        spec=SPEC,
        generation=generation,
        residents=nobody_from(*known) if residents is None else residents,
        seen=seen or {},
        streams=streams(SEED, ME, generation),
    )


SIZES = st.lists(st.integers(1, 6), max_size=6)
REFUSALS = [Refusal("x", 10, "damaged", "")]


def shelves_of(sizes, shuffle=0):
    return Shelves({f"peer-{i}": shelf(f"peer-{i}", n) if n else REFUSALS for i, n in enumerate(sizes)}, shuffle)


@given(SIZES, st.integers(1, 12), st.integers(1, 40), st.sampled_from(["full", "ring", "random-2", "none"]))
def test_an_import_is_at_most_k_distinct_genomes_as_they_were_published(sizes, k, generation, topology):
    shelves = shelves_of(sizes)
    found = pick(shelves, k, generation=generation, topology=topology)
    n = len(found.migrants)
    assert n <= k
    assert n == len(found.sources) == len(found.migrants.fitness) == len(set(found.migrants.ids))
    assert found.peers == len(sizes)
    assert [source.island for source in found.sources] == sorted(source.island for source in found.sources)
    for i, source in enumerate(found.sources):
        there = shelves.batches[source.island]
        j = there.migrants.ids.index(found.migrants.ids[i])
        one = found.migrants.population.take([i])
        assert one.genes.tobytes() == there.migrants.population.genes[j].tobytes()
        assert gene_names(one) == gene_names(there.migrants.population.take([j]))
        assert found.migrants.fitness[i] == there.migrants.fitness[j]
        assert source.genome_sha256 == there.manifest.genomes[j].sha256
        assert found.seen[source.island] == (1, 10)


@given(SIZES, st.integers(1, 12), st.integers(0, 99))
def test_the_order_of_the_listing_means_nothing(sizes, k, shuffle):
    one, other = pick(shelves_of(sizes), k), pick(shelves_of(sizes, shuffle), k)
    assert one.migrants.ids == other.migrants.ids
    assert one.migrants.population.genes.tobytes() == other.migrants.population.genes.tobytes()
    assert one.migrants.population.islands == other.migrants.population.islands
    assert (one.sources, one.seen) == (other.sources, other.seen)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(1, 6))
def test_with_enough_on_the_shelves_exactly_k_come(sizes, k):
    assert len(pick(shelves_of([k] * len(sizes)), k).migrants) == k


def test_only_the_batches_drawn_are_read():
    shelves = shelves_of([3] * 50)
    found = pick(shelves, 5)
    assert set(shelves.asked) == {source.island for source in found.sources}
    assert len(shelves.asked) == len(set(shelves.asked)) <= 5


def test_sources_are_drawn_uniformly():
    """4 peers, 250 draws of 5: each expects 312; a draw that left one out or preferred one would show."""
    shelves = shelves_of([64] * 4)
    counts = Counter(s.island for g in range(1, 251) for s in pick(shelves, generation=g).sources)
    assert len(counts) == 4
    assert all(242 < n < 382 for n in counts.values())


def test_a_peer_with_nothing_valid_brings_nobody_and_is_noted():
    found = pick(shelves_of([0]), 5)
    assert len(found.migrants) == 0
    assert found.refusals == tuple(REFUSALS)
    assert found.peers == 1


def test_an_empty_archipelago_brings_nobody():
    found = pick(shelves_of([]))
    assert (len(found.migrants), found.peers, found.seen) == (0, 0, {})


def test_none_asks_nobody():
    shelves = shelves_of([3, 3])
    assert len(pick(shelves, topology="none").migrants) == 0
    assert shelves.asked == []


def test_a_ring_imports_from_one():
    assert {s.island for s in pick(shelves_of([6, 6, 6]), topology="ring").sources} == {"peer-2"}


def test_what_was_seen_is_remembered_for_those_not_drawn():
    seen = {"elsewhere": (3, 70)}
    found = pick(shelves_of([3]), seen=seen)
    assert found.seen == {"elsewhere": (3, 70), "peer-0": (1, 10)}
    assert seen == {"elsewhere": (3, 70)}


@pytest.mark.parametrize("room", [0, 1, 2])
def test_a_genome_that_would_outgrow_the_table_of_ancestors_is_refused(room):
    """Each of three genomes descends from an island of its own; the table has room for some of them."""
    known = (ME, *(f"gone-{i}" for i in range(MAX_ISLANDS - 1 - room)))
    shelves = Shelves({name: shelf(name, 6, ancestors=(name,)) for name in ("a", "b", "c")})
    found = pick(shelves, 12, known=known)
    islands = {source.island for source in found.sources}
    assert len(islands) == room
    assert {Reason(r.reason) for r in found.refusals} == {Reason.TOO_MANY_ISLANDS}
    assert len(set(known) | set(found.migrants.population.islands)) <= MAX_ISLANDS


# Whom an island may turn away


@given(st.integers(0, 40), st.integers(1, 30), st.integers(0, 20))
def test_a_migrant_may_be_so_many_generations_behind_and_no_more(published, generation, limit):
    """By the number of the generation that published it; one that is ahead is never too old."""
    shelves = Shelves({"a": shelf("a", 6, published), "b": shelf("b", 6, generation)})
    found = pick(shelves, 12, generation=generation, max_migrant_age=limit)
    is_too_old = limit > 0 and generation - published > limit
    assert {source.island for source in found.sources} == ({"b"} if is_too_old else {"a", "b"})
    refused = [(r.island, r.generation, r.reason) for r in found.refusals]
    assert refused == ([("a", published, Reason.TOO_OLD)] if is_too_old else [])
    assert found.seen["a"] == (1, published)
    anyway = pick(shelves, 12, generation=generation)
    assert set(found.migrants.ids) == {each for each in anyway.migrants.ids if not (is_too_old and each[0] == "a")}


def test_whoever_lives_here_already_is_turned_away_by_the_hash_of_its_genes():
    shelves = Shelves({"a": shelf("a", 6)})
    residents = shelves.batches["a"].migrants.population.take([1, 4])
    accepting = pick(shelves, 6, residents=residents, duplicates="accept")
    assert len(accepting.migrants) == 6
    refusing = pick(shelves, 6, residents=residents, duplicates="refuse")
    assert refusing.migrants.ids == tuple(f"a:10:{i}" for i in (0, 2, 3, 5))
    assert [(r.reason, r.detail.split(",")[0]) for r in refusing.refusals] == [
        (Reason.DUPLICATE, "a:10:1"),
        (Reason.DUPLICATE, "a:10:4"),
    ]


def test_of_those_who_arrive_twice_one_comes_in():
    twins = shelf("a", 3)
    other = Batch(batch.pack(publisher("b"), 10, twins.migrants)[0], twins.migrants)
    found = pick(Shelves({"a": twins, "b": other}), 60, duplicates="refuse")
    assert [source.island for source in found.sources] == ["a"] * 3
    assert [(r.island, r.reason) for r in found.refusals] == [("b", Reason.DUPLICATE)] * 3


@given(st.integers(1, 6), st.sets(st.integers(0, 5)), st.integers(1, 60))
def test_in_place_of_who_lives_here_already_comes_the_next_best_of_its_batch(k, here, generation):
    """Fewer than were drawn come only where no others are left; who found nobody in its place is refused by name."""
    shelves = Shelves({"a": shelf("a", 6, generation)})  # in the order of rank
    drawn = {int(name[-1]) for name in pick(shelves, k, generation=generation, duplicates="accept").migrants.ids}
    residents = shelves.batches["a"].migrants.population.take(np.asarray(sorted(here), dtype=np.int64))
    found = pick(shelves, k, generation=generation, residents=residents)
    next_best = [i for i in range(6) if i not in drawn | here][: len(drawn & here)]
    assert {int(name[-1]) for name in found.migrants.ids} == (drawn - here) | {*next_best}
    refused = sorted(drawn & here)[len(next_best) :]
    assert [(r.reason, r.detail.split(",")[0][-1]) for r in found.refusals] == [
        (Reason.DUPLICATE, str(i)) for i in refused
    ]


@given(st.integers(1, 6), st.sets(st.integers(0, 5)), st.integers(1, 60))
def test_in_place_of_who_is_refused_nobody_comes(k, here, generation):
    shelves = Shelves({"a": shelf("a", 6, generation)})
    drawn = pick(shelves, k, generation=generation, duplicates="accept").migrants.ids
    residents = shelves.batches["a"].migrants.population.take(np.asarray(sorted(here), dtype=np.int64))
    found = pick(shelves, k, generation=generation, residents=residents, duplicates="refuse")
    assert found.migrants.ids == tuple(name for name in drawn if int(name[-1]) not in here)
    assert len(found.refusals) == len(drawn) - len(found.migrants)


@given(st.integers(0, 99), st.integers(1, 40))
def test_of_those_who_arrive_twice_the_second_gives_way_to_the_next_best_of_its_batch(shuffle, generation):
    one = shelf("a", 3, generation)
    sent = migrants_of("a", generation, 6)  # the first of them are not those of `one`
    genes = sent.population.genes.copy()
    genes[:3] = one.migrants.population.genes
    other = replace(sent, population=replace(sent.population, genes=genes))
    shelves = Shelves({"a": one, "b": Batch(batch.pack(publisher("b"), generation, other)[0], other)}, shuffle)
    found = pick(shelves, 60, generation=generation)
    assert Counter(source.island for source in found.sources) == {"a": 3, "b": 3}
    assert len({source.genome_sha256 for source in found.sources}) == 6
    assert [(r.island, r.reason) for r in found.refusals] == [("b", Reason.DUPLICATE)] * 3


@given(SIZES, st.integers(1, 12), st.sampled_from(["avoid", "accept", "refuse"]), st.sampled_from([0, 5]))
def test_where_nobody_is_to_be_turned_away_policies_change_nothing(sizes, k, duplicates, age):
    plain = pick(shelves_of(sizes), k)
    found = pick(shelves_of(sizes), k, duplicates=duplicates, max_migrant_age=age)
    assert (found.migrants.ids, found.refusals, found.seen) == (plain.migrants.ids, plain.refusals, plain.seen)


def test_ancestors_known_already_need_no_room():
    known = (ME, "a", *(f"gone-{i}" for i in range(MAX_ISLANDS - 2)))
    found = pick(Shelves({"a": shelf("a", 6)}), 5, known=known)
    assert len(found.migrants) == 5
    assert found.refusals == ()


@given(st.integers(1, 5), st.integers(0, 300), st.sampled_from(["full", "ring", "random-2"]))
def test_whom_is_drawn_from_is_known_before_anything_is_on_the_shelves(k, generation, topology):
    migration = Migration(migrants=k, topology=topology)
    chosen, _ = draw_sources(ME, tuple("bcd"), migration=migration, streams=streams(SEED, ME, generation))
    found = pick(Shelves({name: shelf(name, 9) for name in "bcd"}), k, topology=topology, generation=generation)
    assert Counter(source.island for source in found.sources) == chosen


# Topologies: every one for any set of islands seen in any order, and never from oneself

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,5}", fullmatch=True)
ARCHIPELAGOS = st.sets(NAMES, min_size=1, max_size=12)
FIXED = ["full", "ring", "two-way-ring", "star", "none"]
TOPOLOGIES = st.one_of(st.sampled_from(FIXED), st.integers(1, 15).map(lambda k: f"random-{k}"))


def rng(seed=0):
    return np.random.default_rng(seed)


@given(ARCHIPELAGOS, TOPOLOGIES, st.integers(0, 2**32))
def test_sources_are_others_seen_each_once_in_order(islands, topology, seed):
    me, *_ = sorted(islands)
    found = topology_sources(topology, me, islands, rng(seed))
    assert me not in found
    assert set(found) <= islands
    assert list(found) == sorted(set(found))


@given(ARCHIPELAGOS, TOPOLOGIES, st.randoms(use_true_random=False))
def test_the_order_of_the_listing_means_nothing_to_a_topology(islands, topology, random):
    me, *others = sorted(islands)
    shuffled = [*others, me]
    random.shuffle(shuffled)
    assert topology_sources(topology, me, shuffled, rng()) == topology_sources(topology, me, others, rng())


@given(ARCHIPELAGOS)
def test_full_reaches_every_other(islands):
    assert all(set(topology_sources("full", me, islands, rng())) == islands - {me} for me in islands)


@given(st.sets(NAMES, min_size=2, max_size=12))
def test_a_ring_is_one_cycle_through_all(islands):
    """Every island has exactly one source, and following the sources visits all before it comes home."""
    me = min(islands)
    visited = []
    for _ in islands:
        (me,) = topology_sources("ring", me, islands, rng())
        visited.append(me)
    assert set(visited) == islands
    assert visited[-1] == min(islands)


@given(st.sets(NAMES, min_size=3, max_size=12), st.data())
def test_a_ring_closes_when_an_island_leaves(islands, data):
    gone = data.draw(st.sampled_from(sorted(islands)))
    for me in islands - {gone}:
        (before,) = topology_sources("ring", me, islands, rng())
        (after,) = topology_sources("ring", me, islands - {gone}, rng())
        assert after == (topology_sources("ring", gone, islands, rng())[0] if before == gone else before)


@given(ARCHIPELAGOS, st.integers(1, 15), st.integers(0, 2**32))
def test_random_k_draws_k_distinct_others_or_all_there_are(islands, k, seed):
    me = max(islands)
    assert len(topology_sources(f"random-{k}", me, islands, rng(seed))) == min(k, len(islands) - 1)


def test_random_k_reaches_everybody_in_time():
    islands = [f"island-{i}" for i in range(6)]
    generator = rng(1)
    met = set().union(*(topology_sources("random-2", "island-0", islands, generator) for _ in range(60)))
    assert met == set(islands) - {"island-0"}


@given(ARCHIPELAGOS)
def test_a_two_way_ring_is_the_ring_and_its_reverse(islands):
    """Whom I import from imports from me, and one of the two is my source in the one-way ring."""
    for me in islands:
        found = topology_sources("two-way-ring", me, islands, rng())
        assert len(found) == min(2, len(islands) - 1)
        assert set(topology_sources("ring", me, islands, rng())) <= set(found)
        assert all(me in topology_sources("two-way-ring", other, islands, rng()) for other in found)


@given(ARCHIPELAGOS)
def test_a_star_has_one_hub_through_which_all_goes(islands):
    hub = min(islands)
    assert set(topology_sources("star", hub, islands, rng())) == islands - {hub}
    assert all(topology_sources("star", me, islands, rng()) == (hub,) for me in islands - {hub})


@pytest.mark.parametrize("topology", FIXED)
def test_only_random_topologies_draw(topology):
    generator = rng(3)
    topology_sources(topology, "b", ["a", "b", "c"], generator)
    assert generator.random() == rng(3).random()


@given(ARCHIPELAGOS)
def test_none_imports_from_nobody(islands):
    assert topology_sources("none", min(islands), islands, rng()) == ()
