"""Only nodes that are held in space stay, and only one part of them."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atoll.evo.tasks.creatures.skeleton import MIN_MUSCLES, living, muscles_per_node
from atoll.evo.tasks.creatures.world import MUSCLES, NODES, PAIRS

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


def neighbours_of(node, nodes, edges):
    return {other for edge in edges if node in edge for other in edge if other != node} & nodes


def parts_by_the_book(nodes, edges):
    """Take loose nodes away one at a time, then walk from each node that is left; the largest part first."""
    nodes = set(nodes)
    while loose := [node for node in nodes if len(neighbours_of(node, nodes, edges)) < MIN_MUSCLES]:
        nodes.remove(loose[0])
    parts = []
    while nodes:
        part, edge_of_part = set(), {min(nodes)}
        while edge_of_part:
            part |= edge_of_part
            edge_of_part = {near for node in part for near in neighbours_of(node, nodes, edges)} - part
        parts.append(part)
        nodes -= part
    return sorted(parts, key=lambda part: (-len(part), min(part)))


def edges_of(muscles):
    return [PAIRS[m] for m in np.flatnonzero(muscles)]


def renamed(nodes, muscles, names):
    """Give node i the name `names[i]`, and its muscles with it."""
    ends = np.sort(np.array(names)[np.array(PAIRS)], axis=1)
    places = [PAIRS.index((i, j)) for i, j in ends.tolist()]
    new_nodes, new_muscles = np.empty_like(nodes), np.empty_like(muscles)
    new_nodes[list(names)], new_muscles[places] = nodes, muscles
    return new_nodes, new_muscles


@given(batches)
def test_a_body_is_the_largest_part_of_the_core(batch):
    nodes, muscles = living(*batch)
    for column in range(nodes.shape[1]):
        edges = edges_of(batch[1][:, column])
        parts = parts_by_the_book(np.flatnonzero(batch[0][:, column]), edges)
        largest = parts[0] if parts else set()
        assert set(np.flatnonzero(nodes[:, column])) == largest
        assert edges_of(muscles[:, column]) == [edge for edge in edges if largest >= set(edge)]


@pytest.mark.parametrize("share", [0.3, 0.45, 0.6, 0.8])
def test_so_it_is_in_graphs_of_any_density(share):
    gated = np.random.default_rng(0).random((MUSCLES, 200)) < share
    nodes, _ = living(np.ones((NODES, 200), dtype=bool), gated)
    for column in range(200):
        parts = parts_by_the_book(range(NODES), edges_of(gated[:, column]))
        assert set(np.flatnonzero(nodes[:, column])) == (parts[0] if parts else set())


def test_of_two_equal_parts_the_one_with_the_lowest_node_stays_however_nodes_are_split():
    for chosen in combinations(range(NODES), NODES // 2):
        others = [node for node in range(NODES) if node not in chosen]
        nodes, _ = graph(clique(*chosen) + clique(*others))
        assert np.flatnonzero(nodes[:, 0]).tolist() == (list(chosen) if 0 in chosen else others)


def test_two_parts_fill_the_nodes_so_the_lowest_node_is_of_a_largest_part():
    """`living` rests on this; more nodes, or fewer muscles to a node, need a comparison of parts."""
    assert 2 * (MIN_MUSCLES + 1) >= NODES


@given(batches, st.permutations(range(NODES)))
def test_names_of_nodes_do_not_matter(batch, names):
    nodes, muscles = living(*batch)
    new_nodes, new_muscles = living(*renamed(*batch, names))
    same_nodes, same_muscles = renamed(nodes, muscles, names)
    for column in range(nodes.shape[1]):
        parts = parts_by_the_book(np.flatnonzero(batch[0][:, column]), edges_of(batch[1][:, column]))
        if len(parts) < 2:  # of equal parts, names decide
            assert np.array_equal(new_nodes[:, column], same_nodes[:, column])
            assert np.array_equal(new_muscles[:, column], same_muscles[:, column])


@given(batches)
def test_muscles_are_counted_at_both_ends(batch):
    _, muscles = batch
    count = muscles_per_node(muscles)
    for node in range(NODES):
        at_node = [m for m, pair in enumerate(PAIRS) if node in pair]
        assert np.array_equal(count[node], muscles[at_node].sum(axis=0))


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
