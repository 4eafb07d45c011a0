"""Resources of an island's process: the threads of its numeric libraries, and its memory."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

from atoll.evo.config import CMA, GA, SEP_CMA, SNES

if TYPE_CHECKING:
    from atoll.evo.config import IslandConfig

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)
NUMERIC_LIBRARIES = ("numpy", "torch", "scipy", "numba")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 1 << 28
GENERATION_BYTES = 12
"""A generation and the one before it: for each gene of both a float32 and the ancestor's uint16."""
MUTATION_BYTES = 4
CROSSOVER_BYTES = {"none": 0, "uniform": 12, "blend": 27, "sbx": 48}
"""What else breeding holds at its peak, for each gene of a child; measured, and held against breeding by a test."""
SAMPLING_BYTES = {SNES: 20, SEP_CMA: 20, CMA: 60}
"""What a generation and its sampling hold at their peak, for each gene of an individual; measured as well."""
MATRIX_BYTES = {CMA: 39}
"""What a covariance, its axes and what is made of them hold at their peak, for each pair of genes."""


def limit_threads(n: int) -> tuple[str, ...]:
    """Limit the thread pools of numeric libraries before they are loaded; return those for which it came too late."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(n)
    return tuple(name for name in NUMERIC_LIBRARIES if name in sys.modules)


def needed_bytes(config: IslandConfig, genes: int) -> int:
    """Return what the arrays of an island with genomes of D `genes` take at their peak, the task's own left out.

    It is a lower bound, so that what is more than there is cannot fit: high mutation rates need more.
    """
    if config.algorithm != GA:
        individuals = SAMPLING_BYTES.get(config.algorithm, GENERATION_BYTES) * config.population
        return genes * (individuals + MATRIX_BYTES.get(config.algorithm, 0) * genes)
    children = config.population - config.breeding.n_elites(config.population)
    breeding = max(CROSSOVER_BYTES[config.breeding.crossover] * children, MUTATION_BYTES * config.population)
    return genes * (GENERATION_BYTES * config.population + breeding)


def keep_freed_memory() -> bool:
    """Let the C library keep freed arrays for the next generation instead of giving them back to the system.

    Given back, every page of every array is cleared and mapped anew each generation, which took two thirds of the time
    of breeding 250 genomes. What is kept is what one generation used, since the next one takes it again.

    Returns whether the C library can be told so; glibc can (mallopt(3)).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda *_: 0)
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BYTES) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
