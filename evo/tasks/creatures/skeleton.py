"""Which nodes and muscles of a genome make up its body.

A set of nodes is a byte, one bit per node: all sets of a population are an array [P], and set algebra is `&` and `|`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atoll.evo.tasks.creatures.world import FIRST, NODES, PAIRS, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.genome import Mask

Sets = NDArray[np.uint8]

MIN_MUSCLES = 3
"""Muscles a node needs to stay: with fewer it can be whirled like a whip, with three it is held in space."""
BIT = np.left_shift(1, np.arange(NODES)).astype(np.uint8)
"""The set of each node alone, [8]."""
MUSCLES_AT = np.array([[m for m, pair in enumerate(PAIRS) if node in pair] for node in range(NODES)])
"""The muscles that each node can have, [8, 7]."""
FAR_END = BIT[FIRST[MUSCLES_AT] + SECOND[MUSCLES_AT] - np.arange(NODES)[:, None]][..., None]
"""The node at the other end of each of them, as a set, [8, 7, 1]."""


def living(present: Mask, gated: Mask) -> tuple[Mask, Mask]:
    """Drop loose nodes, keep the largest connected part.

    Nodes with fewer than three muscles go, then those that this leaves with fewer, and so on (the 3-core of the
    graph). Of several parts the one with most nodes stays; of equal ones that with the lowest node.

    Args:
        present: Nodes whose gate is on, [8, P].
        gated: Muscles whose gate is on, [28, P].

    Returns:
        Nodes [8, P] and muscles [28, P] of the body; none at all if nothing holds together.

    Source: Seidman 1983 (k-cores).
    """
    linked = _neighbours(gated)
    core = _settle(lambda kept: kept & _pack(np.bitwise_count(linked & kept) >= MIN_MUSCLES), _pack(present))
    # A part of the core has at least four nodes, so of eight nodes there are two parts at most, and then of four each:
    # the part of the lowest node is never the smaller one.
    part = _settle(lambda part: part | core & _pack(linked & part > 0), core & -core)
    nodes = part & BIT[:, None] > 0
    return nodes, gated & nodes.take(FIRST, axis=0) & nodes.take(SECOND, axis=0)


def muscles_per_node(muscles: Mask) -> Sets:
    """Count the muscles [28, P] at each node, [8, P]."""
    return np.bitwise_count(_neighbours(muscles))


def _neighbours(muscles: Mask) -> Sets:
    """Return the nodes that each node has a muscle to, [8, P]."""
    neighbours: Sets = np.bitwise_or.reduce(muscles.take(MUSCLES_AT, axis=0) * FAR_END, axis=1)
    return neighbours


def _pack(nodes: Mask) -> Sets:
    """Return [8, P] as sets [P]."""
    return BIT @ nodes


def _settle(step: Callable[[Sets], Sets], sets: Sets) -> Sets:
    """Repeat `step`, which only removes nodes or only adds some, until it changes nothing more."""
    while (after := step(sets)).tobytes() != sets.tobytes():  # a tenth of the time of `array_equal`
        sets = after
    return sets
