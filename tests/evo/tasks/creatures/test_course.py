"""A course is a pure function of its number and the pellet's index."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.tasks.creatures import course

courses = st.integers(0, 3 * course.UNSEEN)


@given(courses, st.integers(1, 12), st.integers(1, 5))
def test_neither_the_other_courses_nor_the_number_of_pellets_matter(number, pellets, more):
    alone = course.lay(range(number, number + 1), pellets)
    among = course.lay(range(max(0, number - 2), number + 3), pellets + more)
    assert among[min(number, 2), :pellets].tobytes() == alone[0].tobytes()


@given(courses)
def test_pellets_lie_seven_to_ten_metres_apart_to_and_fro(number):
    places = np.concatenate([np.zeros((1, 2)), course.lay(range(number, number + 1), 20)[0]])
    hops = np.diff(places, axis=0)
    distance = np.linalg.norm(hops, axis=1)
    assert np.all((distance > course.NEAREST_M - 1e-4) & (distance < course.FARTHEST_M + 1e-4))
    assert np.all(np.sum(hops[1:] * hops[:-1], axis=1) < 1e-3)


def test_first_pellets_are_spread_round_the_circle():
    for start, n in ((0, 8), (0, 3), (course.UNSEEN, 40)):
        first = course.lay(range(start, start + n), 1)[:, 0]
        turns = np.sort(np.arctan2(first[:, 1], first[:, 0])) / (2 * np.pi)
        gaps = np.diff(np.append(turns, turns[0] + 1))
        assert gaps.max() < 2.7 / n


def test_unseen_courses_are_others():
    trained = course.lay(range(1000), 1)[:, 0]
    unseen = course.lay(range(course.UNSEEN, course.UNSEEN + 40), 1)[:, 0]
    assert np.abs(trained[:, None] - unseen[None]).sum(axis=-1).min() > 0


def test_the_courses_are_the_ones_that_recorded_scores_belong_to():
    """A change here is another problem: scores before and after it cannot be compared."""
    expected = [[7.952789, 0.0], [3.686315, -6.387881]]
    np.testing.assert_allclose(course.lay(range(1), 2)[0], expected, atol=1e-6)


def test_no_life_is_long_enough_to_exhaust_a_course():
    assert course.pellets_needed(0.1) == 2
    assert course.pellets_needed(30.0) == 32
