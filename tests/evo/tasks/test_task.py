"""A task is identified by what it is; its options are read by the types of their defaults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import ConfigError
from atoll.evo.tasks.task import check_value, parse_options, task_identity
from tests.problems import Hill, Weather


def test_a_task_is_its_name_options_and_layout():
    here = task_identity(Hill())
    assert here == task_identity(Hill())
    assert here != task_identity(Weather())
    assert {"name", "options", "genome_sha256"} <= here.keys()


DEFAULTS = {"whole": 3, "real": 0.5, "word": "a", "truth": False}


def parse(**texts):
    return parse_options("mine", texts, DEFAULTS)


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("true", True), ("FALSE", False), ("false", False)], ids=str
)
def test_truth_is_spelt_out(text, value):
    assert parse(truth=text) == {"truth": value}


wholes = st.integers(-(2**53), 2**53)
reals = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(max_size=9).filter(str.isprintable)


@given(wholes, reals, words, st.booleans())
def test_a_value_is_read_as_the_type_of_its_default(whole, real, word, truth):
    values = {"whole": whole, "real": real, "word": word, "truth": truth}
    assert parse(**{name: str(value) for name, value in values.items()}) == values


def test_what_is_not_given_is_not_there():
    assert parse(whole="1") == {"whole": 1}


@pytest.mark.parametrize(
    ("name", "text"), [("whole", "1.5"), ("whole", ""), ("real", "x"), ("truth", "1"), ("truth", "yes"), ("truth", "")]
)
def test_a_value_of_another_type_is_refused_by_name(name, text):
    with pytest.raises(ConfigError, match=f"-o {name} must be"):
        parse(**{name: text})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("whole", 2**53 + 1), ("whole", -(2**60)), ("real", float("nan")), ("real", float("inf"))],
        *[("word", "a\nb"), ("word", "\udc80"), ("word", "x" * 1001)],
    ],
)
def test_what_no_file_of_an_island_could_hold_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"-o {name} must be"):
        check_value(name, value)
    with pytest.raises(ConfigError, match=f"-o {name} must be"):
        parse(**{name: str(value)})


def test_an_unknown_option_lists_the_known_ones_and_suggests():
    with pytest.raises(
        ConfigError, match=r"no option 'hole', did you mean 'whole'.*known are whole, real, word, truth"
    ):
        parse(hole="1")


def test_a_task_without_options_says_so():
    with pytest.raises(ConfigError, match="task mine has no option 'a'; it has none"):
        parse_options("mine", {"a": "1"}, {})
