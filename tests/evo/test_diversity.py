"""Diversity is 0 for a population of one genome, known for a random one, and has no unit."""

import numpy as np
from hypothesis import given

from evo.diversity import gene_deviation
from evo.genome import GenomeSpec, Population, Segment
from tests.strategies import painted, seeds, specs


def of(genes, spec):
    return gene_deviation(Population(genes, np.zeros(genes.shape, np.uint16), ("a",)), spec)


@given(specs(), seeds)
def test_clones_have_none_and_it_is_at_most_half_the_range(spec, seed):
    population = painted(spec, 6, seed=seed)
    assert 0 <= gene_deviation(population, spec) <= 0.5 + 1e-6
    assert gene_deviation(population.take(np.zeros(6, dtype=np.int64)), spec) < 1e-9


def test_random_genes_have_that_of_a_uniform_draw():
    spec = GenomeSpec((Segment("x", 30, -3.0, 9.0),))
    assert abs(gene_deviation(painted(spec, 4000, seed=0), spec) - 12**-0.5) < 0.005


@given(seeds)
def test_order_does_not_matter_and_neither_does_the_unit(seed):
    spec, wide = GenomeSpec((Segment("x", 5, -1.0, 1.0),)), GenomeSpec((Segment("x", 5, -8.0, 8.0),))
    genes = painted(spec, 8, seed=seed).genes
    here = of(genes, spec)
    assert abs(of(genes[::-1].copy(), spec) - here) < 1e-6
    assert abs(of(8 * genes, wide) - here) < 1e-6


def test_the_extremes_are_half_the_range_apart_from_their_mean():
    spec = GenomeSpec((Segment("x", 3, -1.0, 5.0),))
    assert of(np.asarray([[-1] * 3, [5] * 3], dtype=np.float32), spec) == 0.5
