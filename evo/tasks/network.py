"""A small network for each genome of a population, all computed at once.

    inputs [I] --W1, b1, tanh--> hidden [H] --W2, b2--> outputs [O]

Element by element in float32, in one stated order and without a matrix product, so that an output depends on no
neighbour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.genome import Floats, GenomeSpec, Segment

if TYPE_CHECKING:
    from collections.abc import Iterable

WEIGHT = 3.0
"""Largest weight, either way."""


def network_spec(inputs: int, hidden: int, outputs: int) -> GenomeSpec:
    """Return the genome of a network: the weights and biases of both layers."""
    sizes = {"w1": inputs * hidden, "b1": hidden, "w2": hidden * outputs, "b2": outputs}
    return GenomeSpec(tuple(Segment(name, size, -WEIGHT, WEIGHT) for name, size in sizes.items()))


class Networks:
    """The networks of P genomes [P, D], laid out with the genome last."""

    def __init__(self, genes: Floats, spec: GenomeSpec) -> None:
        def part(name: str) -> Floats:
            return np.ascontiguousarray(genes[:, spec.slice_of(name)].T)

        self._b1, self._b2 = part("b1"), part("b2")
        self._w1 = part("w1").reshape(-1, *self._b1.shape)  # [I, H, P]
        self._w2 = part("w2").reshape(-1, *self._b2.shape)  # [H, O, P]

    def outputs(self, inputs: Floats) -> Floats:
        """Return the outputs [O, P] for inputs [I, P]."""
        hidden = np.tanh(_layer(self._w1, self._b1, inputs))
        return _layer(self._w2, self._b2, hidden)


def _layer(weights: Iterable[Floats], bias: Floats, inputs: Floats) -> Floats:
    total = bias.copy()
    for weight, value in zip(weights, inputs, strict=True):
        total += weight * value
    return total
