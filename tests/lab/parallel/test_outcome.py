from __future__ import annotations

import pytest

from atoll.scripts.lab.parallel.records import TrialStart
from atoll.scripts.lab.parallel.rows import DEADLINE, FAILED, FINISHED, Ending, most_at_once, outcome_of
from tests.lab.parallel.made_rows import trial

STARTS = [TrialStart(index, 1.0 + index, 100 + index) for index in range(4)]
APART = [trial(index, index, index + 1) for index in range(4)]
TOGETHER = [trial(index, 0, 10) for index in range(4)]


def judged(ending, trials, starts=STARTS, workers=2):
    return outcome_of(ending, n_trials=4, workers=workers, trials=trials, starts=starts)


def test_four_results_are_all_there_is_to_say():
    assert judged(Ending(0), TOGETHER) == (FINISHED, None)


def test_trials_that_ran_one_at_a_time_are_told_unless_one_worker_was_asked_for():
    assert judged(Ending(0), APART) == (FINISHED, "trials ran one at a time, with 2 workers")
    assert judged(Ending(0), APART, workers=1) == (FINISHED, None)


def test_a_trial_that_raised_is_no_result():
    outcome, reason = judged(Ending(0), [*TOGETHER[:3], trial(3, 0, 1, error="E: no", fitness=(), result_hash="")])
    assert (outcome, reason) == (FAILED, "trial 3 raised E: no")


def test_a_driver_that_dies_is_told_with_what_it_left():
    assert judged(Ending(-9), TOGETHER[:3])[1] == (
        "the driver was killed by signal 9; trial 3 began in process 103 and never ended"
    )
    assert judged(Ending(1, error="BackendError: x"), TOGETHER) == (FAILED, "BackendError: x")
    assert judged(Ending(3), TOGETHER) == (FAILED, "the driver exited with 3")


def test_at_the_deadline_a_hung_trial_a_lost_one_and_one_that_never_began_are_told_apart():
    ending = Ending(None, waited_s=12.0, living=frozenset({101}))
    outcome, reason = judged(ending, TOGETHER[:1], STARTS[:3])
    assert outcome == DEADLINE
    assert reason.split("; ") == [
        "ended after 12.0 s with 1 of 4 trials done",
        "trial 1 began in process 101 and never ended",
        "trial 2 was lost with process 102, for which the backend waited",
        "trial 3 never began",
    ]


def test_a_second_try_is_told_and_is_no_sequential_run():
    starts = [*STARTS, TrialStart(1, 9.0, 200)]
    assert judged(Ending(0), APART, starts) == (FINISHED, "trial 1 was begun 2 times")


@pytest.mark.parametrize(("trials", "most"), [([], 0), (APART, 1), (TOGETHER, 4), (APART[:2] + TOGETHER[:1], 2)])
def test_the_most_at_once_counts_trials_that_touch_as_one_after_the_other(trials, most):
    assert most_at_once(trials) == most
