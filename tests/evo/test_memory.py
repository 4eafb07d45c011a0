"""Counted in page faults, which are the same on every machine, not in seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FAULTS_OF_TWENTY_GENERATIONS = """
import ctypes, resource, sys
from evo import generation
from evo.config import Breeding
from evo.genome import GenomeSpec, Segment
from evo.memory import M_MMAP_THRESHOLD, keep_freed_memory
from evo.rng import streams
import numpy as np

# Left alone, the C library moves its threshold by what is freed first: how much it gives back is then a matter of luck.
library = ctypes.CDLL(None)
if not hasattr(library, "mallopt") or not library.mallopt(M_MMAP_THRESHOLD, 1 << 17):
    sys.exit("no mallopt")
if sys.argv[1] == "kept":
    keep_freed_memory()
spec = GenomeSpec((Segment("x", 500),))
people = generation.found(spec, 250, island="a", streams=streams(1, "a", 0))
first = generation.Champion(people.take(np.array([0])), 0.0, 0)
state = generation.State(0, people, people.genes[:, 0], first, generation.Counts())

def breed():
    generation.breed(state, spec, breeding=Breeding(), streams=streams(1, "a", 0))

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
