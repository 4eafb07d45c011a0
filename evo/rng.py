"""Randomness as a pure function: the generation number is the generator's whole state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.random.bit_generator import ISeedSequence

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

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
    return np.random.Generator(np.random.Philox(_Key(key)))  # type: ignore[arg-type]  # numpy's stub knows one kind


class _Key(ISeedSequence):
    """A key in the place of a seed: `Philox(key=...)` asks the system for a seed first, and then leaves it unused."""

    def __init__(self, key: NDArray[np.uint64]) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: DTypeLike = np.uint32) -> NDArray[np.uint64]:  # noqa: ARG002
        """Return the key; Philox asks for two words of 64 bits."""
        return self._key


def streams(seed: int, island: str, generation: int) -> Streams:
    """Return all streams of one generation, to be named by purpose."""
    return lambda purpose: stream(seed, island, generation, purpose)
