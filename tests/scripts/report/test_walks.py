"""Champions are simulated again as they were recorded, and a film is the life itself."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.creatures import body, recording
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.report import champion as champions
from atoll.scripts.report import walks
from tests.scripts.report.lives import made_up, unpack

NAMES = ("reef-a", "reef-b", "reef-c")


@given(st.lists(st.integers(0, 500), unique=True).map(sorted))
def test_earlier_generations_are_spread_from_the_first_on(generations):
    picked = walks._spread(generations)
    assert picked == sorted(set(picked))
    assert len(picked) <= walks.EARLIER
    assert set(picked) <= set(generations)
    assert picked[:1] == generations[:1]


@pytest.mark.slow
def test_every_champion_scores_what_was_recorded_and_is_audited(archipelago):
    shared = SharedPaths(archipelago)
    found, unread = champions.read_all(shared, NAMES)
    walkers, notes = walks.film(shared, found)
    assert unread == notes == []
    for name, walker in walkers.items():
        assert walker.audit.trained_fitness == found[name].fitness
        assert [walk.generation for walk in walker.walks][-1] == found[name].generation
        published = {walk.generation: walk.fitness for walk in walker.walks[:-1]}
        assert all(generation % 20 == 0 for generation in published)
        assert all(fitness <= found[name].fitness for fitness in published.values())


@pytest.mark.slow
def test_a_champion_of_other_options_is_named_and_left_out(archipelago):
    shared = SharedPaths(archipelago)
    found, _ = champions.read_all(shared, NAMES)
    task = found["reef-c"].task
    options = {**task["options"], "courses": 1}
    found["reef-c"] = replace(found["reef-c"], fitness=-1e6, task={**task, "options": options})
    walkers, notes = walks.film(shared, found)
    assert set(walkers) == {"reef-a", "reef-b"}
    assert ["reef-c lived by other options" in note for note in notes] == [True]


@pytest.mark.slow
def test_of_many_champions_the_best_are_shown_and_what_is_damaged_is_named(copy, monkeypatch):
    shared = SharedPaths(copy)
    monkeypatch.setattr(walks, "MAX_FILMED", 1)
    published = sorted(shared.island("reef-c").outbox.glob("gen-*"))
    for batch in published:
        (batch / "manifest.json").write_bytes(b"{}")
    found, _ = champions.read_all(shared, NAMES)
    walkers, notes = walks.film(shared, found)
    assert list(walkers) == [max(found, key=lambda name: found[name].fitness)]
    assert any("1 of 3 champions" in note for note in notes)
    assert published
    assert ("reef-c" in walkers) == ("earlier generations of reef-c" in " ".join(notes))


@pytest.fixture(scope="module")
def life():
    creatures = Creatures(CreatureOptions(courses=1, life_s=3.0), backend="reference")
    genes = creatures.spec.sample(np.random.default_rng(1), 60)
    alive = np.flatnonzero(body.decode(genes, creatures.spec).viable)
    return recording.record(creatures, genes[alive[0]], course_number=0)


def test_every_frame_is_a_step_that_was_simulated_within_half_a_quantum(life):
    packed = walks.pack(life)
    places = unpack(packed)
    shown = life.position_m[1::2]
    assert packed["frame_s"] == pytest.approx(1 / 30)
    assert places.shape == shown.shape
    assert packed["quantum_m"] == walks.SMALLEST_QUANTUM_M
    assert np.abs(places - shown).max() <= packed["quantum_m"] * 0.501
    assert np.abs(places - shown).max() > packed["quantum_m"] * 0.3  # that is how far it goes


@given(st.integers(1, 9), st.integers(1, 5), st.floats(1e-3, 9e3), st.integers(0, 99))
def test_any_places_come_back_within_half_a_quantum(n_frames, n_nodes, reach_m, seed):
    places = np.random.default_rng(seed).uniform(-reach_m, reach_m, (n_frames, 3, n_nodes))
    packed = walks.pack(made_up(places))
    error_m = np.abs(unpack(packed) - places.astype(np.float32)).max()
    assert error_m <= packed["quantum_m"] * 0.501 + reach_m * 1e-6
    assert packed["quantum_m"] <= max(walks.SMALLEST_QUANTUM_M, reach_m / walks.LARGEST * 1.001)


def test_pellets_are_taken_in_the_frame_in_which_the_life_took_them(life):
    places = np.zeros((40, 3, 1))
    walk = made_up(places, frame_s=1 / 60)
    object.__setattr__(walk, "collected", np.repeat([0, 1, 2], [11, 20, 9]))
    packed = walks.pack(walk)
    assert packed["taken_at"] == [5, 15]  # steps 11 and 31 are shown in frames of steps 10-11 and 30-31
    assert len(packed["pellets_m"]) == 3
    assert walks.pack(life)["taken_at"] == []


def test_a_long_life_is_shown_in_as_many_frames_as_a_page_holds():
    packed = walks.pack(made_up(np.zeros((100_000, 3, 1)), frame_s=1 / 60))
    assert 0.9 * walks.MAX_FRAMES < packed["n_frames"] <= walks.MAX_FRAMES
    assert packed["n_frames"] * packed["frame_s"] == pytest.approx(100_000 / 60, rel=0.01)


def test_what_is_kept_is_small(life):
    packed = walks.pack(life)
    data = base64.b64decode(packed["places"])
    assert len(data) < 0.7 * len(zlib.compress(life.position_m[1::2].astype(np.float16).tobytes(), 9))


@pytest.mark.parametrize("nowhere", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_good", [0, 1, 7])
def test_a_life_that_blows_up_is_shown_until_then(nowhere, n_good):
    places = np.ones((20, 3, 2))
    places[n_good:, 1, 1] = nowhere
    packed = walks.pack(made_up(places))
    assert packed["n_frames"] == max(n_good, 1)
    assert np.isfinite(packed["quantum_m"])
    if n_good:
        np.testing.assert_allclose(unpack(packed), 1.0, atol=1e-3)
