"""Champions are simulated again, beside what their islands published before them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.paths import SharedPaths
from atoll.scripts.report import walks

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
    found, unread = walks.read_champions(shared, NAMES)
    walkers, notes = walks.film(shared, found)
    assert unread == notes == []
    for name, walker in walkers.items():
        assert walker.simulated == walker.champion.fitness == walker.audit.trained_fitness
        assert [walk.generation for walk in walker.walks][-1] == found[name].generation
        published = {walk.generation: walk.fitness for walk in walker.walks[:-1]}
        assert all(generation % 20 == 0 for generation in published)
        assert all(fitness <= found[name].fitness for fitness in published.values())


@pytest.mark.slow
def test_a_champion_of_other_options_is_named_and_left_out(archipelago):
    shared = SharedPaths(archipelago)
    found, _ = walks.read_champions(shared, NAMES)
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
    found, _ = walks.read_champions(shared, NAMES)
    walkers, notes = walks.film(shared, found)
    assert list(walkers) == [max(found, key=lambda name: found[name].fitness)]
    assert any("1 of 3 champions" in note for note in notes)
    assert published
    assert ("reef-c" in walkers) == ("earlier generations of reef-c" in " ".join(notes))
