from __future__ import annotations

import math

import numpy as np
import pytest

from atoll.scripts.lab.parallel.simulate.inputs import ARMS, BREAKING, CHUNKS, PROCESSES, SPINNING, THREADS, Inputs


def test_every_input_lies_in_its_range_and_says_where_it_comes_from():
    for name, each in Inputs().items():
        assert each.low <= each.value <= each.high, name
        assert each.source
        assert each.meaning


def test_both_ends_of_every_range_can_be_simulated():
    for name, each in Inputs().items():
        for value in (each.low, each.high):
            changed = Inputs().with_value(name, value)
            assert [changed.way(arm, 5) for arm in (*ARMS, BREAKING)]
            assert changed.machine().cores == 128
            assert len(changed.trials(np.random.default_rng(0))) == changed.n_trials.value


def test_threads_share_one_lock_and_processes_do_not():
    inputs = Inputs()
    assert inputs.way(THREADS, 5).cap_cores == inputs.gil_cores.value
    assert inputs.way(PROCESSES, 5).cap_cores == math.inf
    assert inputs.way(SPINNING, 5).cores_per_trial == 64
    assert inputs.way(BREAKING, 5).on_crash == "break"


def test_chunks_are_those_of_pool_map():
    """CPython's Pool divides the trials by four times the workers, and rounds up."""
    assert [Inputs().way(CHUNKS, workers).chunk for workers in (5, 20, 64)] == [5, 2, 1]


def test_an_unknown_way_is_an_error():
    with pytest.raises(KeyError):
        Inputs().way("magic", 5)
