"""Genomes: flat float32 vectors, whose layout a GenomeSpec describes.

Shapes: P individuals, K migrants, D genes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atoll.evo.errors import ConfigError

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
Ancestry = NDArray[np.uint16]
Mask = NDArray[np.bool_]

MAX_BOUND = 1e30
"""Far enough from the end of float32 that no step or blend between two bounds overflows by itself."""
MAX_WHOLE = 2.0**24  # float32 holds whole numbers one by one up to here
MAX_SCALE = 1000.0
MAX_DOUBLES = 1 << 20
"""Random numbers that founders are drawn from at a time."""
NO_PLACE = -1
"""In place of the index of a place: for this immigrant nobody makes room."""


class Kind(StrEnum):
    """The kind of a segment's genes: how they vary."""

    REAL = "real"  # any number within the bounds; may be blended
    GATE = "gate"  # on (1) or off (0); mutation flips it, crossover picks one parent's
    INTEGER = "integer"  # a whole number; mutation steps by at least one, crossover picks one parent's


@dataclass(frozen=True)
class Segment:
    """A named stretch of `size` genes of one kind, from `low` to `high`."""

    name: str
    size: int
    low: float = 0.0
    high: float = 1.0
    kind: Kind = Kind.REAL
    scale: float = 1.0  # mutation step, relative to the run's mutation scale

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"segment {self.name!r}: size must be at least 1, got {self.size}")
        in_reach = abs(self.low) <= MAX_BOUND and abs(self.high) <= MAX_BOUND
        if not (in_reach and np.float32(self.low) < np.float32(self.high)):
            raise ConfigError(
                f"segment {self.name!r}: bounds must be within {MAX_BOUND:g} of 0 and low < high as float32, "
                f"got {self.low}, {self.high}"
            )
        if self.kind is Kind.GATE and (self.low, self.high) != (0.0, 1.0):
            raise ConfigError(f"segment {self.name!r}: a gate's bounds are 0 and 1, got {self.low}, {self.high}")
        if self.kind is Kind.INTEGER and (self.low != round(self.low) or self.high != round(self.high)):
            raise ConfigError(f"segment {self.name!r}: integer bounds must be whole, got {self.low}, {self.high}")
        if self.kind is Kind.INTEGER and max(-self.low, self.high) > MAX_WHOLE:
            raise ConfigError(
                f"segment {self.name!r}: bounds must be within {MAX_WHOLE:.0f} of 0, got {self.low}, {self.high}"
            )
        if not 0.0 <= self.scale <= MAX_SCALE:
            raise ConfigError(f"segment {self.name!r}: scale must be between 0 and {MAX_SCALE:g}, got {self.scale}")


@dataclass(frozen=True)
class GenomeSpec:
    """The segments of a genome, in order."""

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        names = [segment.name for segment in self.segments]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"a genome needs one or more segments with distinct names, got {names}")

    @cached_property
    def size(self) -> int:
        """Number of genes, D."""
        return sum(segment.size for segment in self.segments)

    @cached_property
    def low(self) -> Floats:
        """Lower bound of each gene, [D]."""
        return self._per_gene([segment.low for segment in self.segments])

    @cached_property
    def high(self) -> Floats:
        """Upper bound of each gene, [D]."""
        return self._per_gene([segment.high for segment in self.segments])

    @cached_property
    def mutation_step(self) -> Floats:
        """Standard deviation of a mutation at mutation scale 1, in gene units, [D]."""
        return self._per_gene([segment.scale * (segment.high - segment.low) for segment in self.segments])

    @cached_property
    def is_real(self) -> Mask:
        """Genes that may be blended, [D]."""
        return self._per_gene([segment.kind is Kind.REAL for segment in self.segments]) > 0

    @cached_property
    def is_gate(self) -> Mask:
        """Genes that mutation flips, [D]."""
        return self._per_gene([segment.kind is Kind.GATE for segment in self.segments]) > 0

    @cached_property
    def is_integer(self) -> Mask:
        """Genes that take whole numbers, [D]."""
        return self._per_gene([segment.kind is Kind.INTEGER for segment in self.segments]) > 0

    @cached_property
    def sha256(self) -> str:
        """Identity of the layout; genomes of equal hash can be exchanged."""
        zero = 0.0  # makes 1 and 1.0 one number, and -0.0 and 0.0
        rows = [[*row[:2], row[2] + zero, row[3] + zero, row[4], row[5] + zero] for row in self.to_rows()]
        return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()

    def to_rows(self) -> list[list[Any]]:
        """Return the layout as JSON, a row for each segment: what POOL.json and a champion's file record of it."""
        return [[s.name, s.size, s.low, s.high, s.kind.value, s.scale] for s in self.segments]

    @classmethod
    def from_rows(cls, rows: Any) -> GenomeSpec:  # noqa: ANN401 - JSON of a file
        """Rebuild a layout from what `to_rows` wrote; ConfigError if it cannot be one."""
        try:
            return cls(tuple(Segment(name, n, low, high, Kind(kind), step) for name, n, low, high, kind, step in rows))
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from error

    def slice_of(self, name: str) -> slice:
        """Return where the segment called `name` lies in a genome; KeyError if there is none."""
        start = 0
        for segment in self.segments:
            if segment.name == name:
                return slice(start, start + segment.size)
            start += segment.size
        raise KeyError(name)

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw `n` genomes uniformly within the bounds, [n, D]; a few rows at a time, as doubles are large."""
        genes = np.empty((n, self.size), dtype=np.float32)
        rows = max(MAX_DOUBLES // self.size, 1)
        for start in range(0, n, rows):
            genes[start : start + rows] = self._sample(rng, min(rows, n - start))
        return genes

    def _sample(self, rng: np.random.Generator, n: int) -> Floats:
        low, high = self.low.astype(np.float64), self.high.astype(np.float64)
        uniform = rng.random((n, self.size))
        whole = np.floor(low + uniform * (high - low + 1.0))
        genes = np.where(self.is_real, low + uniform * (high - low), np.minimum(whole, high))
        return np.clip(genes.astype(np.float32), self.low, self.high)

    def contains(self, genes: Floats) -> bool:
        """Say whether every gene of `genes` [..., D] is finite, within bounds and, where it must be, whole."""
        return bool(np.all(self.is_allowed(genes)))

    def is_allowed(self, genes: Floats) -> Mask:
        """Say of each gene of `genes` whether it is finite, within bounds and, where it must be, whole, [..., D]."""
        inside = np.isfinite(genes) & (genes >= self.low) & (genes <= self.high)
        return np.asarray(inside & (self.is_real | (genes == np.round(genes))))

    def _per_gene(self, values: list[float] | list[bool]) -> Floats:
        sizes = [segment.size for segment in self.segments]
        return np.repeat(np.asarray(values, dtype=np.float32), sizes)


@dataclass(frozen=True)
class Population:
    """Individuals as parallel arrays."""

    genes: Floats  # [P, D]
    ancestry: Ancestry  # for each gene, whose founders it descends from: an index into `islands`, [P, D]
    islands: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.genes)

    def take(self, indices: Indices) -> Population:
        """Return the individuals at `indices`, in that order."""
        return Population(self.genes.take(indices, axis=0), self.ancestry.take(indices, axis=0), self.islands)


@dataclass(frozen=True)
class Migrants:
    """Genomes between two islands, with what is said of them."""

    population: Population  # [K, D]
    fitness: Floats  # what the island they come from measured, [K]; information, never trusted
    ids: tuple[str, ...]  # unique in the archipelago, [K]

    def __len__(self) -> int:
        return len(self.population)
