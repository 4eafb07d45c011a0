"""The laboratory's settings of before are those that an island without a record of them has; its F_ST is the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.config import all_settings, former_settings
from atoll.evo.diversity import fixation_index
from atoll.evo.rng import stream
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.kit.former import BEFORE, former_config, former_fixation_index

SPEC = load_task("rastrigin", {"dimensions": "5"}).spec


def test_the_settings_of_before_are_those_that_were_changed():
    changed = {
        name: field.metadata["changed_from"]
        for name, field in all_settings().items()
        if field.metadata["changed_from"] is not None
    }
    assert changed.items() <= BEFORE.items()
    was_open = {name for name, field in all_settings().items() if field.metadata["is_open"]}
    assert was_open <= BEFORE.keys()


def test_an_island_of_before_records_nothing_that_could_not_be_set_then():
    recorded = former_config("a", {}, {}).settings()
    assert not recorded.keys() & former_settings().keys() - {"mutation_rate", "duplicates"}
    assert former_config("a", {"population": 20}, {}).population == 20


@given(st.lists(st.integers(2, 6), min_size=1, max_size=4), st.integers(0, 99))
def test_the_f_st_of_before_is_that_of_now_to_rounding(sizes, seed):
    groups = [SPEC.sample(stream(seed, f"island-{i}", 0, "f_st"), n) for i, n in enumerate(sizes)]
    groups[0] = np.repeat(groups[0][:1], len(groups[0]), axis=0)
    now, then = fixation_index(groups, SPEC), former_fixation_index(groups, SPEC)
    assert then == (now if now is None else pytest.approx(now, abs=1e-12))
