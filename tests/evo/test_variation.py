"""Children are made of their parents, keep to the layout, and carry every gene's owner with it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import variation
from atoll.evo.config import Breeding
from atoll.evo.genome import GenomeSpec, Kind, Population, Segment
from tests.strategies import breedings, painted, seeds, specs

REAL = GenomeSpec((Segment("x", 50, -1.0, 3.0),))
MIXED = GenomeSpec(
    (Segment("x", 20, -1, 3), Segment("gate", 20, kind=Kind.GATE), Segment("n", 20, -9, 9, Kind.INTEGER))
)
ARRAYS = ("genes", "ancestry")
NOBODY = np.zeros(0, dtype=np.int64)
CROSSOVERS = ["uniform", "blend", "sbx"]


def rng(seed=0):
    return np.random.default_rng(seed)


def cross(first, second, spec, *, seed=0, **settings):
    return child_of(first, second, spec, breeding=Breeding(**settings), rng=rng(seed))


def child_of(first, second, spec, *, breeding, rng):
    """Cross the individuals of two populations one by one."""
    both = Population(*(np.concatenate([getattr(p, name) for p in (first, second)]) for name in ARRAYS), first.islands)
    couples = np.arange(len(both)).reshape(2, -1)
    return variation.crossover(both, couples, elites=NOBODY, spec=spec, breeding=breeding, rng=rng)


def mutated(population, spec, *, seed=0, **settings):
    return variation.mutate(population, spec=spec, breeding=Breeding(**settings), rng=rng(seed))


def constant(spec, n, *, value, owner):
    """Return individuals whose genes are all `value`, all of one owner."""
    genes = np.full((n, spec.size), value, dtype=np.float32)
    return Population(genes, np.full(genes.shape, owner, dtype=np.uint16), ("a", "b"))


def corners(spec, n, *, seed):
    """Return individuals with every gene at one of its bounds."""
    at_high = rng(seed).random((n, spec.size)) < 0.5
    return replace(painted(spec, n, seed=seed), genes=np.where(at_high, spec.high, spec.low))


def same(a, b):
    return (
        a.genes.tobytes() == b.genes.tobytes()
        and a.ancestry.tobytes() == b.ancestry.tobytes()
        and a.islands == b.islands
    )


@given(specs(), breedings, seeds)
def test_children_keep_to_any_layout(spec, breeding, seed):
    first, second = corners(spec, 6, seed=seed), painted(spec, 6, seed=seed + 1)
    children = child_of(first, second, spec, breeding=breeding, rng=rng(seed))
    assert spec.contains(children.genes)
    grown = variation.mutate(children, spec=spec, breeding=breeding, rng=rng(seed))
    assert spec.contains(grown.genes)
    assert (grown.genes.shape, grown.genes.dtype) == (first.genes.shape, np.dtype(np.float32))
    assert (grown.ancestry.shape, grown.ancestry.dtype) == (first.ancestry.shape, np.dtype(np.uint16))
    assert grown.islands == first.islands


@given(specs(), breedings, seeds)
def test_elites_are_copied_along_and_nobody_else_s_child_depends_on_them(spec, breeding, seed):
    parents = painted(spec, 8, seed=seed)
    before = [getattr(parents, name).tobytes() for name in ARRAYS]
    couples, elites = rng(seed).integers(8, size=(2, 5)), np.asarray([3, 0])

    def bred(elites):
        family = variation.crossover(parents, couples, elites=elites, spec=spec, breeding=breeding, rng=rng(seed))
        unmutated = [getattr(family, name).tobytes() for name in ARRAYS]
        grown = variation.mutate(family, n_elites=len(elites), spec=spec, breeding=breeding, rng=rng(seed))
        assert unmutated == [getattr(family, name).tobytes() for name in ARRAYS]
        return grown

    grown = bred(elites)
    assert same(grown.take(np.arange(2)), parents.take(elites))
    assert same(grown.take(np.arange(2, 7)), bred(NOBODY))
    assert before == [getattr(parents, name).tobytes() for name in ARRAYS]


@given(specs(), breedings, seeds)
def test_the_same_stream_makes_the_same_children(spec, breeding, seed):
    first, second = painted(spec, 5, seed=seed), painted(spec, 5, seed=seed + 1)
    children = [child_of(first, second, spec, breeding=breeding, rng=rng(seed)) for _ in range(2)]
    assert same(*children)
    assert same(*[variation.mutate(c, spec=spec, breeding=breeding, rng=rng(seed)) for c in children])


@given(specs(), breedings, seeds)
def test_crossover_with_itself_returns_itself(spec, breeding, seed):
    parent = painted(spec, 5, seed=seed)
    assert same(child_of(parent, parent, spec, breeding=breeding, rng=rng(seed)), parent)


@pytest.mark.parametrize("crossover", [*CROSSOVERS, "none"])
def test_without_crossover_a_child_is_its_first_parent(crossover):
    first, second = painted(MIXED, 5, seed=0), painted(MIXED, 5, seed=1)
    assert same(cross(first, second, MIXED, crossover="none"), first)
    assert same(cross(first, second, MIXED, crossover=crossover, crossover_rate=0.0), first)


@pytest.mark.parametrize("crossover", CROSSOVERS)
def test_the_rate_is_the_share_of_children_with_two_parents(crossover):
    n = 2000
    first, second = constant(REAL, n, value=0, owner=0), constant(REAL, n, value=1, owner=1)
    child = cross(first, second, REAL, crossover=crossover, crossover_rate=0.3)
    mixed = np.any(child.genes != 0, axis=1)
    assert abs(mixed.sum() - 600) < 5 * np.sqrt(n * 0.3 * 0.7)
    assert same(child.take(np.flatnonzero(~mixed)), first.take(np.flatnonzero(~mixed)))


@given(specs(), seeds)
def test_uniform_crossover_takes_each_gene_and_its_owner_from_one_parent(spec, seed):
    first, second = painted(spec, 6, seed=seed), painted(spec, 6, seed=seed + 1)
    child = cross(first, second, spec, seed=seed, crossover="uniform")
    of_first = (child.genes == first.genes) & (child.ancestry == first.ancestry)
    of_second = (child.genes == second.genes) & (child.ancestry == second.ancestry)
    assert np.all(of_first | of_second)


def test_uniform_crossover_takes_half_from_each():
    first, second = constant(REAL, 200, value=0, owner=0), constant(REAL, 200, value=1, owner=1)
    child = cross(first, second, REAL, crossover="uniform")
    assert abs(child.genes.mean() - 0.5) < 5 * 0.5 / np.sqrt(child.genes.size)
    np.testing.assert_array_equal(child.genes, child.ancestry)


@pytest.mark.parametrize("crossover", CROSSOVERS)
def test_gates_and_integers_are_never_blended(crossover):
    first, second = painted(MIXED, 300, seed=0), painted(MIXED, 300, seed=1)
    child = cross(first, second, MIXED, crossover=crossover)
    whole = ~MIXED.is_real
    of_first = (child.genes == first.genes) & (child.ancestry == first.ancestry)
    of_second = (child.genes == second.genes) & (child.ancestry == second.ancestry)
    assert np.all((of_first | of_second)[:, whole])
    share = np.mean((child.genes == second.genes)[:, whole][(first.genes != second.genes)[:, whole]])
    assert 0.45 < share < 0.55


@pytest.mark.parametrize("crossover", ["blend", "sbx"])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 0.0)])
def test_a_blended_gene_belongs_to_the_parent_it_is_closer_to(crossover, low, high):
    first, second = constant(REAL, 100, value=low, owner=0), constant(REAL, 100, value=high, owner=1)
    child = cross(first, second, REAL, crossover=crossover, sbx_eta=2.0)
    weight = (child.genes - low) / (high - low)
    np.testing.assert_array_equal(child.ancestry, weight > 0.5)
    assert 0.4 < child.ancestry.mean() < 0.6


def test_a_tied_gene_belongs_to_the_first_parent(monkeypatch):
    monkeypatch.setattr(variation, "_second_weight", lambda shape, **_: np.full(shape, 0.5, dtype=np.float32))
    first, second = constant(REAL, 3, value=0, owner=1), constant(REAL, 3, value=1, owner=0)
    child = cross(first, second, REAL, crossover="blend")
    assert set(child.genes.ravel().tolist()) == {0.5}
    assert set(child.ancestry.ravel().tolist()) == {1}


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_blend_reaches_alpha_beyond_the_parents(alpha):
    first, second = constant(REAL, 400, value=0, owner=0), constant(REAL, 400, value=1, owner=1)
    genes = cross(first, second, REAL, crossover="blend", blend_alpha=alpha).genes
    assert -alpha <= genes.min() < -alpha + 0.01
    assert 1 + alpha - 0.01 < genes.max() <= 1 + alpha
    assert abs(genes.mean() - 0.5) < 0.02


def test_sbx_keeps_the_mean_and_a_larger_index_keeps_closer_to_a_parent():
    wide = GenomeSpec((Segment("x", 50, -100.0, 100.0),))
    first, second = constant(wide, 400, value=0, owner=0), constant(wide, 400, value=1, owner=1)
    distance = []
    for eta in (1.0, 5.0, 20.0, 1e6):
        genes = cross(first, second, wide, crossover="sbx", sbx_eta=eta).genes
        assert abs(genes.mean() - 0.5) < 0.05
        distance.append(float(np.mean(np.minimum(abs(genes), abs(genes - 1)))))
    assert distance == sorted(distance, reverse=True)
    assert distance[-1] < 1e-5


def test_sbx_contracts_as_often_as_it_expands():
    """Deb & Agrawal 1995, eq. 9-10: half of the spread factors are below 1, with density (eta + 1) / 2 * beta^eta."""
    wide = GenomeSpec((Segment("x", 50, -1e6, 1e6),))
    first, second = constant(wide, 400, value=0, owner=0), constant(wide, 400, value=1, owner=1)
    genes = cross(first, second, wide, crossover="sbx", sbx_eta=3.0).genes.ravel()
    spread = np.abs(2 * genes - 1)
    inside = spread[spread < 1]
    assert abs(len(inside) / len(spread) - 0.5) < 0.02
    assert abs(inside.mean() - 4 / 5) < 0.01


@given(specs(), seeds, st.sampled_from([0.0, 0.3, 1.0]))
def test_no_rate_or_no_scale_returns_the_parent(spec, seed, rate):
    population = painted(spec, 6, seed=seed)
    assert same(mutated(population, spec, seed=seed, mutation_rate=0.0), population)
    still = mutated(population, spec, seed=seed, mutation_rate=rate, mutation_scale=0.0)
    assert still.genes[:, ~spec.is_gate].tobytes() == population.genes[:, ~spec.is_gate].tobytes()
    assert still.ancestry.tobytes() == population.ancestry.tobytes()


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.9])
def test_the_rate_is_the_share_of_genes_that_mutate(rate):
    population = painted(MIXED, 1000, seed=1)
    children = mutated(population, MIXED, mutation_rate=rate)
    changed = children.genes != population.genes
    n = changed[:, MIXED.is_gate].size
    for kind in (MIXED.is_gate, MIXED.is_real):
        assert abs(changed[:, kind].sum() - rate * n) < 5 * np.sqrt(n * rate * (1 - rate)) + 0.01 * rate * n
    per_individual = changed[:, MIXED.is_gate].sum(axis=1)
    assert abs(per_individual.var() - 20 * rate * (1 - rate)) < 0.2 * 20 * rate * (1 - rate)


@given(specs(), seeds)
def test_auto_is_a_rate_of_one_gene_a_child_and_never_below_one_in_a_hundred(spec, seed):
    population = painted(spec, 6, seed=seed)
    rate = max(1 / spec.size, 0.01)
    assert same(
        mutated(population, spec, seed=seed, mutation_rate="auto"),
        mutated(population, spec, seed=seed, mutation_rate=rate),
    )
    assert Breeding(mutation_rate=0.5).rate(spec.size) == 0.5
    assert Breeding().rate(521) == 0.01


def test_at_rate_one_every_gate_flips_and_every_integer_in_reach_moves():
    population = painted(MIXED, 200, seed=1)
    children = mutated(population, MIXED, mutation_rate=1.0, mutation_scale=1e-6)
    np.testing.assert_array_equal(children.genes[:, MIXED.is_gate], 1 - population.genes[:, MIXED.is_gate])
    old, new = population.genes[:, MIXED.is_integer], children.genes[:, MIXED.is_integer]
    moved = np.abs(new - old)
    assert set(moved.ravel().tolist()) == {0.0, 1.0}
    assert np.all(np.abs(old[moved == 0]) == 9)


def test_a_real_step_has_the_scale_as_its_standard_deviation():
    spec = GenomeSpec((Segment("x", 50, -50, 50), Segment("y", 50, -50, 50, scale=0.1)))
    middle = constant(spec, 200, value=0, owner=0)
    steps = mutated(middle, spec, mutation_rate=1.0, mutation_scale=0.05).genes
    for name, expected in (("x", 5.0), ("y", 0.5)):
        here = steps[:, spec.slice_of(name)]
        assert abs(here.mean()) < 0.05 * expected
        assert abs(here.std() / expected - 1) < 0.05


@given(specs(), seeds)
def test_mutation_leaves_the_owner_alone(spec, seed):
    population = painted(spec, 6, seed=seed)
    assert mutated(population, spec, mutation_rate=1.0, seed=seed).ancestry.tobytes() == population.ancestry.tobytes()
