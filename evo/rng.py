"""Randomness as a pure function: the generation number is the generator's whole state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import numpy as np

Streams = Callable[[str], np.random.Generator]
"""The random streams of one island at one generation, by purpose."""


def stream(seed: int, island: str, generation: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one purpose at one generation of one island.

    Equal arguments give equal numbers on every machine and in every process; the Philox key is a cryptographic hash
    of the arguments, so neighbouring seeds, islands or generations share nothing.

    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox).
    """
    name = json.dumps([purpose, generation, island, seed], separators=(",", ":"))
    key = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))


def streams(seed: int, island: str, generation: int) -> Streams:
    """Return all streams of one generation, to be named by purpose."""
    return lambda purpose: stream(seed, island, generation, purpose)
