"""What becomes of freed memory: an island frees and takes the same few megabytes once a generation."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 1 << 28


def keep_freed_memory() -> bool:
    """Let the C library keep freed arrays for the next generation instead of giving them back to the system.

    Given back, every page of every array is cleared and mapped anew each generation, which took two thirds of the time
    of breeding 250 genomes. What is kept is what one generation used, since the next one takes it again.

    Returns:
        Whether the C library can be told so; glibc can.

    Source: mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BYTES) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
