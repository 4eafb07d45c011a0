"""Standard test functions, minimised by their authors and so returned as their negative.

Each is a sum over dimensions, added one dimension after the other in float64, so that a genome's score does not
depend on how many others are scored with it.

Source: Jamil & Yang 2013, "A literature survey of benchmark functions for global optimisation problems".
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evo.errors import ConfigError
from evo.genome import Floats, GenomeSpec, Segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from evo.tasks.task import OptionValue

Columns = NDArray[np.float64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class FunctionOptions:
    """Options of the test functions.

    Attributes:
        dimensions: Number of genes.
    """

    dimensions: int = 10

    def __post_init__(self) -> None:
        if not 2 <= self.dimensions <= 100_000:
            raise ConfigError(f"dimensions must be between 2 and 100000, got {self.dimensions}")


def sphere(x: Columns) -> Values:
    """Sum of squares; minimum 0 at 0. `x` is [D, P], one row per dimension."""
    return _add_up(x * x)


def rastrigin(x: Columns) -> Values:
    """Many regular local minima, separable; minimum 0 at 0."""
    return _add_up(x * x - 10.0 * np.cos(2.0 * math.pi * x) + 10.0)


def rosenbrock(x: Columns) -> Values:
    """A narrow curved valley, not separable; minimum 0 at 1."""
    return _add_up(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def ackley(x: Columns) -> Values:
    """A nearly flat outer region around a deep hole; minimum 0 at 0."""
    n = len(x)
    radius = np.sqrt(_add_up(x * x) / n)
    waves = _add_up(np.cos(2.0 * math.pi * x)) / n
    return 20.0 + math.e - 20.0 * np.exp(-0.2 * radius) - np.exp(waves)


def schwefel(x: Columns) -> Values:
    """Deceptive: the second best minimum lies far from the best; minimum 0 at about 420.9687."""
    return 418.982887272433799 * len(x) - _add_up(x * np.sin(np.sqrt(np.abs(x))))


FUNCTIONS: dict[str, tuple[Callable[[Columns], Values], float]] = {
    "sphere": (sphere, 5.12),
    "rastrigin": (rastrigin, 5.12),
    "rosenbrock": (rosenbrock, 2.048),
    "ackley": (ackley, 32.768),
    "schwefel": (schwefel, 500.0),
}
"""Each function with the half-width of its box."""


class FunctionTask:
    """One test function as a task."""

    def __init__(self, name: str, options: FunctionOptions) -> None:
        self.name = name
        self.backend = "numpy"
        self._options = options
        self._function, self._half_width = FUNCTIONS[name]

    @property
    def options(self) -> dict[str, OptionValue]:
        """Every option and its value."""
        return asdict(self._options)

    @cached_property
    def spec(self) -> GenomeSpec:
        """One real segment within the function's usual box."""
        return GenomeSpec((Segment("x", self._options.dimensions, -self._half_width, self._half_width),))

    def evaluate(self, genes: Floats, episode: int) -> Floats:  # noqa: ARG002 - deterministic
        """Return the function's negative for each genome, float32 [P]."""
        columns = np.ascontiguousarray(genes.T, dtype=np.float64)
        return (-self._function(columns)).astype(np.float32)


def _add_up(terms: Columns) -> Values:
    total = np.zeros(terms.shape[1])
    for row in terms:
        total += row
    return total
