"""The audit measures what it says, and the same every time."""

from dataclasses import replace

import numpy as np
import pytest

from atoll.evo.tasks.creatures import audit, body


def test_an_audit_is_deterministic_and_agrees_with_the_evaluation(creatures, genes):
    genome = genes[np.flatnonzero(body.decode(genes, creatures.spec).viable)[0]]
    found = audit.examine(creatures, genome)
    assert found == audit.examine(creatures, genome)
    assert found.trained_fitness == creatures.evaluate(genome[None], 0)[0]
    assert 0.5 < found.max_stretch < 5
    assert 0 < found.max_node_m_s < 60
    assert 0 <= found.airborne_share < 1


def test_genomes_are_audited_side_by_side_as_they_are_alone(creatures, genes):
    some = genes[np.flatnonzero(body.decode(genes, creatures.spec).viable)[:3]]
    assert audit.examine_all(creatures, some) == [audit.examine(creatures, genome) for genome in some]


def test_a_walk_is_no_shorter_than_the_way_from_its_first_to_its_last_second(creatures, genes):
    genome = genes[np.flatnonzero(body.decode(genes, creatures.spec).viable)[0]]
    found = audit.examine(creatures, genome)
    assert 0.5 * found.travel_m / 3 < found.speed_m_s < found.max_node_m_s


def test_nudged_genomes_are_neighbours_within_bounds(creatures, corners):
    for genome in corners[:3]:
        nudged = audit._nudge(creatures, genome)
        assert creatures.spec.contains(nudged)
        assert np.all(np.abs(nudged - genome) <= 1.1e-5 * (creatures.spec.high - creatures.spec.low) + 1e-4)
        assert not np.array_equal(nudged[0], nudged[1])


def test_a_resting_body_neither_stretches_nor_flies(creatures, genes):
    genome = genes[np.flatnonzero(body.decode(genes, creatures.spec).viable)[0]].copy()
    genome[creatures.spec.slice_of("amplitude")] = 0.0
    found = audit.examine(creatures, genome)
    assert found.max_stretch < 1.6
    assert found.airborne_share < 0.1
    assert found.trained_pellets == found.unseen_pellets == 0


@pytest.mark.parametrize(
    ("name", "worst_allowed", "too_much"),
    [
        ("max_stretch", 2.0, 2.01),
        ("max_node_m_s", 25.0, 25.1),
        ("airborne_share", 0.75, 0.76),
        ("retained_share", 0.5, 0.49),
    ],
)
def test_a_champion_is_sound_up_to_each_limit(name, worst_allowed, too_much):
    walk = audit.Audit(400.0, 350.0, 4.0, 3.0, 7.0, 1.9, 1.4, 17.0, 0.05, 0.95)
    assert walk.is_sound
    assert replace(walk, **{name: worst_allowed}).is_sound
    assert not replace(walk, **{name: too_much}).is_sound
