"""What a user's evaluation may return, and how its mistakes are told: with the file, the line and the individual."""

import asyncio
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import TaskError
from atoll.evo.genome import GenomeSpec, Segment
from atoll.evo.tasks.task import is_deterministic
from atoll.evo.tasks.user_task import OneByOne, UserTask

SPEC = GenomeSpec((Segment("x", 3, -1.0, 1.0),))
GENES = np.linspace(-1, 1, 30, dtype=np.float32).reshape(10, 3)


def user_task(evaluation, **more):
    return UserTask(
        "here.py:T",
        path=__file__,
        name="here.py:T",
        options={},
        spec=SPEC,
        evaluation=evaluation,
        source_sha256="0" * 64,
        **more,
    )


def plain(function):
    return user_task(OneByOne(function, {}))


def evaluate(evaluation, genes=GENES, episode=7):
    return user_task(evaluation).evaluate(genes, episode)


def refusal_of(task, episode=7):
    with pytest.raises(TaskError) as refusal:
        task.evaluate(GENES, episode)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


class Sayer:
    """Says whether it is deterministic."""

    def __init__(self, word):
        self.is_deterministic = word

    def evaluate(self, genes, episode):  # noqa: ARG002 - nobody asks
        return genes[:, 0]


def test_a_task_is_deterministic_if_it_takes_no_episode_or_says_so():
    assert is_deterministic(plain(lambda genome: genome.sum()))
    assert not is_deterministic(plain(lambda genome, episode: genome.sum() + episode))
    assert is_deterministic(user_task(Sayer(word=True).evaluate))
    assert not is_deterministic(user_task(Sayer(word="yes").evaluate))
    assert not is_deterministic(user_task(lambda genes, _: genes[:, 0]))


@pytest.mark.parametrize(
    "returned",
    [
        np.arange(10, dtype=np.float32),
        np.arange(10, dtype=np.float64),
        np.arange(10),
        np.arange(10, dtype=np.float16),
        list(range(10)),
        tuple(float(i) for i in range(10)),
        [np.float32(i) for i in range(10)],
        [np.array(i) for i in range(10)],
    ],
    ids=lambda returned: getattr(returned, "dtype", type(returned)).__class__.__name__,
)
def test_numbers_of_any_type_are_kept_as_float32(returned):
    fitness = evaluate(lambda genes, episode: returned)  # noqa: ARG005
    assert fitness.dtype == np.float32
    assert fitness.tolist() == list(range(10))


def test_truths_are_numbers_too():
    assert evaluate(lambda genes, episode: genes[:, 0] > 0).tolist() == [0] * 5 + [1] * 5  # noqa: ARG005


@given(st.lists(st.floats(-1e30, 1e30), min_size=10, max_size=10))
def test_a_score_is_rounded_to_the_nearest_float32(scores):
    np.testing.assert_array_equal(evaluate(lambda genes, episode: scores), np.array(scores).astype(np.float32))  # noqa: ARG005


def test_what_it_does_to_the_genes_harms_nobody():
    def careless(genes, episode):  # noqa: ARG001
        genes[:] = 0
        return genes[:, 0]

    before = GENES.copy()
    evaluate(careless)
    np.testing.assert_array_equal(GENES, before)
    backwards = GENES[::-1]
    backwards.flags.writeable = False
    evaluate(careless, backwards)


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (np.zeros((10, 1)), "got float64 of shape (10, 1)"),
        (np.zeros(9), "got float64 of shape (9,)"),
        (np.float32(3), "got np.float32(3.0)"),
        (None, "got None"),
        ([], "got []"),
        (["a"] * 10, "got ['a', 'a'"),
        (np.zeros(10, complex), "got complex128 of shape (10,)"),
        ([[1], [1, 2]] * 5, "ValueError"),
    ],
    ids=str,
)
def test_anything_but_a_number_per_genome_is_refused_with_the_line_of_evaluate(returned, got):
    def mine(genes, episode):  # noqa: ARG001
        return returned

    text = refusal_of(user_task(mine))
    assert f"{__file__}, line {mine.__code__.co_firstlineno}: mine must return 10 numbers, one per genome" in text
    assert got in text


def test_a_function_must_return_one_number():
    def mine(genome):
        return None if genome[0] > 0 else 1.0

    assert f"line {mine.__code__.co_firstlineno}: mine must return a number, got None" in refusal_of(plain(mine))
    assert "must return a number, got float32 of shape (3,)" in refusal_of(plain(lambda genome: genome))


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"), (1e39, "1e+39")])
def test_what_is_not_finite_is_refused_with_generation_and_individual(value, shown):
    def mine(genes, episode):  # noqa: ARG001
        scores = genes[:, 0].astype(np.float64)
        scores[[3, 8]] = value
        return scores

    text = refusal_of(user_task(mine))
    assert f"got {shown} (generation 7, genome 3 of 10; 2 in all); score a failure with a low number" in text
    assert f"{__file__}, line {mine.__code__.co_firstlineno}: mine" in text


@pytest.mark.parametrize("bad", range(10))
@pytest.mark.parametrize("is_plain", [True, False])
def test_an_exception_is_told_with_its_line_generation_and_individual(bad, is_plain):
    def of_one(genome):
        return 1.0 / (genome[0] != GENES[bad, 0]).item()

    def of_all(genes, episode):  # noqa: ARG001
        return [of_one(genome) for genome in genes]

    text = refusal_of(plain(of_one) if is_plain else user_task(of_all))
    line = of_one.__code__.co_firstlineno + 1
    expected = f"{__file__}, line {line}, in of_one: ZeroDivisionError: float division by zero (generation 7, genome"
    assert text.startswith(f"{expected} {bad} of 10)")
    assert text.endswith("'python cli.py tasks check here.py:T' shows the traceback")


def test_of_several_that_fail_one_that_fails_alone_is_named():
    def mine(genes, episode):  # noqa: ARG001
        if (genes[:, 0] > 0).any():
            raise ValueError("too large")
        return genes[:, 0]

    named = re.search(r"genome (\d+) of 10", refusal_of(user_task(mine)))
    assert named
    assert GENES[int(named[1]), 0] > 0


def test_what_fails_only_together_is_told_so():
    def mine(genes, episode):  # noqa: ARG001
        if len(genes) > 4:
            raise MemoryError("too many")
        return genes[:, 0]

    assert "MemoryError: too many (generation 7, all 10 together, but none of them alone)" in refusal_of(
        user_task(mine)
    )


def test_naming_the_individual_costs_no_more_than_another_evaluation():
    shown = []

    def mine(genes, episode):  # noqa: ARG001
        shown.append(len(genes))
        raise ValueError

    refusal_of(user_task(mine))
    assert sum(shown) <= 10 + 10 + 2


def test_an_evaluation_that_ends_the_process_does_not():
    def mine(genome):  # noqa: ARG001
        raise SystemExit(0)

    assert "it ends the process (SystemExit: 0)" in refusal_of(plain(mine))


def test_only_the_user_may_interrupt():
    def mine(genome):  # noqa: ARG001
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plain(mine).evaluate(GENES, 0)


def test_whatever_an_evaluation_raises_is_a_mistake_of_the_task():
    """Asyncio's CancelledError for example is no Exception."""

    def mine(genome):  # noqa: ARG001
        raise asyncio.CancelledError

    assert "CancelledError (generation 7, genome 0 of 10)" in refusal_of(plain(mine))


def test_who_is_told_to_stop_does_not_look_for_the_individual_that_failed():
    """The signal has also ended the programs that the evaluation waits for."""
    shown = []

    def mine(genes, episode):  # noqa: ARG001
        shown.append(len(genes))
        raise ValueError

    assert "(generation 7, one of 10)" in refusal_of(user_task(mine, is_stopping=lambda: True))
    assert shown == [10]
