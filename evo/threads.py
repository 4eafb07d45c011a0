"""One thread per island: set before the numeric libraries load, because afterwards they no longer look."""

from __future__ import annotations

import os
import sys

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)
NUMERIC_LIBRARIES = ("numpy", "torch", "scipy", "numba")


def limit_threads(n: int) -> tuple[str, ...]:
    """Limit the thread pools of numeric libraries that are not loaded yet.

    Returns:
        The libraries that were loaded before this call, for which it came too late.
    """
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(n)
    return tuple(name for name in NUMERIC_LIBRARIES if name in sys.modules)
