"""A trap's best is all ones, and everything short of it leads the other way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import ConfigError
from atoll.evo.tasks.trap import Trap, TrapOptions
from tests.contracts import check_task
from tests.strategies import seeds


def trap(blocks, order):
    return Trap(TrapOptions(blocks * order, order))


def all_of(order):
    """Return every genome of one block, [2^k, k]."""
    numbers = np.arange(2**order)
    return ((numbers[:, None] >> np.arange(order)) & 1).astype(np.float32)


@pytest.mark.parametrize(("blocks", "order"), [(1, 2), (3, 4), (8, 5), (100, 4)])
def test_keeps_the_contract_of_every_task(blocks, order):
    check_task(trap(blocks, order), n=13)


@given(st.integers(1, 30), st.integers(2, 12))
def test_the_optimum_is_all_ones_and_scores_the_number_of_bits(blocks, order):
    task = trap(blocks, order)
    assert task.evaluate(task.optimum[None], 0)[0] == task.spec.size
    assert task.spec.contains(task.optimum)


@pytest.mark.parametrize("order", range(2, 9))
def test_nothing_else_scores_as_much(order):
    scores = trap(1, order).evaluate(all_of(order), 0)
    assert np.flatnonzero(scores == order).tolist() == [2**order - 1]
    assert scores.max() == order


@pytest.mark.parametrize("order", range(3, 9))
def test_every_step_but_the_last_leads_away(order):
    """From anywhere but the optimum and its neighbours, turning a one off pays; zeros are a local optimum."""
    steps = trap(1, order).evaluate(np.tril(np.ones((order + 1, order), dtype=np.float32), -1), 0)
    assert steps[:-1].tolist() == [order - 1 - ones for ones in range(order)]
    assert steps[0] == order - 1


@pytest.mark.parametrize("order", range(4, 9))
def test_the_better_average_of_a_bit_is_the_wrong_one(order):
    """Deception in the sense of Goldberg: the schema that does not lead to the optimum has the higher mean."""
    genes = all_of(order)
    scores = trap(1, order).evaluate(genes, 0)
    assert scores[genes[:, 0] == 0].mean() > scores[genes[:, 0] == 1].mean()


@given(st.integers(1, 6), st.integers(2, 7), seeds)
def test_a_genome_scores_the_sum_of_its_blocks(blocks, order, seed):
    genes = trap(blocks, order).spec.sample(np.random.default_rng(seed), 5)
    parts = [trap(1, order).evaluate(genes[:, i * order : (i + 1) * order], 0) for i in range(blocks)]
    np.testing.assert_array_equal(trap(blocks, order).evaluate(genes, 0), sum(parts))


@pytest.mark.parametrize(("dimensions", "order"), [(41, 4), (3, 4), (0, 4), (100_004, 4), (40, 1), (65, 65)])
def test_a_size_without_sense_is_refused(dimensions, order):
    with pytest.raises(ConfigError, match="order"):
        TrapOptions(dimensions, order)
