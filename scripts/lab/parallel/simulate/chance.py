"""How trial times are drawn: equal chances give equal draws, so that what is seen is a change of inputs alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DRAWS = 40


@dataclass(frozen=True)
class Chance:
    """Many draws.

    Attributes:
        seed: Of all of them.
        draws: How many.
    """

    seed: int
    draws: int = DRAWS

    def generators(self) -> list[np.random.Generator]:
        """Return an independent source of randomness for each draw."""
        return [np.random.default_rng(each) for each in np.random.SeedSequence(self.seed).spawn(self.draws)]
