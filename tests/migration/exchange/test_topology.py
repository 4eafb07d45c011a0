"""Laws of who imports from whom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.migration.exchange.immigration import topology_sources

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
def test_the_order_of_the_listing_means_nothing(islands, topology, random):
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
