"""Standard test functions of numbers, minimised by their authors and so returned as their negative, and one of bits.

Each of numbers is a sum over dimensions, added one after the other in float64, so that a genome's score does not depend
on how many others are scored with it. Most can be moved and rotated: an optimum at the centre of the box helps
whoever is drawn there (Kudela 2022), and a function that is a sum of functions of one gene helps whoever varies genes
one by one (Salomon 1996).

Sources: Jamil & Yang 2013, "A literature survey of benchmark functions for global optimisation problems".
Hansen et al. 2009, "Real-parameter black-box optimization benchmarking 2009", f2 and f10 (the ellipsoid).
Kudela 2022, "A critical problem in benchmarking and analysis of evolutionary computation methods".
Salomon 1996, "Re-evaluating genetic algorithm performance under coordinate rotation of benchmark functions".
Deb & Goldberg 1993, "Analyzing deception in trap functions" (there with a = k - 1, b = k, z = k - 1).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atoll.evo.errors import ConfigError
from atoll.evo.genome import Floats, GenomeSpec, Kind, Segment
from atoll.evo.rng import stream
from atoll.evo.settings import check, option_name, setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.tasks.task import OptionValue

Columns = NDArray[np.float64]
Values = NDArray[np.float64]

MAX_DIMENSIONS = 100_000
MAX_ROTATED = 1000
CONDITION = 1e6


@dataclass(frozen=True)
class FunctionOptions:
    """Options of the test functions of numbers."""

    dimensions: int = setting(10, "number of genes", low=2, high=MAX_DIMENSIONS)
    offset: float = setting(
        0.0,
        "how far from the centre the optimum lies along every axis, as a share of the way to the bounds, up or down by "
        "a fixed draw; 0 leaves it where the function's authors put it",
        low=0.0,
        high=0.9,
    )
    rotated: bool = setting(
        default=False,
        help="turn the function around its optimum by a fixed random orthogonal matrix, so that it is no sum over "
        "genes",
    )

    def __post_init__(self) -> None:
        check(self, spell=option_name)
        if self.rotated and self.dimensions > MAX_ROTATED:
            raise ConfigError(f"-o dimensions must be at most {MAX_ROTATED} with rotated=true, got {self.dimensions}")


@dataclass(frozen=True)
class TrapOptions:
    """Options of the trap."""

    dimensions: int = setting(40, "number of bits, a multiple of the order", low=2, high=MAX_DIMENSIONS)
    order: int = setting(
        4, "bits per block; with 4 or more even the better average of each single bit is the wrong one", low=2, high=64
    )

    def __post_init__(self) -> None:
        check(self, spell=option_name)
        if self.dimensions % self.order:
            raise ConfigError(f"-o dimensions must be a multiple of the order {self.order}, got {self.dimensions}")


def sphere(x: Columns) -> Values:
    """Sum of squares; minimum 0 at 0. `x` is [D, P], one row per dimension."""
    return _add_up(x * x)


def ellipsoid(x: Columns) -> Values:
    """A bowl a thousand times as long as wide; minimum 0 at 0. Easy as it is, ill-conditioned when rotated."""
    weights = CONDITION ** (np.arange(len(x)) / (len(x) - 1))
    return _add_up(weights[:, None] * x * x)


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


@dataclass(frozen=True)
class Function:
    """A test function as its authors define it: its values [P] at points [D, P]."""

    values: Callable[[Columns], Values]
    half_width: float  # the box is from minus to plus this, along every axis
    optimum: float = 0.0  # where its minimum of 0 lies, along every axis
    can_move: bool = True  # may be moved and rotated, as there is nothing better outside of the box


FUNCTIONS = {
    "sphere": Function(sphere, 5.12),
    "ellipsoid": Function(ellipsoid, 5.0),
    "rastrigin": Function(rastrigin, 5.12),
    "rosenbrock": Function(rosenbrock, 2.048, optimum=1.0),
    "ackley": Function(ackley, 32.768),
    "schwefel": Function(schwefel, 500.0, optimum=420.968746, can_move=False),
}


class FunctionTask:
    """One test function as a task; ConfigError if it shall be moved or rotated and cannot."""

    backend = "numpy"
    is_deterministic = True

    def __init__(self, options: FunctionOptions, *, name: str) -> None:
        self.name = name
        self.options: dict[str, OptionValue] = asdict(options)
        self._options = options
        self._function = FUNCTIONS[name]
        if (options.offset or options.rotated) and not self._function.can_move:
            raise ConfigError(
                f"{name} has better points outside of its box, so it takes neither -o offset nor -o rotated; its "
                f"optimum is off the centre as it is"
            )

    @cached_property
    def spec(self) -> GenomeSpec:
        """One real segment within the function's usual box."""
        half_width = self._function.half_width
        return GenomeSpec((Segment("x", self._options.dimensions, -half_width, half_width),))

    @cached_property
    def optimum(self) -> Floats:
        """The genome that scores best, [D]."""
        n, offset = self._options.dimensions, self._options.offset
        if not offset:
            return np.full(n, self._function.optimum, dtype=np.float32)
        signs = np.where(stream(0, "", 0, "optimum of a test function").random(n) < 0.5, -1.0, 1.0)
        return (signs * offset * self._function.half_width).astype(np.float32)

    def evaluate(self, genes: Floats, episode: int) -> Floats:  # noqa: ARG002 - deterministic
        """Return the function's negative for each genome, float32 [P]."""
        columns = np.ascontiguousarray(genes.T, dtype=np.float64)
        if self._options.offset or self._options.rotated:
            moved = columns - self.optimum.astype(np.float64)[:, None]
            columns = (self._turn(moved) if self._options.rotated else moved) + self._function.optimum
        return (-self._function.values(columns)).astype(np.float32)

    def _turn(self, x: Columns) -> Columns:
        turned = np.zeros_like(x)
        for column, row in zip(rotation(len(x)).T, x, strict=True):  # no matrix product: its order depends on P
            turned += column[:, None] * row
        return turned


class Trap:
    """The deceptive trap as a task: in every block of bits, each step but the last leads away from the best.

    A block scores its number of zeros, less one, but all of its bits when all are ones: a genome of ones is the best.
    """

    name = "trap"
    backend = "numpy"
    is_deterministic = True

    def __init__(self, options: TrapOptions) -> None:
        self.options: dict[str, OptionValue] = asdict(options)
        self._options = options

    @cached_property
    def spec(self) -> GenomeSpec:
        """One segment of gates."""
        return GenomeSpec((Segment("bits", self._options.dimensions, kind=Kind.GATE),))

    def evaluate(self, genes: Floats, episode: int) -> Floats:  # noqa: ARG002 - deterministic
        """Add up the blocks of each genome, float32 [P]; whole numbers, so in whatever order."""
        k = self._options.order
        ones = genes.reshape(len(genes), -1, k).sum(axis=2)
        return np.where(ones == k, k, k - 1 - ones).sum(axis=1).astype(np.float32)  # type: ignore[no-any-return]


@cache
def rotation(n: int) -> Values:
    """Return a random orthogonal matrix [n, n], always the same: Gram-Schmidt on a fixed normal draw."""
    rows = stream(0, "", 0, "rotation of a test function").standard_normal((n, n))
    for i in range(n):
        rows[i] /= np.sqrt((rows[i] * rows[i]).sum())
        rows[i + 1 :] -= (rows[i + 1 :] * rows[i]).sum(axis=1)[:, None] * rows[i]
    return rows


def _add_up(terms: Columns) -> Values:
    total = np.zeros(terms.shape[1])
    for row in terms:
        total += row
    return total
