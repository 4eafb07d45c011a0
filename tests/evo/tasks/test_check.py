"""Findings come in one order, go on after a failure, and stop where there is nothing to look at."""

import numpy as np
import pytest

from atoll.evo.errors import TaskError
from atoll.evo.tasks.check import MEANT_FOR_THE_DETERMINISTIC, broken_by, check_task, loaded
from atoll.evo.tasks.contract import BROKEN, NOTE, OK
from atoll.evo.tasks.mistakes import more
from tests.problems import Hill

ALL = ["layout", "answer", "corners", "again", "neighbours", "another process", "input", "episode", "variety", "speed"]


class Forgetful(Hill):
    def score(self, total, episode):  # noqa: ARG002
        return total + len(self.asked)


class Broken(Hill):
    def evaluate(self, genes, episode):  # noqa: ARG002
        raise TaskError("no")


def checked(task):
    def elsewhere(n, episode):
        return task.evaluate(task.spec.sample(np.random.default_rng(20), n), episode)

    return {finding.check: finding for finding in check_task(task, "hill", elsewhere=elsewhere)}


def test_a_sound_task_has_nothing_but_good_findings():
    found = checked(Hill())
    assert list(found) == ALL
    assert {finding.outcome for finding in found.values()} == {OK}


def test_a_task_that_cannot_answer_is_asked_no_more():
    found = checked(Broken())
    assert list(found) == ["layout", "answer"]
    assert found["answer"].outcome == BROKEN
    assert found["answer"].says == "no"


def test_of_a_task_that_scores_at_random_nothing_is_told_that_follows_from_it():
    found = checked(Forgetful())
    assert found["again"].outcome == BROKEN
    assert [name for name in ALL if name not in MEANT_FOR_THE_DETERMINISTIC] == list(found)


def test_a_check_that_fails_does_not_end_the_others():
    def elsewhere(n, episode):
        raise TaskError(f"asked for {n} at {episode}")

    found = {finding.check: finding for finding in check_task(Hill(), "hill", elsewhere=elsewhere)}
    assert list(found) == ALL
    assert found["another process"].says == "asked for 8 at 3"


def test_a_failure_is_told_without_the_advice_to_check_what_is_being_checked():
    error = TaskError(f"mine.py, line 3: wrong{more('mine.py:T')}")
    assert broken_by(error, "answer", "mine.py:T").says == "mine.py, line 3: wrong"


@pytest.mark.parametrize(
    ("seconds", "came", "outcome", "words"),
    [
        (0.1, {"json"}, OK, "no large library"),
        (2.0, {"json"}, NOTE, "2 s at each start"),
        (0.1, {"torch", "pandas"}, NOTE, "with torch, pandas"),
    ],
)
def test_loading_is_told_with_the_large_libraries_that_came_with_it(seconds, came, outcome, words):
    finding = loaded(seconds, {"scipy"}, {"scipy", *came})
    assert finding.outcome == outcome
    assert words in finding.says
