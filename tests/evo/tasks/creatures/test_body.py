"""Decoding: bodies stand on the ground, weigh what they should, and are the same wherever a genome sits."""

from dataclasses import fields
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atoll.evo.tasks.creatures import body
from atoll.evo.tasks.creatures.body import MIN_MUSCLES, living, muscles_per_node
from atoll.evo.tasks.creatures.world import FIRST, MUSCLES, NODES, PAIRS, SECOND, World


def test_about_five_hundred_genes(creatures):
    assert creatures.spec.size == 521


def test_a_batch_decodes_as_its_members_do(creatures, genes):
    whole = body.decode(genes, creatures.spec)
    for i in range(0, len(genes), 7):
        alone = body.decode(genes[i : i + 1], creatures.spec)
        for field in fields(body.Body):
            one, same = getattr(alone, field.name), getattr(whole.take(np.array([i])), field.name)
            assert one.tobytes() == same.tobytes(), field.name


@pytest.mark.parametrize("which", ["genes", "corners"])
def test_every_number_is_finite_and_float32(creatures, which, request):
    bodies = body.decode(request.getfixturevalue(which), creatures.spec)
    for field in fields(body.Body):
        value = getattr(bodies, field.name)
        assert value.dtype == (np.bool_ if field.name == "viable" else np.float32), field.name
        assert np.all(np.isfinite(value)), field.name


def test_a_body_is_born_with_its_centre_above_the_origin_and_its_lowest_edge_on_the_ground(creatures, genes):
    bodies = body.decode(genes, creatures.spec)
    alive = bodies.viable
    centre = (bodies.position_m * bodies.mass_share).sum(axis=1)[:, alive]
    lowest = np.where(bodies.reach_m > 0, bodies.position_m[1] - bodies.reach_m, np.inf).min(axis=0)[alive]
    np.testing.assert_allclose(centre[[0, 2]], 0, atol=1e-6)
    np.testing.assert_allclose(lowest, 0, atol=1e-6)


def test_where_absent_nodes_would_be_moves_nobody(creatures, genes):
    absent = body.decode(genes, creatures.spec).reach_m < 0
    moved = genes.copy()
    position_m = moved[:, creatures.spec.slice_of("position_m")].reshape(-1, 3, NODES)
    position_m[np.broadcast_to(absent.T[:, None], position_m.shape)] = -1.0
    moved[:, creatures.spec.slice_of("position_m")] = position_m.reshape(len(genes), -1)
    before, after = (body.decode(each, creatures.spec).position_m[:, ~absent] for each in (genes, moved))
    assert absent.any()
    assert before.tobytes() == after.tobytes()


def test_what_does_not_hold_together_lies_where_its_genes_put_it(creatures, genes):
    bodies = body.decode(genes, creatures.spec)
    wished = genes[:, creatures.spec.slice_of("position_m")].T.reshape(3, NODES, -1)
    assert not bodies.viable.all()
    assert np.array_equal(bodies.position_m[..., ~bodies.viable], wished[..., ~bodies.viable])


def test_shares_add_up_to_one_and_mass_follows_volume(creatures, genes):
    bodies = body.decode(genes, creatures.spec).take(np.flatnonzero(body.decode(genes, creatures.spec).viable))
    there = bodies.reach_m > 0
    np.testing.assert_allclose(bodies.mass_share.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(bodies.count_share.sum(axis=0), 1, rtol=1e-5)
    mass = World.density_kg_m3 * 4 / 3 * np.pi * bodies.radius_m.astype(np.float64) ** 3
    np.testing.assert_allclose(bodies.inverse_mass[there], 1 / mass[there], rtol=1e-5)


def test_what_is_not_there_weighs_and_pulls_nothing(creatures, genes):
    bodies = body.decode(genes, creatures.spec)
    absent = bodies.reach_m < 0
    for weight in (bodies.inverse_mass, bodies.mass_share, bodies.count_share):
        assert np.all(weight[absent] == 0)
        assert np.all(weight[~absent] > 0)
    loose = absent[FIRST] | absent[SECOND]
    assert np.all(bodies.stiffness_n_m[loose] == 0)
    assert np.all(bodies.damping_n_s_m[loose] == 0)


def test_softening_only_softens(creatures, corners):
    bodies = body.decode(corners, creatures.spec)
    wished = corners[:, creatures.spec.slice_of("stiffness_n_m")].T
    there = bodies.stiffness_n_m > 0
    assert there.any()
    assert np.all(bodies.stiffness_n_m[there] < wished[there])


def test_most_random_bodies_hold_together(creatures):
    genes = creatures.spec.sample(np.random.default_rng(0), 2000)
    assert 0.7 < body.decode(genes, creatures.spec).viable.mean() < 0.85


def test_decoding_leaves_the_genes_alone(creatures, genes):
    genes.setflags(write=False)
    body.decode(genes, creatures.spec)


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
