"""The ground stops, carries, rubs and throws back."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.tasks.creatures import body, reference
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.evo.tasks.creatures.world import World
from tests.evo.tasks.creatures.test_reference import Film, afloat, live

lengths = st.floats(-20.0, 20.0, width=32)


def one_node(creatures, genes, position, velocity, friction):
    """Return the lanes, position and velocity of nodes that all move alike."""
    _, lanes, _ = afloat(creatures, genes[:8])
    shape = (3, *lanes.radius_m.shape)
    at = torch.tensor(position, dtype=torch.float32)[:, None, None].expand(shape).clone()
    at[1] = at[1].abs() + lanes.radius_m
    going = torch.tensor(velocity, dtype=torch.float32)[:, None, None].expand(shape).clone()
    return replace(lanes, friction=torch.full(lanes.friction.shape, friction)), at, going


@pytest.fixture(scope="module")
def some():
    creatures = Creatures(CreatureOptions(courses=1, life_s=1.0))
    return creatures, creatures.spec.sample(np.random.default_rng(1), 60)


@given(
    st.floats(0, 0.25, width=32),
    st.tuples(lengths, lengths, lengths),
    st.floats(0.25, 1.5, width=32),
)
def test_friction_never_exceeds_its_coefficient_times_the_real_normal_impulse(some, height, velocity, friction):
    lanes, at, before = one_node(*some, (0.0, height, 0.0), velocity, friction)
    after = reference.collide(at, before, lanes, World())
    normal = (after[1] - before[1]).numpy()
    taken = (before - after)[[0, 2]].norm(dim=0).numpy()
    assert np.all(normal >= 0)
    assert np.all(taken <= friction * normal * 1.0001 + 1e-5)
    landed = at[1] + after[1] * World().dt_s - lanes.radius_m
    assert np.all(landed.numpy() > -1e-5)
    assert np.all(after.norm(dim=0).numpy() <= before.norm(dim=0).numpy() * 1.00001)
    assert np.all(((after * before)[[0, 2]] >= 0).numpy())  # slows, never reverses


@pytest.mark.parametrize(("sideways", "kept"), [(0.4, 0.0), (2.0, 2.0 - 0.5 * 0.8)])
def test_below_static_friction_a_node_stops_and_above_it_slides_with_less(some, sideways, kept):
    """A node on the ground that would fall at 1 m/s has a normal impulse of 1 per mass, without a bounce."""
    lanes, at, before = one_node(*some, (0.0, 0.0, 0.0), (sideways, -1.0, 0.0), 0.5)
    after = reference.collide(at, before, lanes, World(bounce_m_s=100.0))
    np.testing.assert_allclose(after[0].numpy(), kept, atol=1e-5)


@pytest.mark.parametrize(("falling", "rising"), [(2.0, 0.3 * 2.0), (0.4, 0.0)])
def test_a_fast_fall_bounces_and_a_slow_one_does_not(some, falling, rising):
    lanes, at, before = one_node(*some, (0.0, 0.0, 0.0), (0.0, -falling, 0.0), 0.5)
    after = reference.collide(at, before, lanes, World())
    np.testing.assert_allclose(after[1].numpy(), rising, atol=1e-5)


def test_a_node_in_the_air_keeps_its_velocity_exactly(some):
    lanes, at, before = one_node(*some, (0.0, 5.0, 0.0), (3.0, -4.0, 1e-3), 0.5)
    assert torch.equal(reference.collide(at, before, lanes, World()), before)


def test_no_edge_sinks_into_the_ground(creatures, genes):
    film = Film()
    bodies = body.decode(genes, creatures.spec)
    live(creatures, bodies, genes, observe=film)
    height = np.stack(film.position)[:, 1] - bodies.reach_m
    assert height[..., bodies.viable].min() > -1e-4
