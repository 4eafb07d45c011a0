"""Decoding: bodies stand on the ground, weigh what they should, and are the same wherever a genome sits."""

from dataclasses import fields

import numpy as np
import pytest

from atoll.evo.tasks.creatures import body
from atoll.evo.tasks.creatures.world import FIRST, NODES, SECOND, World


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
