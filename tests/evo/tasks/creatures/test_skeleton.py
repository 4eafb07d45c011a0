"""Only nodes that are held in space stay, and only one part of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evo.tasks.creatures.skeleton import living, muscles_per_node
from evo.tasks.creatures.world import MUSCLES, NODES, PAIRS

batches = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        arrays(np.bool_, (NODES, n)), arrays(np.bool_, (MUSCLES, n), elements=st.sampled_from([True, True, False]))
    )
)


def graph(edges):
    muscles = np.zeros((MUSCLES, 1), dtype=bool)
    muscles[[PAIRS.index(edge) for edge in edges]] = True
    return living(np.ones((NODES, 1), dtype=bool), muscles)


def clique(*nodes):
    return [(i, j) for i in nodes for j in nodes if i < j]


@given(batches)
def test_every_node_that_stays_has_three_muscles_to_nodes_that_stay(batch):
    nodes, muscles = living(*batch)
    count = muscles_per_node(muscles)
    assert np.all(count[nodes] >= 3)
    assert np.all(count[~nodes] == 0)
    assert not np.any(nodes & ~batch[0])
    assert not np.any(muscles & ~batch[1])


@given(batches)
def test_a_body_is_connected(batch):
    nodes, muscles = living(*batch)
    for column in range(nodes.shape[1]):
        members = set(np.flatnonzero(nodes[:, column]))
        reached = set(sorted(members)[:1])
        for _ in range(NODES):
            reached |= {n for m in np.flatnonzero(muscles[:, column]) for n in PAIRS[m] if reached & set(PAIRS[m])}
        assert reached == members


@given(batches)
def test_a_living_body_is_left_as_it_is(batch):
    nodes, muscles = living(*batch)
    again = living(nodes, muscles)
    assert np.array_equal(again[0], nodes)
    assert np.array_equal(again[1], muscles)


@given(batches)
def test_a_batch_equals_its_members(batch):
    nodes, _ = living(*batch)
    alone = [living(batch[0][:, i : i + 1], batch[1][:, i : i + 1])[0] for i in range(nodes.shape[1])]
    assert np.array_equal(nodes, np.concatenate(alone, axis=1))


def test_a_tail_falls_off_link_by_link():
    nodes, _ = graph([*clique(0, 1, 2, 3), (3, 4), (2, 4), (4, 5), (5, 6)])
    assert np.flatnonzero(nodes[:, 0]).tolist() == [0, 1, 2, 3]


def test_the_larger_part_stays_and_of_equals_the_first():
    smaller, larger = clique(0, 1, 2), clique(3, 4, 5, 6, 7)
    assert np.flatnonzero(graph(smaller + larger)[0]).tolist() == [3, 4, 5, 6, 7]
    assert np.flatnonzero(graph(clique(4, 5, 6, 7) + clique(0, 1, 2, 3))[0]).tolist() == [0, 1, 2, 3]


def test_a_chain_is_no_body():
    nodes, muscles = graph([(i, i + 1) for i in range(NODES - 1)])
    assert not nodes.any()
    assert not muscles.any()
