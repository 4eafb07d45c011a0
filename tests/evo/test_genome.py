"""A layout holds every genome it draws, and nothing else; equal layouts are one."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import genome
from atoll.evo.errors import ConfigError
from atoll.evo.genome import GenomeSpec, Kind, Migrants, Segment
from tests.problems import MIXED
from tests.strategies import painted, seeds, segments, specs


@given(specs(), seeds, st.integers(0, 30))
def test_a_layout_contains_what_it_draws(spec, seed, n):
    genes = spec.sample(np.random.default_rng(seed), n)
    assert (genes.shape, genes.dtype) == ((n, spec.size), np.dtype(np.float32))
    assert spec.contains(genes)


@given(specs(), seeds, st.sampled_from([np.nan, np.inf, -np.inf]))
def test_one_bad_gene_is_noticed(spec, seed, bad):
    rng = np.random.default_rng(seed)
    genes = spec.sample(rng, 3)
    place = rng.integers(3), rng.integers(spec.size)
    low, high = spec.low[place[1]], spec.high[place[1]]
    for value in (bad, np.nextafter(low, np.float32(-np.inf)), np.nextafter(high, np.float32(np.inf))):
        changed = genes.copy()
        changed[place] = value
        assert not spec.contains(changed)
    changed[place] = low + np.float32(0.5) * (np.minimum(high, low + 1) - low)
    assert spec.contains(changed) == spec.is_real[place[1]]


@given(specs())
def test_every_gene_has_one_kind_and_a_place_in_one_segment(spec):
    kinds = spec.is_real.astype(int) + spec.is_gate + spec.is_integer
    assert kinds.tolist() == [1] * spec.size
    places = [i for s in spec.segments for i in range(spec.size)[spec.slice_of(s.name)]]
    assert places == list(range(spec.size))
    for segment in spec.segments:
        here = spec.slice_of(segment.name)
        assert set(spec.low[here].tolist()) == {float(np.float32(segment.low))}
        assert set(spec.high[here].tolist()) == {float(np.float32(segment.high))}


@given(specs())
def test_a_layout_comes_back_from_its_rows_as_it_was(spec):
    again = GenomeSpec.from_rows(json.loads(json.dumps(spec.to_rows())))
    assert (again, again.sha256) == (spec, spec.sha256)


def test_an_unknown_segment_is_an_error():
    with pytest.raises(KeyError, match="legs"):
        GenomeSpec((Segment("x", 1),)).slice_of("legs")


@pytest.mark.parametrize(
    ("segment", "values"),
    [
        (Segment("gate", 1, kind=Kind.GATE), [0, 1]),
        (Segment("integer", 1, -2, 3, Kind.INTEGER), [-2, -1, 0, 1, 2, 3]),
    ],
)
def test_every_whole_value_is_equally_likely(segment, values):
    n = 12_000
    genes = GenomeSpec((segment,)).sample(np.random.default_rng(3), n)
    found, counts = np.unique(genes, return_counts=True)
    assert found.tolist() == values
    expected = n / len(values)
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_real_genes_are_uniform_between_their_bounds():
    genes = GenomeSpec((Segment("x", 1, -3.0, 5.0),)).sample(np.random.default_rng(3), 8_000)
    counts, _ = np.histogram(genes, bins=16, range=(-3, 5))
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500)


@given(specs())
def test_equal_layouts_have_equal_hashes_and_a_change_of_any_part_shows(spec):
    same = GenomeSpec(tuple(dataclasses.replace(s, low=s.low + 0.0, high=s.high + 0.0) for s in spec.segments))
    assert same.sha256 == spec.sha256
    first, *rest = spec.segments
    for change in ({"name": "other"}, {"size": first.size + 1}, {"scale": first.scale + 1}):
        other = GenomeSpec((dataclasses.replace(first, **change), *rest))
        assert other.sha256 != spec.sha256
    if first.kind is Kind.REAL:
        assert GenomeSpec((dataclasses.replace(first, high=first.high + 1), *rest)).sha256 != spec.sha256


def test_a_bound_is_one_number_however_it_is_spelt():
    whole, real = Segment("x", 2, 0, 1), Segment("x", 2, 0.0, 1.0)
    assert whole == real
    assert GenomeSpec((whole,)).sha256 == GenomeSpec((real,)).sha256


@given(segments("x"))
def test_the_mutation_step_is_a_share_of_the_range(segment):
    spec = GenomeSpec((segment,))
    assert np.isfinite(spec.mutation_step).all()
    np.testing.assert_allclose(spec.mutation_step, segment.scale * (segment.high - segment.low), rtol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": 0},
        {"size": -1},
        {"low": 1.0, "high": 1.0},
        {"low": 2.0, "high": 1.0},
        {"low": float("nan")},
        {"high": float("inf")},
        {"low": -1e300},
        {"high": 1e39},
        {"low": 1.0, "high": 1.0 + 1e-12},
        {"kind": Kind.GATE, "high": 2.0},
        {"kind": Kind.INTEGER, "low": 0.5},
        {"kind": Kind.INTEGER, "high": 2.5},
        {"kind": Kind.INTEGER, "high": 2.0**25},
        {"scale": -1.0},
        {"scale": float("nan")},
        {"scale": float("inf")},
    ],
    ids=str,
)
def test_a_segment_without_sense_is_refused_by_name(arguments):
    with pytest.raises(ConfigError, match="segment 'legs'"):
        Segment(**{"name": "legs", "size": 1, **arguments})


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_a_layout_has_segments_with_distinct_names(names):
    with pytest.raises(ConfigError, match="distinct names"):
        GenomeSpec(tuple(Segment(name, 1) for name in names))


@given(specs(), seeds, st.lists(st.integers(0, 4), max_size=6))
def test_individuals_are_taken_whole_and_in_order(spec, seed, places):
    population = painted(spec, 5, seed=seed)
    taken = population.take(np.asarray(places, dtype=np.int64))
    assert len(taken) == len(places)
    assert taken.islands == population.islands
    for row, place in enumerate(places):
        assert taken.genes[row].tobytes() == population.genes[place].tobytes()
        assert taken.ancestry[row].tobytes() == population.ancestry[place].tobytes()


def test_migrants_are_counted_by_their_genomes():
    population = painted(GenomeSpec((Segment("x", 2),)), 3, seed=0)
    assert len(Migrants(population, np.zeros(3, np.float32), ("a", "b", "c"))) == 3


def test_founders_do_not_depend_on_how_many_of_them_are_drawn_at_a_time(monkeypatch):
    drawn = []
    for at_a_time in (1, 5 * MIXED.size, 1 << 20):
        monkeypatch.setattr(genome, "MAX_DOUBLES", at_a_time)
        drawn.append(MIXED.sample(np.random.default_rng(4), 12).tobytes())
    assert len(set(drawn)) == 1
