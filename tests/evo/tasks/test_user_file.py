"""A class or a function in a user's file is a task; what is wrong with it is told in one line, with its place."""

import gc
import hashlib
import os
import re
import sys
import weakref

import numpy as np
import pytest

from atoll.evo.errors import ConfigError, TaskError
from atoll.evo.genome import Kind
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import task_identity
from tests.contracts import broken_promises

POINTS = """
import numpy as np

class Points:
    bounds = [(0.0, 1.0)] * 6

    def evaluate(self, genes, episode):
        places = genes.reshape(len(genes), -1, 2)
        gaps = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1)
        return (gaps + 2 * np.eye(gaps.shape[1])).min(axis=(1, 2))
"""
VALLEY = """
bounds = [(-5.0, 5.0)] * 4

def valley(x, steep=1.0):
    return -steep * sum(x * x)
"""
STEEP = """
class Steep:
    def __init__(self, steep=1.0, word="a", n=3, on=False):
        self.bounds = [(0, 1)] * n
        self.steep = steep

    def evaluate(self, genes, episode):
        return self.steep * genes.sum(axis=1)
"""
DATA = """
from __future__ import annotations
from dataclasses import dataclass

bounds = [(0, 1)] * 3

@dataclass
class Data:
    steep: float = 1.0

    def evaluate(self, genes, episode):
        return self.steep * genes.sum(axis=1)
"""
TEN_LINES = 10


@pytest.fixture
def write(tmp_path):
    """Return a function that writes mine.py and says how to name something of it."""

    def written(source, name="T", file="mine.py"):
        (tmp_path / file).write_text(source)
        return f"{tmp_path / file}:{name}"

    return written


def load(task, **options):
    return load_task(task, {name: str(value) for name, value in options.items()})


@pytest.mark.parametrize(("source", "name"), [(POINTS, "Points"), (VALLEY, "valley")], ids=["class", "function"])
def test_ten_lines_make_a_task_that_keeps_the_contract(write, source, name):
    assert len(source.strip().splitlines()) <= TEN_LINES
    assert broken_promises(load(write(source, name))) == []


def test_a_function_is_called_with_each_genome(write):
    task = load(write(VALLEY, "valley"))
    genes = task.spec.sample(np.random.default_rng(1), 5)
    np.testing.assert_allclose(task.evaluate(genes, 0), -(genes**2).sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize(("source", "name"), [(VALLEY, "valley"), (STEEP, "Steep"), (DATA, "Data")])
def test_keyword_arguments_are_options_of_the_type_of_their_defaults(write, source, name):
    task = write(source, name)
    one, two = load(task), load(task, steep=2)
    assert one.options["steep"] == 1.0
    assert two.options["steep"] == 2.0
    genes = one.spec.sample(np.random.default_rng(1), 5)
    np.testing.assert_array_equal(two.evaluate(genes, 0), 2 * one.evaluate(genes, 0))
    with pytest.raises(ConfigError, match=r"no option 'steap', did you mean 'steep'"):
        load(task, steap=2)
    with pytest.raises(ConfigError, match="-o steep must be of type float, got 'x'"):
        load(task, steep="x")


def test_an_option_may_decide_the_size(write):
    task = write(
        "class T:\n    def __init__(self, n=3):\n        self.bounds = [(0, 1)] * n\n"
        "    def evaluate(self, genes, episode): return genes.sum(1)\n"
    )
    assert (load(task).spec.size, load(task, n=7).spec.size) == (3, 7)


def test_a_function_that_asks_for_the_episode_is_told_it(write):
    task = load(write("bounds = [(0, 1)] * 2\ndef T(x, episode): return episode"))
    assert task.evaluate(np.zeros((3, 2), np.float32), 5).tolist() == [5, 5, 5]
    assert task.options == {}


def test_bounds_become_segments_of_equal_ones(write):
    spec = load(write("bounds = [(0, 1), (0, 1), (-2, 2.5), (0, 1)]\ndef T(x): return 1.0")).spec
    assert [(s.name, s.size, s.low, s.high) for s in spec.segments] == [
        ("x0", 2, 0.0, 1.0),
        ("x2", 1, -2.0, 2.5),
        ("x3", 1, 0.0, 1.0),
    ]


def test_a_spec_says_more_than_bounds(write):
    source = (
        "from atoll.evo.genome import GenomeSpec, Kind, Segment\n"
        "spec = GenomeSpec((Segment('on', 4, kind=Kind.GATE), Segment('n', 2, 0, 9, Kind.INTEGER)))\n"
        "def T(x): return sum(x)\n"
    )
    assert [s.kind for s in load(write(source)).spec.segments] == [Kind.GATE, Kind.INTEGER]


def test_what_a_class_says_goes_before_what_stands_beside_it(write):
    source = "bounds = [(0, 1)] * 9\nclass T:\n    bounds = [(0, 1)]\n    def evaluate(self, g, e): return g[:, 0]\n"
    assert load(write(source)).spec.size == 1


def test_what_lies_beside_the_file_can_be_imported_and_hides_no_library(write, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    write("HEIGHT = 3.0\n", file="my_hill_of_this_test.py")
    write("raise RuntimeError('not the one of the standard library')\n", file="wave.py")
    source = "from my_hill_of_this_test import HEIGHT\nimport wave\nbounds = [(0, 1)]\ndef T(x): return HEIGHT\n"
    assert load(write(source)).evaluate(np.zeros((1, 1), np.float32), 0) == [3.0]


def test_no_compilation_is_left_and_an_edit_within_the_same_second_counts(write, tmp_path):
    task = write(VALLEY, "valley")
    before = load(task)
    stamp = (tmp_path / "mine.py").stat()
    write(VALLEY.replace("-steep", "+steep"), "valley")
    os.utime(tmp_path / "mine.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    genes = before.spec.sample(np.random.default_rng(1), 3)
    np.testing.assert_array_equal(load(task).evaluate(genes, 0), -before.evaluate(genes, 0))
    assert not (tmp_path / "__pycache__").exists()


def test_the_identity_is_the_same_wherever_the_file_lies_and_says_which_source_it_is(write, tmp_path, monkeypatch):
    task = write(VALLEY, "valley")
    identity = task_identity(load(task))
    assert identity["name"] == "mine.py:valley"
    assert identity["source_sha256"] == hashlib.sha256(VALLEY.encode()).hexdigest()
    monkeypatch.chdir(tmp_path)
    assert task_identity(load("mine.py:valley")) == identity
    other = task_identity(load(write(VALLEY + "\n# a word\n", "valley")))
    assert {name for name in identity if identity[name] != other[name]} == {"source_sha256"}


def test_the_source_is_named_where_a_start_says_what_computes(write):
    task = load(write(VALLEY, "valley"))
    assert task.backend == "python"
    assert task.build == f"source {task.source_sha256[:12]}"
    with pytest.raises(ConfigError, match="'cobol'; known are auto, python"):
        load_task(write(VALLEY, "valley"), {}, backend="cobol")


@pytest.mark.parametrize("name", ["missing.py:T", "missing.py", ".py:T", "\0.py:T"])
def test_a_missing_file_is_named(name):
    with pytest.raises(ConfigError, match=r"cannot read .*\.py: .*; it takes path/to/file.py:NAME"):
        load(name)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "x.py").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        load(f"{tmp_path}/x.py:T")


@pytest.mark.parametrize("name", ["vally", "bounds", "", "no.such"])
def test_a_name_that_is_no_class_or_function_lists_those_there_are(write, name):
    with pytest.raises(ConfigError, match="it defines valley"):
        load(write(VALLEY, name))


def test_a_near_miss_is_suggested(write):
    with pytest.raises(ConfigError, match="did you mean 'valley'"):
        load(write(VALLEY, "vally"))


WORKS = "    def evaluate(self, genes, episode): return genes.sum(axis=1)\n"
BOUNDED = f"class T:\n    bounds = [(0, 1)] * 2\n{WORKS}"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = (\n", "mine.py, line 1: SyntaxError: '(' was never closed"),
        ("a = 1\nraise ValueError('no')\n", "mine.py, line 2, in <module>: ValueError: no"),
        ("import no_such_module\n", "line 1, in <module>: ModuleNotFoundError: No module named 'no_such_module'"),
        ("bounds = [(0, 1)]\ndef T(x: Nobody): return 1\n", "line 2, in <module>: NameError: name 'Nobody'"),
        ("import sys\nsys.exit()\n", "line 2, in <module>: it ends the process"),
        (
            "from atoll.evo.genome import Segment\n\ns = Segment('x', 3, 2, 1)\n",
            "line 3, in <module>: ConfigError: segment",
        ),
        (f"class T:\n    def __init__(self):\n        self.a = self.b\n{WORKS}", "line 3, in __init__: AttributeError"),
        (f"class T:\n    @property\n    def spec(self):\n        return self.b\n{WORKS}", "line 4, in spec: Attrib"),
        (f"class T:\n    def __init__(self, n): pass\n{WORKS}", "mine.py: T needs a default for its argument 'n'"),
        (f"class T:\n    spec = 3\n{WORKS}", "mine.py: spec must be a GenomeSpec (from atoll.evo.genome), got int"),
        (f"class T:\n    bounds = 3\n{WORKS}", "mine.py: bounds must be a list with a pair (low, high) for each gene"),
        (f"class T:\n    bounds = [(1, 2, 3)]\n{WORKS}", "bounds must be a list with a pair"),
        (f"class T:\n    bounds = [(2, 1)]\n{WORKS}", "low < high as float32, got 2.0, 1.0"),
        (f"class T:\n    bounds = []\n{WORKS}", "one or more segments"),
        (f"class T:\n    bounds = [(0, 1 + i) for i in range(5000)]\n{WORKS}", "may have 4096 stretches"),
        (f"class T:\n    pass\n{WORKS}", "mine.py: T does not say what a genome is; write bounds = [(low, high), ...]"),
        ("class T:\n    bounds = [(0, 1)]\n", "mine.py: class T has no method evaluate(self, genes, episode)"),
        (
            "class T:\n    bounds = [(0, 1)]\n    def evaluate(self, g): pass\n",
            "T.evaluate must take (self, genes, epi",
        ),
        ("bounds = [(0, 1)]\ndef T(): return 1\n", "T must take the genes of one genome, it takes nothing"),
        ("bounds = [(0, 1)]\ndef T(x, y): return 1\n", "T needs a default for its argument 'y'"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_one_line_with_its_place(write, source, words):
    with pytest.raises(TaskError) as refusal:
        load(write(source))
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("default", ["float('nan')", "'a\\nb'", "2**60"])
def test_a_default_that_no_file_of_an_island_could_hold_is_refused(write, default):
    with pytest.raises(ConfigError, match="-o n must be"):
        load(write(f"bounds = [(0, 1)]\ndef T(x, n={default}): return 1\n"))


def test_a_default_of_another_type_is_no_option(write):
    task = load(write("bounds = [(0, 1)]\ndef T(x, table=(1, 2), *more, **named): return sum(table)\n"))
    assert task.options == {}
    assert task.evaluate(np.zeros((1, 1), np.float32), 0) == [3.0]


def test_a_name_that_no_file_of_an_island_could_hold_is_refused(write):
    with pytest.raises(ConfigError, match="printable characters"):
        load(write(VALLEY, "valley", file="a\tb.py"))


# Objects


OBJECTS = """
import functools, math
import numpy as np

bounds = [(0.0, 1.0)] * 3

class Problem:
    def __init__(self, steep=5.0):
        self.bounds = [(0.0, 1.0)] * 4

    def evaluate(self, genes, episode):
        return genes.sum(axis=1)

class Scorer:
    def __call__(self, x, steep=1.0):
        return steep * x.sum()

class Jitted:
    def __init__(self, function):
        functools.update_wrapper(self, function)

    def __call__(self, *args, **kwargs):
        return self.__wrapped__(*args, **kwargs)

def steep(x, episode, steep=1.0, shift=0.0):
    return steep * x.sum() + shift + episode

problem = Problem()
scorer = Scorer()
jitted = Jitted(steep)
shifted = functools.partial(steep, shift=2.0)
summed = np.vectorize(lambda x: x.sum(), signature="(n)->()")
compiled = math.fsum
weights = [1.0, 2.0]
"""


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("problem", {}, 4.0),
        ("scorer", {"steep": 1.0}, 3.0),
        ("jitted", {"steep": 1.0, "shift": 0.0}, 10.0),
        ("shifted", {"steep": 1.0, "shift": 2.0}, 12.0),
        ("summed", {}, 3.0),
        ("compiled", {}, 3.0),
    ],
)
def test_an_object_that_evaluates_is_a_task_and_one_that_can_be_called_is_a_function(write, name, options, expected):
    task = load(write(OBJECTS, name))
    assert task.options == options
    assert task.evaluate(np.ones((2, task.spec.size), np.float32), 7).tolist() == [expected] * 2


def test_the_defaults_of_a_partial_function_are_its_own_and_may_be_changed(write):
    assert load(write(OBJECTS, "shifted"), shift=5).evaluate(np.ones((1, 3), np.float32), 0) == [8.0]


@pytest.mark.parametrize("name", ["weights", "math", "wights", "steap", "none", ""])
def test_what_is_refused_is_never_listed_or_suggested(write, name):
    with pytest.raises(ConfigError) as refused:
        load(write(OBJECTS, name))
    told = str(refused.value)
    for offered in [*re.findall(r"did you mean '(\w+)'", told), *told.partition("it defines ")[2].split(", ")]:
        load(write(OBJECTS, offered))


def test_what_is_there_and_can_be_no_task_is_said_to_be_what_it_is(write):
    with pytest.raises(ConfigError, match="'weights' is a list; name a class, a function, or an object"):
        load(write(OBJECTS, "weights"))


def test_an_object_that_raises_whatever_it_is_asked_is_refused_and_ends_nothing(write):
    source = "bounds = [(0, 1)]\nclass Odd:\n    def __getattr__(self, name): raise RuntimeError\nodd = Odd()"
    with pytest.raises(ConfigError, match="'odd' is a Odd"):
        load(write(source, "odd"))


# Its module, and what it does to the process

SPREADS = """
import multiprocessing

bounds = [(0, 1)] * 3

def one(x):
    return float(sum(x))

class T:
    bounds = [(0, 1)] * 3

    def evaluate(self, genes, episode):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.map(one, list(genes))
"""


@pytest.mark.slow
def test_processes_that_are_not_forked_find_the_functions_of_a_file_by_its_name(write):
    task = load(write(SPREADS, file="found_by_its_name.py"))
    genes = task.spec.sample(np.random.default_rng(1), 3)
    assert task.module == "found_by_its_name"
    assert task.evaluate(genes, 0).tolist() == [float(sum(row)) for row in genes]


@pytest.mark.parametrize("name", ["json", "numpy", "evo", "two words", "with-dash", "class"])
def test_a_file_with_the_name_of_another_module_hides_nothing(write, name):
    before = sys.modules.get(name)
    task = load(write(VALLEY, "valley", file=f"{name}.py"))
    assert sys.modules.get(name) is before or name in {"class"}
    assert task.evaluate(np.zeros((1, 4), dtype=np.float32), 0) == [0]
    if name.isidentifier() and name != "class":
        assert task.module == ""


def test_two_files_of_one_name_are_two_modules(write, tmp_path):
    (tmp_path / "other").mkdir()
    first, second = load(write(VALLEY, "valley", file="twin.py")), None
    (tmp_path / "other/twin.py").write_text(VALLEY.replace("-steep", "steep"))
    second = load(f"{tmp_path}/other/twin.py:valley")
    genes = np.ones((1, 4), dtype=np.float32)
    assert (first.module, second.module) == ("twin", "")
    assert [first.evaluate(genes, 0)[0], second.evaluate(genes, 0)[0]] == [-4, 4]


def test_a_file_that_changes_directory_is_known_by_where_it_lies(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    source = f"import os\nHERE = __file__\nos.chdir('sub')\n{VALLEY}    return 1 / 0\n".replace("return -", "y = -")
    write(source, file="moves.py")
    task = load("moves.py:valley")
    assert task.evaluation.__wrapped__.__globals__["HERE"] == str(tmp_path / "moves.py")
    with pytest.raises(TaskError, match=r"^moves\.py, line 9, in valley: ZeroDivisionError"):
        task.evaluate(np.ones((1, 4), dtype=np.float32), 0)


def test_what_would_change_how_an_island_computes_or_writes_is_undone(write):
    source = "import os\nimport numpy as np\nos.umask(0o777)\nnp.seterr(all='raise')\n" + VALLEY.replace(
        "    return", "    os.umask(0o777)\n    np.seterr(all='raise')\n    return"
    )
    mask = os.umask(0o022)
    try:
        handling = np.geterr()
        task = load(write(source, "valley"))
        assert (os.umask(0o022), np.geterr()) == (0o022, handling)
        task.evaluate(np.ones((1, 4), dtype=np.float32), 0)
        assert (os.umask(0o022), np.geterr()) == (0o022, handling)
    finally:
        os.umask(mask)


def test_whatever_loading_raises_is_a_mistake_of_the_file(write):
    with pytest.raises(TaskError, match="line 2, in <module>: CancelledError"):
        load(write("import asyncio\nraise asyncio.CancelledError\n"))


def test_a_task_lives_as_long_as_its_module(write):
    """An executor that it holds would else end in a traceback, where it is dropped shortly before its process ends."""
    task = load(write(POINTS, "Points", file="kept.py"))
    made = weakref.ref(task.evaluation.__self__)
    del task
    gc.collect()
    assert made() is not None
