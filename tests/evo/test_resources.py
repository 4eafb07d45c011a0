"""Counted in page faults, which are the same on every machine, not in seconds."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from atoll.evo import generation
from atoll.evo.algorithms import sampling
from atoll.evo.algorithms.choice import algorithm_of
from atoll.evo.config import island_config
from atoll.evo.genome import GenomeSpec, Segment
from atoll.evo.resources import NUMERIC_LIBRARIES, THREAD_VARIABLES, limit_threads, needed_bytes
from atoll.evo.rng import streams

ROOT = Path(__file__).parents[2]

FAULTS_OF_TWENTY_GENERATIONS = """
import ctypes, resource, sys
from atoll.evo import generation
from atoll.evo.algorithms.genetic import Genetic
from atoll.evo.config import Breeding
from atoll.evo.genome import GenomeSpec, Segment
from atoll.evo.resources import M_MMAP_THRESHOLD, keep_freed_memory
from atoll.evo.rng import streams
import numpy as np

# Left alone, the C library moves its threshold by what is freed first: how much it gives back is then a matter of luck.
library = ctypes.CDLL(None)
if not hasattr(library, "mallopt") or not library.mallopt(M_MMAP_THRESHOLD, 1 << 17):
    sys.exit("no mallopt")
if sys.argv[1] == "kept":
    keep_freed_memory()
spec = GenomeSpec((Segment("x", 500),))
people = generation.sample_founders(spec, 250, island="a", streams=streams(1, "a", 0))
first = generation.Champion(people.take(np.array([0])), 0.0, 0)
state = generation.State(0, people, people.genes[:, 0], first, generation.Counts())

def breed():
    Genetic(Breeding()).breed(state, {}, spec, streams=streams(1, "a", 0))

breed()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    breed()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    child = subprocess.run(
        [sys.executable, "-c", FAULTS_OF_TWENTY_GENERATIONS, how], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if "no mallopt" in child.stderr:
        pytest.skip("mallopt is not permitted by this C library")
    assert child.returncode == 0, child.stderr
    return int(child.stdout)


def test_kept_memory_is_not_mapped_anew_each_generation():
    assert faults("kept") * 20 < faults("given back")


class Flat:
    """A task that needs no memory of its own."""

    name = "flat"
    backend = "test"
    options = {}  # noqa: RUF012 - as a task has it
    spec = GenomeSpec((Segment("x", 4000),))

    def __init__(self, genes=4000):
        self.spec = GenomeSpec((Segment("x", genes),))

    def evaluate(self, genes, episode):  # noqa: ARG002 - deterministic
        return np.zeros(len(genes), np.float32)


def peak_of_a_life(config, task):
    """Return what an island's arrays take at most, from its founders to the children of their children."""
    algorithm = algorithm_of(config, task.spec)
    sampling.normal(streams(1, "a", 0)("once"), (1, 1))  # makes a table that all share
    tracemalloc.start()
    try:
        founders = generation.sample_founders(task.spec, config.population, island="a", streams=streams(1, "a", 0))
        state = generation.evaluate(task, founders, generation=0, before=None)
        del founders
        memory = algorithm.start(state, task.spec)
        for g in range(2):
            children, memory = algorithm.breed(state, memory, task.spec, streams=streams(1, "a", g))
            state = generation.evaluate(task, children, generation=g + 1, before=state)
            del children
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("elite_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("crossover", ["none", "uniform", "blend", "sbx"])
def test_what_an_island_needs_is_what_its_arrays_take_and_not_more(crossover, elite_share):
    """Not more: so whoever is told that it cannot fit was told the truth."""
    settings = {"population": 1000, "migrants": 2, "crossover": crossover, "elite_share": elite_share}
    config = island_config("a", settings, {})
    told, taken = needed_bytes(config, Flat.spec.size), peak_of_a_life(config, Flat())
    assert 0.9 * taken <= told <= taken


@pytest.mark.parametrize(
    ("algorithm", "population", "genes"),
    [("snes", 1000, 4000), ("sep-cma", 1000, 4000), ("cma", 1000, 300), ("cma", 20, 300)],
)
def test_what_a_strategy_needs_is_what_its_arrays_take_and_not_more(algorithm, population, genes):
    config = island_config("a", {"population": population, "migrants": 2, "algorithm": algorithm}, {})
    told, taken = needed_bytes(config, genes), peak_of_a_life(config, Flat(genes))
    assert 0.9 * taken <= told <= taken


def python(code):
    """Run `code` in a fresh interpreter; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return answer.stdout.strip()


def test_every_library_is_told_and_the_late_ones_are_named(monkeypatch):
    for variable in THREAD_VARIABLES:
        monkeypatch.setenv(variable, "7")
    monkeypatch.setitem(sys.modules, "numba", object())
    monkeypatch.delitem(sys.modules, "scipy", raising=False)
    late = limit_threads(3)
    assert {os.environ[variable] for variable in THREAD_VARIABLES} == {"3"}
    assert "numba" in late
    assert "scipy" not in late
    assert set(late) <= set(NUMERIC_LIBRARIES)


def test_an_early_call_is_in_time_for_all_and_holds_the_process_to_one_thread():
    code = (
        "from atoll.evo.resources import limit_threads\n"
        "late = limit_threads(1)\n"
        "import numpy, os\n"
        "numpy.ones((300, 300)) @ numpy.ones((300, 300))\n"
        "print(late, len(os.listdir('/proc/self/task')))"
    )
    assert python(code) == "() 1"
