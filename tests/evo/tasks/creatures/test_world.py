"""A course is a pure function of its number and the pellet's index."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.tasks.creatures.world import FIRST_UNSEEN, MAX_LEG_M, MIN_LEG_M, lay_courses, pellets_needed

courses = st.integers(0, 3 * FIRST_UNSEEN)


@given(courses, st.integers(1, 12), st.integers(1, 5))
def test_neither_the_other_courses_nor_the_number_of_pellets_matter(number, pellets, more):
    alone = lay_courses(range(number, number + 1), pellets)
    among = lay_courses(range(max(0, number - 2), number + 3), pellets + more)
    assert among[min(number, 2), :pellets].tobytes() == alone[0].tobytes()


@given(courses)
def test_pellets_lie_seven_to_ten_metres_apart_to_and_fro(number):
    places = np.concatenate([np.zeros((1, 2)), lay_courses(range(number, number + 1), 20)[0]])
    hops = np.diff(places, axis=0)
    distance = np.linalg.norm(hops, axis=1)
    assert np.all((distance > MIN_LEG_M - 1e-4) & (distance < MAX_LEG_M + 1e-4))
    assert np.all(np.sum(hops[1:] * hops[:-1], axis=1) < 1e-3)


def test_first_pellets_are_spread_round_the_circle():
    for start, n in ((0, 8), (0, 3), (FIRST_UNSEEN, 40)):
        first = lay_courses(range(start, start + n), 1)[:, 0]
        turns = np.sort(np.arctan2(first[:, 1], first[:, 0])) / (2 * np.pi)
        gaps = np.diff(np.append(turns, turns[0] + 1))
        assert gaps.max() < 2.7 / n


def test_unseen_courses_are_others():
    trained = lay_courses(range(1000), 1)[:, 0]
    unseen = lay_courses(range(FIRST_UNSEEN, FIRST_UNSEEN + 40), 1)[:, 0]
    assert np.abs(trained[:, None] - unseen[None]).sum(axis=-1).min() > 0


def test_the_courses_are_the_ones_that_recorded_scores_belong_to():
    """A change here is another problem: scores before and after it cannot be compared."""
    expected = [[7.952789, 0.0], [3.686315, -6.387881]]
    np.testing.assert_allclose(lay_courses(range(1), 2)[0], expected, atol=1e-6)


def test_no_life_is_long_enough_to_exhaust_a_course():
    assert pellets_needed(0.1) == 2
    assert pellets_needed(30.0) == 32
