"""The public names of the package `atoll`, for programs and notebooks of others."""

from __future__ import annotations

import ast
import sys

import atoll
from tests.processes import ROOT, run

USE = """
import atoll
task = atoll.load_task("sphere", {"dimensions": "3"})
assert isinstance(task.spec, atoll.GenomeSpec)
config = atoll.island_config("a", {"population": 6, "generations": 2, "migrants": 1, "task": "sphere"}, {})
state = atoll.evolve_together([config], task, recorder_of=lambda config: atoll.MemoryRecorder())["a"]
print(isinstance(state, atoll.State), state.generation)
"""


def test_every_public_name_is_there_and_typed() -> None:
    typed = {
        alias.name
        for block in ast.parse((ROOT / "src/atoll/__init__.py").read_text()).body
        if isinstance(block, ast.If)
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
    assert typed == set(atoll.__all__) == set(atoll._PLACES)
    assert set(atoll.__all__) <= set(dir(atoll))
    for name in atoll.__all__:
        assert getattr(atoll, name).__name__ == name
    assert not hasattr(atoll, "no_such_name")


def test_importing_the_package_imports_nothing_else() -> None:
    loaded = run(sys.executable, "-c", "import sys, atoll; print(*[name for name in sys.modules if 'atoll.' in name])")
    assert loaded.stdout.strip() == ""
    numeric = run(sys.executable, "-c", "import sys, atoll; print('numpy' in sys.modules, 'click' in sys.modules)")
    assert numeric.stdout.split() == ["False", "False"]


def test_a_program_evolves_an_island_by_public_names_alone() -> None:
    ended = run(sys.executable, "-c", USE)
    assert ended.stdout.split() == ["True", "2"], ended.stderr
