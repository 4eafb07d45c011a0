from __future__ import annotations

import pytest

from atoll.scripts.lab.parallel.simulate import failure
from atoll.scripts.lab.parallel.simulate.chance import Chance
from atoll.scripts.lab.parallel.simulate.inputs import Inputs

USUAL = Inputs()
CHANCE = Chance(seed=0)


@pytest.mark.parametrize("inputs", [USUAL, failure.lock_alone(USUAL)], ids=["as measured", "one lock and nothing else"])
def test_nothing_is_done_after_twelve_minutes_whatever_threads_lose(inputs):
    """Three trials of 11.4 minutes that share one lock: the published zero needs no further cause."""
    assert failure.count(failure.TWELVE_MINUTES, inputs, CHANCE).high == 0


def test_two_cores_promise_more_trials_in_eight_hours_than_were_published():
    """What the table has to say openly: this fact is not predicted, so something is missing from the model."""
    assert failure.count(failure.EIGHT_HOURS, USUAL, CHANCE).low > failure.EIGHT_HOURS.finished


@pytest.mark.slow
def test_what_is_fitted_fits_and_explains_the_other_fact_too():
    fit, speedup = failure.fitted(USUAL, CHANCE)
    assert failure.count(failure.EIGHT_HOURS, fit, CHANCE).median == failure.EIGHT_HOURS.finished
    assert failure.count(failure.TWELVE_MINUTES, fit, CHANCE).high == 0
    assert speedup == pytest.approx(12 / (8 * 60 / 11.4), abs=0.1)


def test_a_limit_of_one_thread_saves_the_pool():
    """The published zero lies at the edge of what default threads give here; nobody should read more into it."""
    spinning, limited = (failure.count(each, USUAL, CHANCE) for each in (failure.SPINNING_POOL, failure.LIMITED_POOL))
    assert spinning.low == failure.SPINNING_POOL.finished
    assert spinning.median < limited.median == failure.LIMITED_POOL.finished
