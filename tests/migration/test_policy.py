"""Laws of who leaves and who makes room."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from migration.policy import displaced, emigrants

FITNESS = hnp.arrays(np.float32, st.integers(1, 30), elements=st.integers(-5, 5).map(float))


@given(FITNESS, st.integers(0, 30))
def test_nobody_who_stays_is_better_than_one_who_leaves(fitness, k):
    chosen = emigrants(fitness, k)
    stays = np.delete(fitness, chosen)
    assert len(set(chosen)) == len(chosen) == min(k, len(fitness))
    assert np.all(np.diff(fitness[chosen]) <= 0)
    assert not len(stays) or not len(chosen) or fitness[chosen].min() >= stays.max()


@given(FITNESS, st.integers(0, 30))
def test_nobody_who_keeps_a_place_is_worse_than_one_who_loses_it(fitness, k):
    chosen = displaced(fitness, k)
    keeps = np.delete(fitness, chosen)
    assert len(set(chosen)) == len(chosen) == min(k, len(fitness))
    assert np.all(np.diff(fitness[chosen]) >= 0)
    assert not len(keeps) or not len(chosen) or fitness[chosen].max() <= keeps.min()


@given(FITNESS, st.data())
def test_the_k_best_are_never_displaced_while_there_are_others(fitness, data):
    """With at most half the population leaving, emigrants survive their own migration, ties or not."""
    k = data.draw(st.integers(0, len(fitness) // 2))
    assert not set(emigrants(fitness, k)) & set(displaced(fitness, k))
