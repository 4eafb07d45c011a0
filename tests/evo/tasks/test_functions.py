"""Each test function has its known optimum, its known shape, and scores a genome wherever it sits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evo.errors import ConfigError
from evo.tasks.functions import FUNCTIONS, FunctionOptions, FunctionTask
from tests.contracts import check_task
from tests.strategies import seeds

NAMES = sorted(FUNCTIONS)
OPTIMA = {"sphere": 0.0, "rastrigin": 0.0, "rosenbrock": 1.0, "ackley": 0.0, "schwefel": 420.9687}
SYMMETRIC = [name for name in NAMES if name != "rosenbrock"]
SEPARABLE = ["sphere", "rastrigin", "schwefel"]
names = st.sampled_from(NAMES)


def task(name, dimensions=10):
    return FunctionTask(name, FunctionOptions(dimensions))


def at(function, point):
    """Return the score of one genome."""
    return float(function.evaluate(np.asarray([point], dtype=np.float32), 0)[0])


@pytest.mark.parametrize("dimensions", [2, 7, 300])
@pytest.mark.parametrize("name", NAMES)
def test_keeps_the_contract_of_every_task(name, dimensions):
    check_task(task(name, dimensions), n=13)


@pytest.mark.parametrize("dimensions", [2, 10, 100])
@pytest.mark.parametrize("name", NAMES)
def test_the_documented_optimum_scores_zero(name, dimensions):
    assert abs(at(task(name, dimensions), [OPTIMA[name]] * dimensions)) < 1e-4 * dimensions


@given(names, seeds, st.integers(2, 12))
def test_nothing_in_the_box_scores_better_than_the_optimum(name, seed, dimensions):
    function = task(name, dimensions)
    genes = function.spec.sample(np.random.default_rng(seed), 50)
    near = np.float32(OPTIMA[name]) + np.float32(0.01) * (genes - np.float32(OPTIMA[name]))
    best = at(function, [OPTIMA[name]] * dimensions)
    assert np.concatenate([function.evaluate(genes, 0), function.evaluate(near, 0)]).max() <= best + 1e-5


@given(names, st.integers(2, 12))
def test_the_optimum_lies_within_the_bounds(name, dimensions):
    spec = task(name, dimensions).spec
    assert spec.size == dimensions
    assert spec.contains(np.full((1, dimensions), OPTIMA[name], dtype=np.float32))


@given(st.sampled_from(SYMMETRIC), seeds)
def test_the_order_of_dimensions_does_not_matter_but_for_rounding(name, seed):
    function, rng = task(name, 8), np.random.default_rng(seed)
    genes = function.spec.sample(rng, 6)
    shuffled = genes[:, rng.permutation(8)]
    np.testing.assert_allclose(function.evaluate(shuffled, 0), function.evaluate(genes, 0), rtol=1e-6, atol=1e-5)


def test_rosenbrocks_valley_is_curved_so_there_the_order_matters():
    assert at(task("rosenbrock", 2), [0.5, 0.25]) > at(task("rosenbrock", 2), [0.25, 0.5]) + 1


@given(st.sampled_from(SEPARABLE), seeds)
def test_a_separable_function_is_the_sum_of_its_dimensions(name, seed):
    x = task(name, 3).spec.sample(np.random.default_rng(seed), 1)[0]
    parts = [at(task(name, 2), [value, OPTIMA[name]]) for value in x]
    assert abs(sum(parts) - at(task(name, 3), x)) < 1e-3


@given(st.sampled_from(["sphere", "rastrigin", "ackley"]), seeds)
def test_a_function_of_even_powers_is_the_same_on_both_sides(name, seed):
    function = task(name, 5)
    genes = function.spec.sample(np.random.default_rng(seed), 8)
    np.testing.assert_array_equal(function.evaluate(-genes, 0), function.evaluate(genes, 0))


def test_schwefel_is_deceptive():
    """The second best of one dimension lies at the far end of the box, hundreds away from the best."""
    line = np.linspace(-500, 500, 20_001, dtype=np.float32)
    genes = np.stack([line, np.full_like(line, OPTIMA["schwefel"])], axis=1)
    scores = task("schwefel", 2).evaluate(genes, 0)
    inner = np.flatnonzero((scores[1:-1] > scores[:-2]) & (scores[1:-1] >= scores[2:])) + 1
    first, second = inner[np.argsort(-scores[inner])][:2]
    assert abs(line[first] - 420.97) < 0.1
    assert line[second] < -250


@settings(max_examples=20)
@given(names, st.integers(0, 10**9), seeds)
def test_the_episode_does_not_matter(name, episode, seed):
    function = task(name, 4)
    genes = function.spec.sample(np.random.default_rng(seed), 5)
    np.testing.assert_array_equal(function.evaluate(genes, episode), function.evaluate(genes, 0))


@pytest.mark.parametrize("dimensions", [-1, 0, 1, 100_001])
def test_a_size_without_sense_is_refused(dimensions):
    with pytest.raises(ConfigError, match=f"between 2 and 100000, got {dimensions}"):
        FunctionOptions(dimensions)


def test_options_say_all_there_is_to_choose():
    assert task("sphere", 7).options == {"dimensions": 7}
