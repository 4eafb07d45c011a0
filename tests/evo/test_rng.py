"""Randomness is a pure function of (seed, island, generation, purpose), the same for ever."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.rng import stream, streams

arguments = st.tuples(st.integers(0, 2**53), st.text(max_size=20), st.integers(0, 10**9), st.text("abc", max_size=9))


def draw(seed, island, generation, purpose):
    return stream(seed, island, generation, purpose).bytes(16)


@given(arguments)
def test_equal_arguments_give_equal_numbers(arguments):
    assert draw(*arguments) == draw(*arguments)


@given(arguments, arguments)
def test_any_other_argument_gives_other_numbers(a, b):
    assert (draw(*a) == draw(*b)) == (a == b)


@pytest.mark.parametrize("place", range(4))
def test_each_argument_matters(place):
    here = [1, "a", 2, "b"]
    there = [*here]
    there[place] = 12 if place in {0, 2} else "a,b"
    assert draw(*here) != draw(*there)


def test_arguments_do_not_run_into_each_other():
    assert draw(1, "a", 12, "b") != draw(1, "a1", 2, "b")
    assert draw(1, 'a",1,"b', 2, "c") != draw(1, "a", 2, 'c",1,"b')


def test_using_one_stream_leaves_the_others_alone():
    named = streams(5, "island-01", 7)
    expected = named("mutation").random(4)
    named("selection").random(1000)
    np.testing.assert_array_equal(named("mutation").random(4), expected)


def test_streams_name_the_streams_of_one_generation():
    assert streams(5, "island-01", 7)("mutation").bytes(16) == draw(5, "island-01", 7, "mutation")


def test_the_numbers_never_change():
    """Known values: a change of key or generator would silently break every resume and every replay."""
    assert stream(1, "island-01", 0, "founders").bytes(8).hex() == "94ae55dae47da323"
    assert stream(2**53, "trial-7", 150, "mutation").integers(10**9, size=3).tolist() == [
        603456515,
        635252549,
        275160624,
    ]
    assert stream(0, "é", 1, "selection").random() == 0.275441432011591


@given(arguments)
def test_a_stream_is_philox_with_the_key_that_the_arguments_hash_to(arguments):
    """Salmon et al. 2011: the key alone decides; how the generator is made may not matter."""
    seed, island, generation, purpose = arguments
    name = json.dumps([purpose, generation, island, seed], separators=(",", ":"))
    key = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], dtype="<u8")
    assert draw(*arguments) == np.random.Generator(np.random.Philox(key=key)).bytes(16)
