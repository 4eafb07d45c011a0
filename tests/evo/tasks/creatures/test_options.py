"""Options are checked once, when they are made."""

import pytest

from atoll.evo.errors import ConfigError
from atoll.evo.tasks.creatures.options import CreatureOptions


def test_defaults_are_eight_courses_of_thirty_seconds():
    assert CreatureOptions() == CreatureOptions(courses=8, life_s=30.0, controller="neural")
    assert CreatureOptions().ticks == 300


@pytest.mark.parametrize("life_s", [0.1, 0.3, 0.7, 29.9, 3600.0])
def test_a_life_is_a_whole_number_of_ticks(life_s):
    assert CreatureOptions(life_s=life_s).ticks == round(life_s * 10)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"courses": 0}, "courses: expected 1 to 1000, got 0"),
        ({"courses": 1001}, "got 1001"),
        ({"life_s": 0.0}, "life_s: expected a multiple of 0.1 s"),
        ({"life_s": 0.25}, "got 0.25"),
        ({"life_s": -1.0}, "got -1.0"),
        ({"life_s": float("nan")}, "got nan"),
        ({"life_s": float("inf")}, "got inf"),
        ({"controller": "brain"}, "controller: expected one of neural, oscillator, got 'brain'"),
    ],
)
def test_a_bad_option_is_refused_with_what_was_expected(changed, message):
    with pytest.raises(ConfigError, match=message):
        CreatureOptions(**changed)
