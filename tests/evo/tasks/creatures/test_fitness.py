"""Fitness: finite whatever happened, better for better lives, worst for none."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.tasks.creatures.fitness import DEAD, Status, Summary, score

gaps = st.floats(-1.0, 1e4, width=32)


def life(*, collected=0.0, first=8.0, best=8.0, last=8.0, travel=0.0, status=Status.LIVED):
    numbers = {"collected": collected, "first_gap_m": first, "best_gap_m": best, "last_gap_m": last, "travel_m": travel}
    fields = {name: np.full((1, 1), value, dtype=np.float32) for name, value in numbers.items()}
    return Summary(**fields, status=np.full((1, 1), status, dtype=np.uint8))


def worth(**numbers):
    return float(score(life(**numbers))[0])


def test_doing_nothing_is_worth_nothing():
    assert worth() == 0.0


def test_a_pellet_is_worth_a_hundred_and_half_the_way_forty():
    assert worth(collected=1.0) == 100.0
    assert worth(best=4.0, last=4.0) == 40.0
    assert worth(collected=2.0, best=6.0, last=6.0) == 220.0


def test_moving_away_costs_and_travel_pays_a_little():
    assert worth(last=10.0) < worth(last=9.0) < 0.0 < worth(travel=1.0) < 1.0


@given(st.integers(0, 32), gaps, gaps, st.floats(0.0, 1e4, width=32), st.floats(0.0, 1e4, width=32))
def test_no_living_creature_scores_as_low_as_a_dead_one(collected, first, best, retreat, travel):
    best = min(first, best)
    value = worth(collected=float(collected), first=first, best=best, last=best + retreat, travel=travel)
    assert np.isfinite(value)
    assert value > DEAD
    assert collected * 100 - 50 < value < collected * 100 + 100


def test_failed_and_unviable_lives_score_dead_whatever_they_hold():
    for status in (Status.UNVIABLE, Status.FAILED):
        for number in (np.nan, np.inf, -np.inf, 1e30):
            lost = {"collected": number, "first": number, "best": number, "last": number, "travel": number}
            assert worth(status=status, **lost) == DEAD


def test_the_score_is_the_mean_over_courses_and_a_failed_one_drags_it_down():
    one, other = life(collected=1.0), life(collected=3.0)
    both = {name: np.concatenate([getattr(one, name), getattr(other, name)], axis=1) for name in vars(one)}
    assert score(Summary(**both))[0] == 200.0
    failed = replace(Summary(**both), status=np.array([[Status.LIVED, Status.FAILED]], dtype=np.uint8))
    assert score(failed)[0] == np.float32((100.0 + DEAD) / 2)
