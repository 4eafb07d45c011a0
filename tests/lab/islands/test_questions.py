"""Each question fails where what it asks for is taken away, and it alone."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.lab.islands import questions
from atoll.scripts.lab.islands.questions import Posted


def test_waiting_and_lockstep_are_not_independent() -> None:
    waiting = Posted("a", (10,), (10,), 1, Counter(b=2), 1, waits=3)
    found = questions.independence([], [], [waiting])[-1]
    assert not found.is_met
    assert found.found.startswith("3 times")


def test_who_takes_nothing_or_its_own_does_not_migrate() -> None:
    taking = Posted("a", (10,), (10,), 1, Counter(b=2), 1, 0)
    nothing = Posted("b", (10,), (10,), 1, Counter(), 0, 0)
    own = Posted("b", (10,), (10,), 1, Counter(b=2), 1, 0)
    assert [answer.is_met for answer in questions.exchange([taking])] == [True, True, True]
    assert [answer.is_met for answer in questions.exchange([taking, nothing])] == [True, False, True]
    assert [answer.is_met for answer in questions.exchange([taking, own])] == [True, True, False]
    assert not any(answer.is_met for answer in questions.exchange([])), "nothing is not everything"


DIVERSE_ENOUGH = {"origins": 3.0, "largest": ("a", 0.4), "f_st": 0.3, "kept": [0.2, 0.4]}


@pytest.mark.parametrize(
    ("poor", "question"),
    [
        ({"origins": 1.99}, "effective number of ancestors"),
        ({"origins": None}, "effective number of ancestors"),
        ({"largest": ("a", 0.81)}, "largest share of one island's founders"),
        ({"f_st": 0.049}, "F_ST between islands"),
        ({"f_st": None}, "F_ST between islands"),
        ({"kept": [0.0, 0.19]}, "diversity within, of the founders'"),
        ({"kept": []}, "diversity within, of the founders'"),
    ],
)
def test_what_is_not_diverse_in_one_respect_fails_in_this_alone(poor: dict[str, object], question: str) -> None:
    assert all(answer.is_met for answer in questions.diversity(**DIVERSE_ENOUGH))  # type: ignore[arg-type]
    found = questions.diversity(**{**DIVERSE_ENOUGH, **poor})  # type: ignore[arg-type]
    assert [answer.question for answer in found if not answer.is_met] == [question]


SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted), max_size=8)


@given(SPANS)
def test_how_many_live_at_once_is_the_most_that_any_moment_has(spans: list[list[int]]) -> None:
    most = max((sum(began <= moment <= ended for began, ended in spans) for moment in range(21)), default=0)
    assert questions.most_at_once([(began, ended) for began, ended in spans]) == most
    assert questions.most_at_once([*((began, ended) for began, ended in spans), (None, 3.0)]) == most
