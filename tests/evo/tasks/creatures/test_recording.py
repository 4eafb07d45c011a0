"""A recording is the life that was scored, frame by frame."""

import numpy as np

from atoll.evo.tasks.creatures import body, recording, reference
from atoll.evo.tasks.creatures.fitness import score
from atoll.evo.tasks.creatures.world import FIRST, FIRST_UNSEEN, SECOND, lay_courses


def viable(creatures, genes):
    return genes[np.flatnonzero(body.decode(genes, creatures.spec).viable)[0]]


def test_a_recording_shows_the_life_that_is_scored(creatures, genes):
    genome = viable(creatures, genes)
    film = recording.record(creatures, genome, course_number=1)
    alone = creatures.simulate(genome[None], pellets=lay_courses(range(1, 2), creatures.pellets.shape[1]))
    assert film.fitness == score(alone)[0]
    assert film.collected[-1] == alone.collected[0, 0]
    assert len(film.position_m) == len(film.collected) == 180
    assert film.frame_s == 1 / 60
    ground = np.linalg.norm(film.centre_m[-1, [0, 2]])
    np.testing.assert_allclose(ground, alone.travel_m[0, 0], atol=1e-5)


def test_a_recording_names_only_what_is_there(creatures, genes):
    bodies = body.decode(genes, creatures.spec)
    gaps = (bodies.reach_m < 0).any(axis=0) & bodies.viable
    one = np.flatnonzero(gaps)[0]
    film = recording.record(creatures, genes[one], course_number=0)
    there = np.flatnonzero(bodies.reach_m[:, one] > 0)
    joined = bodies.stiffness_n_m[:, one] > 0
    assert film.position_m.shape[2] == len(film.radius_m) == len(there) < 8
    assert there[film.muscles[:, 0]].tolist() == FIRST[joined].tolist()
    assert there[film.muscles[:, 1]].tolist() == SECOND[joined].tolist()
    np.testing.assert_array_equal(film.rest_m, bodies.rest_m[joined, one])
    np.testing.assert_allclose(film.mass_share.sum(), 1, rtol=1e-6)


def test_pellets_taken_only_grow_in_number(creatures, genes):
    film = recording.record(creatures, viable(creatures, genes), course_number=0)
    assert np.all(np.diff(film.collected) >= 0)
    assert film.pellets_m.shape == (creatures.pellets.shape[1], 2)


def test_lives_recorded_side_by_side_are_those_recorded_alone(creatures, genes, monkeypatch):
    monkeypatch.setattr(reference, "CHUNK_LANES", 3)  # a life must be found in whatever chunk it was lived
    some = genes[np.flatnonzero(body.decode(genes, creatures.spec).viable)[:2]]
    films = recording.record_all(creatures, some, course_numbers=[1, FIRST_UNSEEN])
    for genome, (trained, unseen) in zip(some, films, strict=True):
        for film, number in ((trained, 1), (unseen, FIRST_UNSEEN)):
            alone = recording.record(creatures, genome, course_number=number)
            assert film.fitness == alone.fitness
            assert film.position_m.tobytes() == alone.position_m.tobytes()
            np.testing.assert_array_equal(film.collected, alone.collected)
            np.testing.assert_array_equal(film.pellets_m, alone.pellets_m)
