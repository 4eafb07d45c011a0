"""What the page is given is the life that was simulated, rounded once."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.tasks.creatures import body, recording
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.report import film
from tests.scripts.report.lives import made_up


@pytest.fixture(scope="module")
def life():
    creatures = Creatures(CreatureOptions(courses=1, life_s=3.0), backend="reference")
    genes = creatures.spec.sample(np.random.default_rng(1), 60)
    alive = np.flatnonzero(body.decode(genes, creatures.spec).viable)
    return recording.record(creatures, genes[alive[0]], course_number=0)


def test_every_frame_is_a_step_that_was_simulated_within_half_a_quantum(life):
    packed = film.pack(life)
    places = film.unpack(packed)
    shown = life.position_m[1::2]
    assert packed["frame_s"] == pytest.approx(1 / 30)
    assert places.shape == shown.shape
    assert packed["quantum_m"] == film.SMALLEST_QUANTUM_M
    assert np.abs(places - shown).max() <= packed["quantum_m"] * 0.501
    assert np.abs(places - shown).max() > packed["quantum_m"] * 0.3  # that is how far it goes


@given(st.integers(1, 9), st.integers(1, 5), st.floats(1e-3, 9e3), st.integers(0, 99))
def test_any_places_come_back_within_half_a_quantum(n_frames, n_nodes, reach_m, seed):
    places = np.random.default_rng(seed).uniform(-reach_m, reach_m, (n_frames, 3, n_nodes))
    packed = film.pack(made_up(places))
    error_m = np.abs(film.unpack(packed) - places.astype(np.float32)).max()
    assert error_m <= packed["quantum_m"] * 0.501 + reach_m * 1e-6
    assert packed["quantum_m"] <= max(film.SMALLEST_QUANTUM_M, reach_m / film.LARGEST * 1.001)


def test_pellets_are_taken_in_the_frame_in_which_the_life_took_them(life):
    places = np.zeros((40, 3, 1))
    walk = made_up(places, frame_s=1 / 60)
    object.__setattr__(walk, "collected", np.repeat([0, 1, 2], [11, 20, 9]))
    packed = film.pack(walk)
    assert packed["taken_at"] == [5, 15]  # steps 11 and 31 are shown in frames of steps 10-11 and 30-31
    assert len(packed["pellets_m"]) == 3
    assert film.pack(life)["taken_at"] == []


def test_a_long_life_is_shown_in_as_many_frames_as_a_page_holds():
    packed = film.pack(made_up(np.zeros((100_000, 3, 1)), frame_s=1 / 60))
    assert 0.9 * film.MAX_FRAMES < packed["n_frames"] <= film.MAX_FRAMES
    assert packed["n_frames"] * packed["frame_s"] == pytest.approx(100_000 / 60, rel=0.01)


def test_what_is_kept_is_small(life):
    packed = film.pack(life)
    data = base64.b64decode(packed["places"])
    assert len(data) < 0.7 * len(zlib.compress(life.position_m[1::2].astype(np.float16).tobytes(), 9))


@pytest.mark.parametrize("nowhere", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_good", [0, 1, 7])
def test_a_life_that_blows_up_is_shown_until_then(nowhere, n_good):
    places = np.ones((20, 3, 2))
    places[n_good:, 1, 1] = nowhere
    packed = film.pack(made_up(places))
    assert packed["n_frames"] == max(n_good, 1)
    assert np.isfinite(packed["quantum_m"])
    if n_good:
        np.testing.assert_allclose(film.unpack(packed), 1.0, atol=1e-3)
