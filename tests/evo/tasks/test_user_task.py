"""What a user's evaluation may return, and how its mistakes are told: with the file, the line and the individual."""

import asyncio
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import TaskError
from atoll.evo.genome import GenomeSpec, Segment
from atoll.evo.tasks.task import is_deterministic
from atoll.evo.tasks.user_task import (
    OneByOne,
    UserTask,
    check_hint,
    describe_error,
    place_of,
    task_errors,
    traceback_from,
)

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


def run(source, path="mine.py"):
    """Run a user's source as its file would be, and return what it raised."""
    try:
        exec(compile(source, path, "exec"), {})  # noqa: S102
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def test_the_place_is_the_last_line_of_the_users_file_that_the_error_passed():
    error = run("import json\n\ndef inner():\n    json.loads('{')\n\ninner()\n")
    assert place_of(error, "mine.py") == "mine.py, line 4, in inner"


def test_a_mistake_of_spelling_is_placed_too():
    assert place_of(run("x = 1\ny = (\n"), "mine.py") == "mine.py, line 2"


def test_an_error_that_never_passed_the_file_has_no_line():
    assert place_of(run("1 / 0", "other.py"), "mine.py") == "mine.py"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (KeyError("k"), "KeyError: 'k'"),
        (AssertionError(), "AssertionError"),
        (SystemExit(3), "it ends the process (SystemExit: 3)"),
        (ModuleNotFoundError("No module named 'x'"), "(install it into the environment of this program)"),
        (ValueError("x" * 5000), "..."),
    ],
    ids=str,
)
def test_an_error_is_told_in_one_short_line(error, text):
    assert text in describe_error(error)
    assert "\n" not in describe_error(error)
    assert len(describe_error(error)) < 500


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError("z"), OSError(28, "full"), SystemExit(1), StopIteration()], ids=repr
)
def test_whatever_is_raised_becomes_a_task_error(raised):
    with pytest.raises(TaskError, match=r"mine\.py") as refusal, task_errors("mine.py", "mine.py:f"):
        raise raised
    assert refusal.value.__cause__ is raised
    assert str(refusal.value).endswith(check_hint("mine.py:f"))


def test_what_is_said_of_a_file_gets_its_name():
    with pytest.raises(TaskError, match=r"^mine.py: bounds are missing$"), task_errors("mine.py", "mine.py:f"):
        raise TaskError("bounds are missing")


def test_what_a_file_raises_is_no_interruption_unless_the_user_makes_it():
    with pytest.raises(KeyboardInterrupt), task_errors("mine.py", "mine.py:f"):
        raise KeyboardInterrupt


def test_the_traceback_begins_with_the_users_own_line(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import json\n\ndef f():\n    return json.loads('{')\n\nf()\n")
    error = TaskError("told")
    error.__cause__ = run(path.read_text(), str(path))
    lines = traceback_from(error, str(path)).splitlines()
    assert lines[0].startswith("Traceback")
    assert f'File "{path}", line 6' in lines[1]
    assert "return json.loads" in "\n".join(lines)
    assert "exec(" not in "\n".join(lines)
    assert lines[-1].startswith("json.decoder.JSONDecodeError")


def test_an_error_of_ours_has_no_traceback():
    assert traceback_from(TaskError("bounds are missing"), "mine.py") == ""


@pytest.mark.parametrize(
    "source", ["from atoll.mine import helper", "import atoll.mine", "import atoll; atoll.helper()"]
)
def test_what_our_package_hides_is_said_to_be_hidden(source):
    with pytest.raises(TaskError) as told, task_errors("mine.py", "mine.py:T"):
        exec(source, {})  # noqa: S102
    assert "(atoll is Atoll's own package here; rename yours, or import it under another name)" in str(told.value)
    assert "install it" not in str(told.value)


@pytest.mark.parametrize("name", ["evo", "migration", "scripts"])
def test_who_imports_a_part_of_ours_by_its_former_name_is_told_its_name(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TaskError) as told, task_errors("mine.py", "mine.py:T"):
        exec(f"from {name}.genome import GenomeSpec", {})  # noqa: S102
    assert f"(if Atoll's own is meant, it is imported as atoll.{name})" in str(told.value)


@pytest.mark.parametrize(
    "source", ["from atoll.evo.genome import Segmnet", "import nowhere_at_all", "from json import nothing"]
)
def test_what_is_missing_elsewhere_is_not_said_to_be_ours(source):
    with pytest.raises(TaskError) as told, task_errors("mine.py", "mine.py:T"):
        exec(source, {})  # noqa: S102
    assert "Atoll's own" not in str(told.value)
