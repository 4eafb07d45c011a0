"""A name and options lead to a task, or to a sentence that lists what there is."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evo import compiler
from evo.errors import ConfigError
from evo.tasks import loader
from evo.tasks.loader import ENTRIES, Entry, load_task, parse_options

ROOT = Path(__file__).parents[3]
FUNCTIONS = [name for name in ENTRIES if name != "creatures"]


@dataclasses.dataclass(frozen=True)
class Options:
    """One option of each type."""

    whole: int = 3
    real: float = 0.5
    word: str = "a"
    truth: bool = False


MINE = Entry("mine", "a task of this test", (__name__, "Options"), ("test",))


@pytest.mark.parametrize(
    ("name", "backend"), [(name, backend) for name in ENTRIES for backend in ("auto", *ENTRIES[name].backends)]
)
def test_every_entry_loads_under_its_name_with_each_backend_it_lists(name, backend):
    if backend == "native" and compiler.find() is None:
        pytest.skip("no C++ compiler")
    task = load_task(name, {}, backend=backend)
    assert task.name == name
    assert task.backend == backend or (backend == "auto" and task.backend in ENTRIES[name].backends)
    assert task.spec.size > 0


@pytest.mark.parametrize("name", ENTRIES)
def test_every_option_has_a_default_is_documented_and_can_be_given_as_text(name):
    fields = dataclasses.fields(ENTRIES[name].options_class())
    given_as_text = {field.name: str(field.default) for field in fields}
    assert all(field.name in ENTRIES[name].options_class().__doc__ for field in fields)
    assert dict(load_task(name, given_as_text).options) == dict(load_task(name, {}).options)
    assert len(ENTRIES[name].summary.split()) > 2


def test_options_reach_the_task():
    assert load_task("sphere", {"dimensions": "7"}).spec.size == 7
    assert load_task("creatures", {"courses": "2"}).options["courses"] == 2


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("true", True), ("FALSE", False), ("false", False)], ids=str
)
def test_truth_is_spelt_out(text, value):
    assert parse_options(MINE, {"truth": text}).truth is value


@given(st.integers(), st.floats(allow_nan=False), st.text(max_size=9), st.booleans())
def test_a_value_is_read_as_the_type_of_its_default(whole, real, word, truth):
    options = Options(whole, real, word, truth)
    assert parse_options(MINE, {name: str(value) for name, value in dataclasses.asdict(options).items()}) == options


@pytest.mark.parametrize(
    ("name", "text"), [("whole", "1.5"), ("whole", ""), ("real", "x"), ("truth", "1"), ("truth", "yes"), ("truth", "")]
)
def test_a_value_of_another_type_is_refused_by_name(name, text):
    with pytest.raises(ConfigError, match=f"-o {name} must be"):
        parse_options(MINE, {name: text})


def test_an_unknown_option_lists_the_known_ones_and_suggests():
    with pytest.raises(
        ConfigError, match=r"no option 'hole', did you mean 'whole'.*known are whole, real, word, truth"
    ):
        parse_options(MINE, {"hole": "1"})


@pytest.mark.parametrize("name", ["rastrigine", "", "Sphere", "os:system", "../x.py:T"])
def test_an_unknown_task_lists_the_known_ones(name):
    with pytest.raises(ConfigError) as refusal:
        load_task(name, {})
    assert all(known in str(refusal.value) for known in ENTRIES)


def test_a_near_miss_is_suggested():
    with pytest.raises(ConfigError, match="did you mean 'rastrigin'"):
        load_task("rastrigine", {})


@pytest.mark.parametrize("name", ENTRIES)
def test_an_unknown_backend_lists_the_known_ones(name):
    with pytest.raises(ConfigError, match=f"'cobol'; known are auto, {ENTRIES[name].backends[0]}"):
        load_task(name, {}, backend="cobol")


def test_only_the_task_that_is_wanted_is_imported():
    code = (
        "import sys\n"
        "from evo.tasks.loader import load_task\n"
        "load_task('sphere', {})\n"
        "print([name for name in sys.modules if 'creatures' in name or name == 'torch'])\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


def test_the_table_is_keyed_by_name():
    assert all(entry.name == name for name, entry in loader.ENTRIES.items())
