"""The deceptive trap: in every block of bits, each step but the last leads away from the best.

Source: Deb & Goldberg 1993, "Analyzing deception in trap functions" (there with a = k - 1, b = k, z = k - 1).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.errors import ConfigError
from atoll.evo.genome import Floats, GenomeSpec, Kind, Segment

if TYPE_CHECKING:
    from atoll.evo.tasks.task import OptionValue


@dataclass(frozen=True)
class TrapOptions:
    """Options of the trap.

    Attributes:
        dimensions: Number of bits, a multiple of `order`.
        order: Bits per block, k; with 4 or more even the better average of each single bit is the wrong one.
    """

    dimensions: int = 40
    order: int = 4

    def __post_init__(self) -> None:
        if not 2 <= self.order <= 64:
            raise ConfigError(f"order must be between 2 and 64, got {self.order}")
        if not self.order <= self.dimensions <= 100_000 or self.dimensions % self.order:
            raise ConfigError(
                f"dimensions must be a multiple of the order {self.order}, up to 100000, got {self.dimensions}"
            )


class Trap:
    """Blocks of bits that score their number of zeros, less one, but all of their bits when all are ones."""

    name = "trap"
    backend = "numpy"

    def __init__(self, options: TrapOptions) -> None:
        self._options = options

    @property
    def options(self) -> dict[str, OptionValue]:
        """Every option and its value."""
        return asdict(self._options)

    @cached_property
    def spec(self) -> GenomeSpec:
        """One segment of gates."""
        return GenomeSpec((Segment("bits", self._options.dimensions, kind=Kind.GATE),))

    @property
    def optimum(self) -> Floats:
        """The genome that scores best, which is `dimensions`: ones, [D]."""
        return np.ones(self._options.dimensions, dtype=np.float32)

    def evaluate(self, genes: Floats, episode: int) -> Floats:  # noqa: ARG002 - deterministic
        """Add up the blocks of each genome, float32 [P]; whole numbers, so in whatever order."""
        k = self._options.order
        ones = genes.reshape(len(genes), -1, k).sum(axis=2)
        score: Floats = np.where(ones == k, k, k - 1 - ones).sum(axis=1).astype(np.float32)
        return score
