"""The networks of a population are each its own: the same outputs alone, anywhere, and as matrices say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.tasks.network import Networks, network_spec
from tests.strategies import seeds

sizes = st.integers(1, 9)


def population(seed, n, inputs, hidden, outputs):
    """Return genomes and what each is shown."""
    rng = np.random.default_rng(seed)
    spec = network_spec(inputs, hidden, outputs)
    return spec, spec.sample(rng, n), rng.normal(size=(inputs, n)).astype(np.float32)


@given(seeds, st.integers(1, 20), sizes, sizes, sizes)
def test_it_is_two_layers_with_a_tanh_between(seed, n, inputs, hidden, outputs):
    spec, genes, shown = population(seed, n, inputs, hidden, outputs)
    assert spec.size == (inputs + 1) * hidden + (hidden + 1) * outputs
    got = Networks(genes, spec).outputs(shown)
    assert (got.shape, got.dtype) == ((outputs, n), np.dtype(np.float32))
    for i, genome in enumerate(genes.astype(np.float64)):
        w1 = genome[spec.slice_of("w1")].reshape(inputs, hidden)
        w2 = genome[spec.slice_of("w2")].reshape(hidden, outputs)
        inner = np.tanh(shown[:, i] @ w1 + genome[spec.slice_of("b1")])
        np.testing.assert_allclose(got[:, i], inner @ w2 + genome[spec.slice_of("b2")], atol=1e-3)


@given(seeds, st.integers(2, 20), sizes, sizes, sizes)
def test_an_output_depends_on_neither_place_nor_neighbours(seed, n, inputs, hidden, outputs):
    spec, genes, shown = population(seed, n, inputs, hidden, outputs)
    together = Networks(genes, spec).outputs(shown)
    alone = [Networks(genes[i : i + 1], spec).outputs(shown[:, i : i + 1]) for i in range(n)]
    assert np.concatenate(alone, axis=1).tobytes() == together.tobytes()
    assert Networks(genes[::-1], spec).outputs(shown[:, ::-1]).tobytes() == together[:, ::-1].tobytes()


@given(seeds, sizes, sizes, sizes)
def test_without_weights_it_says_its_bias_whatever_it_is_shown(seed, inputs, hidden, outputs):
    spec, genes, shown = population(seed, 4, inputs, hidden, outputs)
    genes[:, spec.slice_of("w2")] = 0
    np.testing.assert_array_equal(Networks(genes, spec).outputs(shown), genes[:, spec.slice_of("b2")].T)
