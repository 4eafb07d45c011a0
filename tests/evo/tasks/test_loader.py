"""A name and options lead to a task, or to a sentence that lists what there is."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from atoll.evo import compiler
from atoll.evo.errors import ConfigError
from atoll.evo.tasks import loader
from atoll.evo.tasks.creatures import cuda
from atoll.evo.tasks.loader import ENTRIES, load_task

ROOT = Path(__file__).parents[3]
FUNCTIONS = [name for name in ENTRIES if name != "creatures"]


def skip_without_gpu():
    try:
        cuda.load()
    except ConfigError as error:
        pytest.skip(f"no GPU to be had: {error}")


@pytest.mark.parametrize(
    ("name", "backend"), [(name, backend) for name in ENTRIES for backend in ("auto", *ENTRIES[name].backends)]
)
def test_every_entry_loads_under_its_name_with_each_backend_it_lists(name, backend):
    if backend == "native" and compiler.find() is None:
        pytest.skip("no C++ compiler")
    if backend == "cuda":
        skip_without_gpu()
    task = load_task(name, {}, backend=backend)
    assert task.name == name
    assert task.backend == backend or (backend == "auto" and task.backend in ENTRIES[name].backends)
    assert task.spec.size > 0


@pytest.mark.parametrize("name", ENTRIES)
def test_every_option_has_a_default_is_documented_and_can_be_given_as_text(name):
    fields = dataclasses.fields(ENTRIES[name].imported(ENTRIES[name].options))
    given_as_text = {field.name: str(field.default) for field in fields}
    assert all(field.metadata["help"] for field in fields)
    assert dict(load_task(name, given_as_text).options) == dict(load_task(name, {}).options)
    assert len(ENTRIES[name].summary.split()) > 2


def test_options_reach_the_task():
    assert load_task("sphere", {"dimensions": "7"}).spec.size == 7
    assert load_task("creatures", {"courses": "2"}).options["courses"] == 2


@pytest.mark.parametrize("name", ["rastrigine", "", "Sphere", "os:system", "gym", "GYM:CartPole-v1", ".py.txt:T"])
def test_an_unknown_task_lists_the_known_ones(name):
    with pytest.raises(ConfigError) as refusal:
        load_task(name, {})
    assert all(known in str(refusal.value) for known in [*ENTRIES, "path/to/file.py:NAME"])


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
        "from atoll.evo.tasks.loader import load_task\n"
        "load_task('sphere', {})\n"
        "heavy = ('creatures', 'torch', 'gym', 'user_')\n"
        "print([name for name in sys.modules if any(word in name for word in heavy)])\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


def test_the_table_is_keyed_by_name():
    assert all(entry.name == name for name, entry in loader.ENTRIES.items())
