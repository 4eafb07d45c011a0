"""Small problems to evolve on in tests; each keeps the contract of every task."""

from __future__ import annotations

import numpy as np

from atoll.evo.genome import GenomeSpec, Kind, Segment

MIXED = GenomeSpec(
    (Segment("x", 4, -1.0, 3.0), Segment("gate", 3, kind=Kind.GATE), Segment("n", 2, -5, 5, Kind.INTEGER))
)
REAL = GenomeSpec((Segment("x", 5, -1.0, 3.0), Segment("y", 4, 10.0, 11.0)))


class Hill:
    """The closer to the upper bounds the better; remembers what it was asked.

    Attributes:
        asked: The genomes and the episode of each call.
    """

    name = "hill"
    backend = "test"

    def __init__(self, spec=MIXED):
        self.spec = spec
        self.options = {"height": 1.0}
        self.asked = []

    def evaluate(self, genes, episode):
        self.asked.append((genes.copy(), episode))
        columns = ((genes - self.spec.low) / (self.spec.high - self.spec.low)).T.astype(np.float64)
        total = np.zeros(len(genes))
        for column in columns:
            total += column
        return self.score(total, episode).astype(np.float32)

    def score(self, total, episode):  # noqa: ARG002 - deterministic
        return total


class Rock(Hill):
    """A hill that says that it is deterministic."""

    is_deterministic = True


class Weather(Hill):
    """A hill whose height depends on the episode: the same for all of one generation, another for the next."""

    name = "weather"

    def score(self, total, episode):
        return np.sin(total * (1 + episode % 7)) + episode % 3
