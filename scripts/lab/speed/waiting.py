"""Tasks whose evaluation takes a known time: one sleeps, which costs no processor, one hashes and fills it.

A process may be made to wait in its first evaluation until all others of its team are there. So what is measured after
that is the team, not its start.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOK_EVERY_S = 0.05
EXPECTED = "expected"


class Sleeping:
    """The sphere function of a genome, after so many seconds of sleep for each."""

    bounds = [(-1.0, 1.0)] * 20
    is_deterministic = True

    def __init__(self, each_s: float = 0.01, meeting: str = "") -> None:
        """Sleep `each_s` for each genome; meet the others in the folder `meeting` first, if one is named."""
        self._each_s, self._meeting = each_s, meeting

    def evaluate(self, genes: NDArray[np.float32], episode: int) -> NDArray[np.float32]:  # noqa: ARG002 - a task's form
        """Score genomes, [P, D] to [P]."""
        if self._meeting:
            meet(Path(self._meeting))
            self._meeting = ""
        time.sleep(self._each_s * len(genes))
        return sphere(genes)


class Hashing:
    """The sphere function of a genome, after so many rounds of SHA-256 for each, some 0.3 µs a round."""

    bounds = Sleeping.bounds
    is_deterministic = True

    def __init__(self, hashes: int = 300_000) -> None:
        """Compute so many hashes for each genome."""
        self._hashes = hashes

    def evaluate(self, genes: NDArray[np.float32], episode: int) -> NDArray[np.float32]:  # noqa: ARG002 - a task's form
        """Score genomes, [P, D] to [P]."""
        for row in genes:
            hashlib.pbkdf2_hmac("sha256", row.tobytes(), b"", self._hashes)
        return sphere(genes)


def sphere(genes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the negative sum of squares of each row, added in one order."""
    total = np.zeros(len(genes), dtype=np.float32)
    for column in genes.T:
        total -= column * column
    return total


def meet(folder: Path) -> None:
    """Wait until as many processes are in the folder as its file `expected` says; leave there what one's start took.

    That is processor time [s], in a file of one's own.
    """
    own = folder / str(os.getpid())
    own.touch()
    n_expected = int((folder / EXPECTED).read_text())
    while sum(name != EXPECTED for name in os.listdir(folder)) < n_expected:
        time.sleep(LOOK_EVERY_S)
    own.write_text(repr(time.process_time()))


def start_cpu_s(folder: Path) -> float:
    """Return the processor time of all who met in the folder until then."""
    return sum(float(file.read_text()) for file in folder.iterdir() if file.name != EXPECTED)
