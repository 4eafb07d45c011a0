"""What the genes themselves say, of islands that really lived: nothing is written, nothing unreadable is an error."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from atoll.evo import checkpoint, moments
from atoll.evo.config import island_config
from atoll.evo.diversity import Moments, fixation_index
from atoll.evo.paths import SharedPaths
from atoll.evo.recorder import FileRecorder
from atoll.migration.observe import snapshot
from atoll.migration.observe.history import Fate
from atoll.migration.pool import inbox
from atoll.migration.pool.inbox import Arrivals, Source
from tests.migration.archipelago import SPEC, OnDisk, damage, migrants_of, tree
from tests.strategies import evaluated


@pytest.fixture
def shared(tmp_path):
    return SharedPaths(tmp_path / "shared")


def keep(shared, island, *generations, seed=0):
    """Write checkpoints of an island, and moments where its generation is a multiple of 10; return the states."""
    config, task = (
        island_config(island, {"migrate_every": 10, "checkpoint_every": 10}, {}),
        SimpleNamespace(spec=SPEC, backend="test"),
    )
    recorder = FileRecorder(shared.island(island), config=config, task=task, settings={}, observe=id)
    states = [evaluated(SPEC, 6, seed=seed + g, generation=g) for g in generations]
    for state in states:
        recorder.checkpoint(state)
    return states


def test_the_newest_checkpoint_is_what_an_island_is(shared):
    states = keep(shared, "a", 10, 20)
    found = snapshot.take_one(shared.island("a"))
    assert (found.island, found.generation) == ("a", 20)
    assert found.population.genes.tobytes() == states[1].population.genes.tobytes()
    assert found.population.ancestry.tobytes() == states[1].population.ancestry.tobytes()
    assert found.population.islands == states[1].population.islands


def test_what_cannot_be_read_is_passed_over(shared):
    keep(shared, "a", 10, 20)
    paths = shared.island("a")
    damage(paths.checkpoint(20))
    assert snapshot.take_one(paths).generation == 10
    paths.checkpoint(10).write_bytes(b"")
    assert snapshot.take_one(paths) is None
    keep(shared, "b", 3)
    assert [each.island for each in snapshot.take(shared, ["a", "b", "nobody"])] == ["b"]


def test_a_champion_in_the_place_of_a_checkpoint_is_none(shared):
    [state] = keep(shared, "a", 10)
    checkpoint.save_champion(shared.island("a").checkpoint(20), state.champion, island="a", task={})
    assert snapshot.take_one(shared.island("a")).generation == 10


def test_f_st_is_that_of_the_newest_populations_and_looking_changes_nothing(shared):
    states = [keep(shared, name, 10, seed=seed)[0] for name, seed in (("a", 1), ("b", 50))]
    before = tree(shared.root)
    snapshots = snapshot.take(shared, ["a", "b"])
    assert snapshot.f_st(snapshots, SPEC) == fixation_index([state.population.genes for state in states], SPEC)
    assert snapshot.f_st(snapshots[:1], SPEC) is None
    assert tree(shared.root) == before


def test_what_emigrated_at_the_same_generation_is_compared_over_time(tmp_path):
    world = OnDisk(tmp_path / "shared")
    a, b = world.island("a"), world.island("b")
    for generation in (10, 20, 30):
        a.publish(generation, migrants_of("a", generation, 5))
    for generation in (20, 30, 40):
        b.publish(generation, migrants_of("b", generation, 4))
    damage(world.paths("b").publication(30) / "genomes.safetensors")
    found = snapshot.differentiation(world.pool)
    assert [(each.generation, each.islands) for each in found] == [(20, 2), (30, 1)]
    groups = [migrants_of(name, 20, n).population.genes for name, n in (("a", 5), ("b", 4))]
    assert found[0].f_st == fixation_index(groups, SPEC)
    assert found[1].f_st is None
    assert {each.of for each in found} == {snapshot.EMIGRANTS}


def test_whole_populations_are_compared_where_two_islands_have_kept_their_moments(tmp_path):
    """To the bit as from the genes; a generation of which only one has any is compared by its emigrants."""
    world = OnDisk(tmp_path / "shared")
    for name in "ab":
        island = world.island(name)
        for generation in (10, 20, 30):
            island.publish(generation, migrants_of(name, generation, 5))
    states = {name: keep(world.shared, name, 10, 20, 30, seed=seed) for name, seed in (("a", 1), ("b", 50))}
    damage(world.paths("a").moments(20))
    before = tree(tmp_path)
    found = {each.generation: each for each in snapshot.differentiation(world.pool)}
    assert {g: (each.of, each.islands) for g, each in found.items()} == {
        10: (snapshot.POPULATIONS, 2),
        20: (snapshot.EMIGRANTS, 2),
        30: (snapshot.POPULATIONS, 2),
    }
    for generation, i in ((10, 0), (30, 2)):
        groups = [states[name][i].population.genes for name in "ab"]
        assert found[generation].f_st == fixation_index(groups, SPEC)
    assert tree(tmp_path) == before


def test_moments_of_another_layout_are_none(tmp_path):
    world = OnDisk(tmp_path / "shared")
    for name in "ab":
        world.island(name)
        keep(world.shared, name, 10)
    moments.save(world.paths("b"), 10, Moments(3, np.zeros(SPEC.size + 1), 0.0))
    assert snapshot.differentiation(world.pool) == []


def test_islands_that_exchange_nothing_are_compared_too(tmp_path):
    world = OnDisk(tmp_path / "shared")
    for name in "ab":
        world.island(name)
        keep(world.shared, name, 10)
    assert [each.of for each in snapshot.differentiation(world.pool)] == [snapshot.POPULATIONS]


# What is left of a migrant


def fate(island, generation, name):
    return Fate(
        island=island,
        generation=generation,
        id=name,
        source="far",
        source_generation=1,
        fitness=0.0,
        is_led=False,
        genome=name,
        is_repeated=False,
        ancestry={},
        until=None,
    )


def let_in(shared, island, generation, migrants):
    """Put migrants into an island's inbox; return their fates."""
    sources = tuple(Source("far", 1, 1, "", "") for _ in migrants.ids)
    inbox.save(shared.island(island), generation, Arrivals(migrants, sources))
    return [fate(island, generation, name) for name in migrants.ids]


def test_a_migrants_genes_are_counted_where_they_stand_bit_for_bit_and_of_its_ancestor(shared):
    [state] = keep(shared, "a", 10)
    population = state.population
    migrants = migrants_of("far", 1, 3)
    assert "far" not in population.islands
    genes, ancestry = population.genes.copy(), population.ancestry.copy()
    genes[:2], ancestry[:2] = migrants.population.genes[0], len(population.islands)  # two copies of the first
    genes[2, 0], ancestry[2, 0] = migrants.population.genes[1, 0], len(population.islands)  # one gene of the second
    genes[3, 1] = migrants.population.genes[1, 1]  # the same value, of another ancestor
    mixed = type(population)(genes, ancestry, (*population.islands, "far"))
    fates = let_in(shared, "a", 5, migrants)
    shares = snapshot.kept(shared, [snapshot.Snapshot("a", 10, mixed)], fates)
    assert shares[0] >= 2 / 6
    assert shares[0] == pytest.approx(2 / 6 + same(mixed, migrants, 0, rest=slice(2, 6)))
    assert shares[1] >= 1 / 36
    assert shares[2] == same(mixed, migrants, 2, rest=slice(0, 6))


def same(population, migrants, i, *, rest):
    """Return the share of genes, among the rest, that are of the migrant's ancestor and of its value by chance."""
    is_far = population.ancestry[rest] == population.islands.index("far")
    return np.sum(is_far & (population.genes[rest] == migrants.population.genes[i])) / population.genes.size


def test_who_brought_home_what_had_left_is_not_told_from_who_stayed(shared):
    [state] = keep(shared, "a", 10)
    fates = let_in(shared, "a", 5, migrants_of("b", 1, 2, ancestors=("a",)))
    assert snapshot.kept(shared, [snapshot.Snapshot("a", 10, state.population)], fates) == [None, None]


def test_where_the_inbox_or_the_checkpoint_says_nothing_neither_do_we(shared):
    [state] = keep(shared, "a", 10)
    here = [snapshot.Snapshot("a", 10, state.population)]
    fates = let_in(shared, "a", 5, migrants_of("far", 1, 1))
    assert snapshot.kept(shared, [], fates) == [None]
    assert snapshot.kept(shared, here, [fate("a", 5, "else")]) == [None]
    assert snapshot.kept(shared, here, [fate("a", 7, "x")]) == [None]
    damage(shared.island("a").inbox(5))
    assert snapshot.kept(shared, here, fates) == [None]


def test_a_migrant_of_whom_nothing_is_left_has_a_share_of_0(shared):
    [state] = keep(shared, "a", 10)
    fates = let_in(shared, "a", 5, migrants_of("far", 1, 1))
    assert snapshot.kept(shared, [snapshot.Snapshot("a", 10, state.population)], fates) == [0.0]
