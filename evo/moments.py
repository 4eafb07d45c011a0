"""Moments of an island's population over time, a small file for each migration, so that F_ST is of whole populations.

Only the newest checkpoints are kept, and who emigrates is chosen; mean and variance say exactly what F_ST asks for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import arrayfile, atomic
from atoll.evo.diversity import Moments
from atoll.evo.errors import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.paths import IslandPaths

FORMAT = 1


def save(
    paths: IslandPaths, generation: int, moments: Moments, *, before_commit: Callable[[], None] = lambda: None
) -> None:
    """Write the moments of a generation; no power cut leaves them torn, since nobody would write them again."""
    atomic.make_directory(paths.all_moments)
    data = encode(generation, moments)
    atomic.replace_file(paths.moments(generation), data, durable=True, before_commit=before_commit)


def encode(generation: int, moments: Moments) -> bytes:
    """Write moments as bytes; equal moments give equal bytes."""
    metadata = {
        "format": FORMAT,
        "kind": "moments",
        "generation": generation,
        "individuals": moments.individuals,
        "squares": moments.squares,
    }
    return arrayfile.encode({"mean": moments.mean}, metadata)


def decode(data: bytes) -> Moments:
    """Read what `encode` wrote; DamagedFileError if it is anything else, or of another version."""
    arrays, metadata = arrayfile.decode(data)
    if (metadata.get("kind"), metadata.get("format")) != ("moments", FORMAT):
        raise DamagedFileError(f"expected moments of format {FORMAT}, got {metadata.get('kind')!r}")
    mean, individuals, squares = arrays.get("mean"), metadata.get("individuals"), metadata.get("squares")
    is_mean = mean is not None and mean.ndim == 1 and mean.dtype == np.float64 and np.isfinite(mean).all()
    is_count = type(individuals) is int and individuals > 0
    is_sum = isinstance(squares, int | float) and 0 <= squares < math.inf
    if mean is None or individuals is None or squares is None or not (is_mean and is_count and is_sum):
        raise DamagedFileError("moments with parts missing, or of another type")
    return Moments(individuals, mean, float(squares))
