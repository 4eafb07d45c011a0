"""A class in a user's file is an algorithm; what is wrong with it is told in one line, with its place."""

import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import checkpoint
from atoll.evo.algorithms.user_algorithm import MAX_ARRAYS, UserAlgorithm, load_user_algorithm
from atoll.evo.checkpoint import Checkpoint
from atoll.evo.config import island_config
from atoll.evo.errors import ConfigError, TaskError
from atoll.evo.genome import Population
from atoll.evo.rng import streams
from tests.evo.lives import disk, fingerprint, live, live_through_kills, outcome, stopping_after
from tests.problems import MIXED
from tests.strategies import evaluated

CLIMB = """
from dataclasses import replace
import numpy as np

class Climb:
    def start(self, state, spec):
        return {"step": 0.5, "best": state.fitness.max(), "age": np.zeros(len(state.fitness), np.int64)}

    def breed(self, state, memory, spec, *, streams):
        memory["age"] += 1
        parents = state.population.take(np.full(len(state.fitness), state.fitness.argmax()))
        others = spec.sample(streams("others"), len(parents))
        is_new = streams("where").random(others.shape) < memory["step"]
        genes = np.where(is_new, others, parents.genes)
        rose = state.fitness.max() > memory["best"]
        step = memory["step"] * (1.2 if rose else 0.95)
        return replace(parents, genes=genes), {**memory, "best": state.fitness.max(), "step": min(step, 1.0)}

small = Climb()
"""
STATE = evaluated(MIXED, 9, seed=3)
RANDOM = streams(1, "a", 4)


class Fixed:
    """Remembers and returns what it was made with."""

    def __init__(self, returned, memory=None):
        self.returned, self.memory = returned, {} if memory is None else memory

    def start(self, state, spec):  # noqa: ARG002
        return self.memory

    def breed(self, state, memory, spec, *, streams):  # noqa: ARG002
        return self.returned


@pytest.fixture
def write(tmp_path):
    """Return a function that writes mine.py and says how to name something of it."""

    def written(source, name="Climb", file="mine.py"):
        (tmp_path / file).write_text(source)
        return f"{tmp_path / file}:{name}"

    return written


def own(made, **more):
    return UserAlgorithm("here.py:A", __file__, made, "0" * 64, **more)


def bred(algorithm, state=STATE, memory=None):
    return algorithm.breed(state, memory or {}, MIXED, streams=RANDOM)


def refusal_of(act):
    with pytest.raises(TaskError) as refusal:
        act()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


# Loading


@pytest.mark.parametrize("name", ["Climb", "small"])
def test_a_class_or_an_object_that_it_made_is_an_algorithm(write, name):
    algorithm = load_user_algorithm(write(CLIMB, name))
    memory = algorithm.start(STATE, MIXED)
    children, after = bred(algorithm, memory=memory)
    assert children.genes.shape == STATE.population.genes.shape
    assert MIXED.contains(children.genes)
    assert [*memory] == [*after] == ["age", "best", "step"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Clim", "no class 'Clim', did you mean 'Climb'.*it defines Climb, small"),
        ("np", "'np' is a module; name a class, or an object that has the methods start and breed"),
        ("", "--algorithm .*mine.py: name a class, as in .*mine.py:Climb; it defines Climb, small"),
    ],
)
def test_a_name_that_is_no_algorithm_lists_those_there_are(write, name, words):
    with pytest.raises(ConfigError, match=words):
        load_user_algorithm(write(CLIMB, name).removesuffix(":"))


def test_a_missing_file_is_named():
    with pytest.raises(ConfigError, match=r"--algorithm missing.py:A: cannot read missing.py: No such file"):
        load_user_algorithm("missing.py:A")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = (\n", "mine.py, line 1: SyntaxError"),
        ("class A:\n    pass\n", "mine.py: A has no method start(self, state, spec)"),
        (
            "class A:\n    def start(self, state, spec): pass\n",
            "A has no method breed(self, state, memory, spec, *, str",
        ),
        (
            "class A:\n    def start(self, state, spec): pass\n    def breed(self, state, memory): pass\n",
            "mine.py: A.breed must take (self, state, memory, spec, *, streams)",
        ),
        (
            "class A:\n    def __init__(self):\n        1 / 0\n    def breed(self): pass\n",
            "line 3, in __init__: ZeroDiv",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_one_line_with_its_place(write, source, words):
    told = refusal_of(lambda: load_user_algorithm(write(source, "A")))
    assert words in told


# What it returns


def test_what_it_raises_is_told_with_its_line_and_generation_and_who_tells_more(write):
    source = CLIMB.replace("        rose =", "        raise KeyError('no')\n        rose =")
    algorithm = load_user_algorithm(write(source))
    told = refusal_of(lambda: bred(algorithm, memory=algorithm.start(STATE, MIXED)))
    assert "mine.py, line 15, in breed: KeyError: 'no' (generation 4); 'python cli.py algorithms check" in told


PEOPLE = STATE.population
GENES = PEOPLE.genes.copy()
LONG = Population(GENES, PEOPLE.ancestry, (*PEOPLE.islands, "d"))


def with_gene(value):
    genes = GENES.copy()
    genes[2, 1] = value
    return genes


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, "must return two, as in 'return children, memory'; got None"),
        (GENES, "must return two, as in 'return children, memory'; got float32 of shape (9, 9)"),
        ((GENES, None), "must return its memory as a dict of arrays, {} for none; got None"),
        ((None, {}), "must return children [n, 9], a row of genes each; got None"),
        ((GENES[:, :8], {}), "must return children [n, 9], a row of genes each; got float32 of shape (9, 8)"),
        ((GENES.astype(complex), {}), "got complex128 of shape (9, 9)"),
        (([[1], [1, 2]], {}), "a row of genes each; ValueError"),
        ((GENES[:1], {}), "must return 2 children or more"),
        (
            (with_gene(np.nan), {}),
            "gene 1 of child 2 of 9 is nan, it may be -1 to 3; np.clip(genes, spec.low, spec.high) is",
        ),
        ((with_gene(4), {}), "gene 1 of child 2 of 9 is 4, it may be -1 to 3"),
        (
            (np.full_like(GENES, 0.5), {}),
            "gene 4 of child 0 of 9 is 0.5, it may be 0 to 1 and whole; np.clip(np.round(",
        ),
        ((LONG, {}), "must return a Population with state.population.islands, got ('a', 'b', 'c', 'd')"),
        (
            (replace(PEOPLE, ancestry=PEOPLE.ancestry[:3]), {}),
            "must return ancestry as uint16 of shape (9, 9) with numbers",
        ),
        ((replace(PEOPLE, ancestry=PEOPLE.ancestry.astype(int)), {}), "that of the parents; got int64 of shape (9, 9)"),
        ((replace(PEOPLE, ancestry=PEOPLE.ancestry + np.uint16(3)), {}), "numbers below 3"),
        ((GENES, {"a": np.zeros(3, bool)}), "'a' is bool of shape (3,)"),
        ((GENES, {"a": np.zeros((1,) * 5)}), "with at most 4 dimensions; 'a' is float64 of shape (1, 1, 1, 1, 1)"),
        ((GENES, {"a": "word"}), "may remember arrays of int64, float64, float32, uint16"),
        ((GENES, {"a": [[1], [1, 2]]}), "must remember arrays, and 'a' is none; ValueError"),
        ((GENES, {"a": np.zeros(2, ">f8")}), "'a' is >f8 of shape (2,)"),
        ((GENES, {3: GENES}), "as variables are named, in 64 letters; got 3"),
        ((GENES, {"a/b": GENES}), "got 'a/b'"),
        (
            (GENES, {f"a{i}": GENES for i in range(MAX_ARRAYS + 1)}),
            f"may remember {MAX_ARRAYS} arrays, got {MAX_ARRAYS + 1}",
        ),
    ],
)
def test_what_breed_returns_wrongly_is_refused_with_the_line_of_breed(returned, words):
    told = refusal_of(lambda: bred(own(Fixed(returned))))
    line = Fixed.breed.__code__.co_firstlineno
    assert told.startswith((f"{__file__}, line {line}: breed must ", f"{__file__}, line {line}: breed may "))
    assert words in told


def test_what_start_returns_wrongly_is_refused_too():
    assert "start must return its memory as a dict of arrays" in refusal_of(
        lambda: own(Fixed(None, memory=[1.0])).start(STATE, MIXED)
    )


def test_an_island_needs_more_children_than_it_publishes():
    assert "must return 10 children or more (--migrants and one), got 9" in refusal_of(
        lambda: bred(own(Fixed((GENES, {})), least=10))
    )


@pytest.mark.parametrize("genes", [GENES, GENES.astype(np.float64), GENES.tolist(), GENES[::-1]], ids=lambda _: "")
def test_genes_alone_are_welcome_in_any_numbers_and_count_as_the_islands_own(genes):
    children, memory = bred(own(Fixed((genes, {}))))
    np.testing.assert_array_equal(children.genes, np.asarray(genes, dtype=np.float32))
    assert children.genes.dtype == np.float32
    assert not children.ancestry.any()
    assert children.islands == PEOPLE.islands
    assert memory == {}


def test_a_population_keeps_its_ancestry():
    children, _ = bred(own(Fixed((PEOPLE, {}))))
    np.testing.assert_array_equal(children.ancestry, PEOPLE.ancestry)


def test_a_number_is_remembered_as_an_array_of_no_dimension():
    memory = own(Fixed(None, memory={"n": 3, "a": 0.5})).start(STATE, MIXED)
    assert {name: (array.dtype.str, array.shape) for name, array in memory.items()} == {
        "a": ("<f8", ()),
        "n": ("<i8", ()),
    }


def test_what_is_remembered_comes_back_from_a_checkpoint_as_it_was_handed_on():
    """In the same order too, whatever the order in which it was named."""
    memory = own(
        Fixed(None, memory={"b": GENES, "c": 1.5, "a": np.arange(3), "d": np.arange(2, dtype=np.uint16)})
    ).start(STATE, MIXED)
    kept = checkpoint.decode(checkpoint.encode(Checkpoint(replace(STATE, memory=memory), {}, ""))).state.memory
    seen = []

    class Seer(Fixed):
        def breed(self, state, memory, spec, *, streams):
            seen.append([(name, array.dtype, array.shape, array.tobytes()) for name, array in memory.items()])
            return super().breed(state, memory, spec, streams=streams)

    for each in (memory, kept):
        bred(own(Seer((GENES, {}))), memory=each)
    assert seen[0] == seen[1]


def test_what_it_does_to_its_arguments_or_later_to_what_it_returned_harms_nobody():
    class Careless(Fixed):
        def breed(self, state, memory, spec, *, streams):  # noqa: ARG002
            for array in (state.population.genes, state.population.ancestry, state.fitness, memory["a"], spec.low):
                array[:] = 0
            state.champion.individual.genes[:] = 0
            return self.returned

    kept, genes, shelf = fingerprint(STATE), GENES.copy(), np.ones(3)
    memory = {"a": np.ones(3)}
    children, after = bred(own(Careless((genes, {"a": shelf}))), memory=memory)
    assert fingerprint(STATE) == kept
    assert memory["a"].tolist() == [1, 1, 1]
    assert MIXED.low[0] == -1
    genes[:], shelf[:] = 0, 0
    np.testing.assert_array_equal(children.genes, GENES)
    assert after["a"].tolist() == [1, 1, 1]


def test_what_would_change_how_an_island_computes_or_writes_is_undone():
    class Setter(Fixed):
        def breed(self, state, memory, spec, *, streams):
            os.umask(0o777)
            np.seterr(all="raise")
            return super().breed(state, memory, spec, streams=streams)

    mask = os.umask(0o022)
    try:
        handling = np.geterr()
        bred(own(Setter((GENES, {}))))
        assert (os.umask(0o022), np.geterr()) == (0o022, handling)
    finally:
        os.umask(mask)


# Whole lives


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    place = tmp_path_factory.mktemp("mine") / "mine.py"
    place.write_text(CLIMB)
    values = {"population": 7, "generations": 13, "migrants": 2, "migrate_every": 4, "checkpoint_every": 3}
    return island_config("island-01", {**values, "algorithm": f"{place}:Climb"}, {})


@pytest.fixture(scope="module")
def straight(config):
    return live(config)


@given(st.data())
def test_killed_anywhere_and_restarted_it_is_the_same_run(config, straight, data):
    """Immigrants come, and the table of islands grows, on both sides of a kill."""
    state, on = live_through_kills(config, data)
    assert fingerprint(state) == fingerprint(straight[0])
    assert outcome(on) == outcome(straight[1])


@given(st.lists(st.integers(1, 6), max_size=5))
def test_stopped_anywhere_and_resumed_it_is_the_same_run(config, straight, stops):
    on = disk()
    for stop in stops:
        live(config, on, is_stopping=stopping_after(stop))
    state, _ = live(config, on)
    assert fingerprint(state) == fingerprint(straight[0])
    assert state.population.islands[0] == "island-01"
    assert len(state.population.islands) > 2
