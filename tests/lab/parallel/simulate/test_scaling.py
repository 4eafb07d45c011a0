from __future__ import annotations

import pytest

from atoll.scripts.lab.parallel.simulate import scaling
from atoll.scripts.lab.parallel.simulate.chance import Chance
from atoll.scripts.lab.parallel.simulate.inputs import PROCESSES, THREADS, Inputs

USUAL = Inputs()
CHANCE = Chance(seed=0)
EVEN = USUAL.with_value("trial_cv", 0.0).with_value("lock_s", 0.0)


@pytest.mark.parametrize(("workers", "rounds"), [(5, 20), (20, 5), (64, 2), (128, 1)])
def test_equal_trials_take_whole_rounds(workers, rounds):
    assert scaling.point(PROCESSES, workers, EVEN, CHANCE).speedup.median == pytest.approx(100 / rounds)


def test_threads_gain_nothing_from_more_of_them():
    found = [scaling.point(THREADS, workers, USUAL, CHANCE).speedup.median for workers in (5, 128)]
    assert found[0] == pytest.approx(found[1], rel=0.01)
    assert found[0] < 1


def test_equal_seeds_give_equal_points():
    assert scaling.point(PROCESSES, 20, USUAL, CHANCE) == scaling.point(PROCESSES, 20, USUAL, CHANCE)


@pytest.mark.slow
def test_the_most_influential_input_comes_first_and_unused_ones_are_left_out():
    found = scaling.sensitivity(THREADS, 5, USUAL, CHANCE)
    assert [each.name for each in found][:2] == ["gil_inflation", "gil_cores"]
    assert [each.width for each in found] == sorted((each.width for each in found), reverse=True)
    assert not {"startup_s", "spin_inflation", "crash_p"} & {each.name for each in found}


@pytest.mark.parametrize(
    ("islands", "cv", "expected"),
    [(20, 0.1, 0.83), (20, 0.3, 0.59), (20, 0.6, 0.40), pytest.param(128, 0.3, 0.48, marks=pytest.mark.slow)],
)
def test_a_barrier_costs_what_others_computed(islands, cv, expected):
    """Mean / expected maximum, from an independent computation that the project's notes quote."""
    waiting = scaling.island_efficiency(islands, cv, CHANCE, barrier=True)
    assert waiting == pytest.approx(expected, abs=0.02)
    assert scaling.island_efficiency(islands, cv, CHANCE, barrier=False) > waiting
