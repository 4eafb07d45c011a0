"""Each test function has its known optimum, its known shape, and scores a genome wherever it sits.

A trap's best is all ones, and everything short of it leads the other way.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atoll.evo.errors import ConfigError
from atoll.evo.tasks.functions import FUNCTIONS, FunctionOptions, FunctionTask, Trap, TrapOptions, rotation
from tests.contracts import broken_promises
from tests.strategies import seeds

NAMES = sorted(FUNCTIONS)
OPTIMA = {"sphere": 0.0, "ellipsoid": 0.0, "rastrigin": 0.0, "rosenbrock": 1.0, "ackley": 0.0, "schwefel": 420.9687}
SYMMETRIC = [name for name in NAMES if name not in {"rosenbrock", "ellipsoid"}]
SEPARABLE = ["sphere", "rastrigin", "schwefel"]
MOVABLE = [name for name in NAMES if FUNCTIONS[name].can_move]
names = st.sampled_from(NAMES)
movable = st.sampled_from(MOVABLE)


def task(name, dimensions=10, **options):
    return FunctionTask(FunctionOptions(dimensions, **options), name=name)


def at(function, point):
    """Return the score of one genome."""
    return float(function.evaluate(np.asarray([point], dtype=np.float32), 0)[0])


@pytest.mark.parametrize("dimensions", [2, 7, 300])
@pytest.mark.parametrize("name", NAMES)
def test_keeps_the_contract_of_every_task(name, dimensions):
    assert broken_promises(task(name, dimensions)) == []


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


def test_the_ellipsoid_is_a_thousand_times_as_long_as_wide():
    length, width = at(task("ellipsoid", 6), np.eye(6)[0]), at(task("ellipsoid", 6), np.eye(6)[5])
    assert abs(width / length - 1e6) < 1


@pytest.mark.parametrize("offset", [0.0, 0.4])
@pytest.mark.parametrize("name", MOVABLE)
def test_keeps_the_contract_moved_and_rotated(name, offset):
    assert broken_promises(task(name, 7, offset=offset, rotated=True)) == []


def test_a_turned_point_depends_on_no_neighbour_not_even_in_the_last_digit_that_float32_would_hide():
    function = task("rastrigin", 90, rotated=True)
    points = np.random.default_rng(1).normal(size=(90, 37))
    alone = [function._turn(points[:, i : i + 1].copy()) for i in range(37)]
    assert np.concatenate(alone, axis=1).tobytes() == function._turn(points).tobytes()


@given(movable, st.integers(2, 40), st.floats(0, 0.9), st.booleans())
def test_the_optimum_scores_zero_wherever_it_was_moved_and_lies_in_the_box(name, dimensions, offset, rotated):
    function = task(name, dimensions, offset=offset, rotated=rotated)
    assert abs(at(function, function.optimum)) < 1e-5
    assert function.spec.contains(function.optimum)


@given(movable, seeds, st.floats(0.05, 0.9), st.booleans())
def test_nothing_in_the_box_scores_better_than_the_moved_optimum(name, seed, offset, rotated):
    function = task(name, 5, offset=offset, rotated=rotated)
    genes = function.spec.sample(np.random.default_rng(seed), 50)
    near = function.optimum + np.float32(0.01) * (genes - function.optimum)
    assert np.concatenate([function.evaluate(genes, 0), function.evaluate(near, 0)]).max() <= 1e-5


@given(movable, st.floats(0.05, 0.9), st.booleans())
def test_the_moved_optimum_is_as_far_from_the_centre_as_the_option_says_along_every_axis(name, offset, rotated):
    function = task(name, 20, offset=offset, rotated=rotated)
    np.testing.assert_allclose(np.abs(function.optimum), offset * FUNCTIONS[name].half_width, rtol=1e-6)
    assert len(set(np.sign(function.optimum))) == 2, "one corner would be a centre of another box"
    np.testing.assert_array_equal(function.optimum, task(name, 20, offset=offset).optimum)


@given(movable, seeds, st.floats(0.05, 0.9))
def test_moving_changes_the_place_and_nothing_else(name, seed, offset):
    still, moved = task(name, 4), task(name, 4, offset=offset)
    steps = np.float32(0.05) * still.spec.sample(np.random.default_rng(seed), 6)
    there, here = moved.evaluate(moved.optimum + steps, 0), still.evaluate(still.optimum + steps, 0)
    np.testing.assert_allclose(there, here, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dimensions", [2, 10, 300])
def test_the_rotation_keeps_lengths_and_is_always_the_same(dimensions):
    turn = rotation(dimensions)
    np.testing.assert_allclose(turn @ turn.T, np.eye(dimensions), atol=1e-12)
    np.testing.assert_array_equal(turn, rotation(dimensions))


@given(seeds, st.floats(0, 0.9))
def test_a_sphere_looks_the_same_from_all_sides(seed, offset):
    flat, turned = task("sphere", 6, offset=offset), task("sphere", 6, offset=offset, rotated=True)
    genes = flat.spec.sample(np.random.default_rng(seed), 6)
    np.testing.assert_allclose(turned.evaluate(genes, 0), flat.evaluate(genes, 0), rtol=1e-5)


@pytest.mark.parametrize("name", ["ellipsoid", "rastrigin"])
def test_a_rotated_function_is_no_sum_over_genes(name):
    """Along one gene, the best value of a separable function does not depend on the others; of this one it does."""

    def best_last_gene(function, other):
        line = np.linspace(-4, 4, 801, dtype=np.float32)
        genes = np.stack([np.full_like(line, other), line], axis=1)
        return line[function.evaluate(genes, 0).argmax()]

    assert best_last_gene(task(name, 2), 0.0) == best_last_gene(task(name, 2), 2.5)
    rotated = task(name, 2, rotated=True)
    assert abs(best_last_gene(rotated, 0.0) - best_last_gene(rotated, 2.5)) > 0.1


@pytest.mark.parametrize("options", [{"offset": 0.3}, {"rotated": True}], ids=str)
def test_schwefel_stays_where_it_is(options):
    with pytest.raises(ConfigError, match="better points outside of its box"):
        task("schwefel", 5, **options)


@pytest.mark.parametrize("dimensions", [-1, 0, 1, 100_001])
def test_a_size_without_sense_is_refused(dimensions):
    limit = "at most 100000" if dimensions > 2 else "at least 2"
    with pytest.raises(ConfigError, match=f"-o dimensions must be {limit}, got {dimensions}"):
        FunctionOptions(dimensions)


@pytest.mark.parametrize("offset", [-0.1, 0.91, float("nan")])
def test_an_offset_out_of_the_box_is_refused(offset):
    with pytest.raises(ConfigError, match=r"-o offset must be at (least 0|most 0.9)"):
        FunctionOptions(offset=offset)


def test_a_rotation_that_would_take_all_memory_is_refused():
    with pytest.raises(ConfigError, match="at most 1000 with rotated=true, got 1001"):
        FunctionOptions(1001, rotated=True)


def test_options_say_all_there_is_to_choose():
    assert task("sphere", 7).options == {"dimensions": 7, "offset": 0.0, "rotated": False}


def trap(blocks, order):
    return Trap(TrapOptions(blocks * order, order))


def all_of(order):
    """Return every genome of one block, [2^k, k]."""
    numbers = np.arange(2**order)
    return ((numbers[:, None] >> np.arange(order)) & 1).astype(np.float32)


@pytest.mark.parametrize(("blocks", "order"), [(1, 2), (3, 4), (8, 5), (100, 4)])
def test_a_trap_keeps_the_contract_of_every_task(blocks, order):
    assert broken_promises(trap(blocks, order)) == []


@given(st.integers(1, 30), st.integers(2, 12))
def test_the_optimum_of_a_trap_is_all_ones_and_scores_the_number_of_bits(blocks, order):
    task = trap(blocks, order)
    ones = np.ones((1, task.spec.size), dtype=np.float32)
    assert task.evaluate(ones, 0)[0] == task.spec.size
    assert task.spec.contains(ones)


@pytest.mark.parametrize("order", range(2, 9))
def test_nothing_but_the_optimum_of_a_trap_scores_as_much(order):
    scores = trap(1, order).evaluate(all_of(order), 0)
    assert np.flatnonzero(scores == order).tolist() == [2**order - 1]
    assert scores.max() == order


@pytest.mark.parametrize("order", range(3, 9))
def test_every_step_of_a_trap_but_the_last_leads_away(order):
    """From anywhere but the optimum and its neighbours, turning a one off pays; zeros are a local optimum."""
    steps = trap(1, order).evaluate(np.tril(np.ones((order + 1, order), dtype=np.float32), -1), 0)
    assert steps[:-1].tolist() == [order - 1 - ones for ones in range(order)]
    assert steps[0] == order - 1


@pytest.mark.parametrize("order", range(4, 9))
def test_the_better_average_of_a_bit_in_a_trap_is_the_wrong_one(order):
    """Deception in the sense of Goldberg: the schema that does not lead to the optimum has the higher mean."""
    genes = all_of(order)
    scores = trap(1, order).evaluate(genes, 0)
    assert scores[genes[:, 0] == 0].mean() > scores[genes[:, 0] == 1].mean()


@given(st.integers(1, 6), st.integers(2, 7), seeds)
def test_a_trap_scores_the_sum_of_its_blocks(blocks, order, seed):
    genes = trap(blocks, order).spec.sample(np.random.default_rng(seed), 5)
    parts = [trap(1, order).evaluate(genes[:, i * order : (i + 1) * order], 0) for i in range(blocks)]
    np.testing.assert_array_equal(trap(blocks, order).evaluate(genes, 0), sum(parts))


@pytest.mark.parametrize(("dimensions", "order"), [(41, 4), (3, 4), (0, 4), (100_004, 4), (40, 1), (65, 65)])
def test_a_trap_of_a_size_without_sense_is_refused(dimensions, order):
    with pytest.raises(ConfigError, match=r"-o dimensions must be (a multiple of the order|at)|-o order must be at"):
        TrapOptions(dimensions, order)
