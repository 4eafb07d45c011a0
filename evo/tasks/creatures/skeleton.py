"""Which nodes and muscles of a genome make up its body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evo.tasks.creatures.world import FIRST, NODES, PAIRS, SECOND

if TYPE_CHECKING:
    from evo.genome import Indices, Mask

MIN_MUSCLES = 3
"""Muscles a node needs to stay: with fewer it can be whirled like a whip, with three it is held in space."""


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
    linked = _core(_adjacency(present, gated))
    nodes = _largest_part(linked)
    return nodes, gated & nodes[FIRST] & nodes[SECOND]


def muscles_per_node(muscles: Mask) -> Indices:
    """Count the muscles [28, P] at each node, [8, P]."""
    count = np.zeros((NODES, muscles.shape[-1]), dtype=np.int64)
    for m, (i, j) in enumerate(PAIRS):
        count[i] += muscles[m]
        count[j] += muscles[m]
    return count


def _adjacency(present: Mask, gated: Mask) -> Mask:
    linked = np.zeros((NODES, NODES, present.shape[-1]), dtype=bool)
    linked[FIRST, SECOND] = linked[SECOND, FIRST] = gated & present[FIRST] & present[SECOND]
    return linked


def _core(linked: Mask) -> Mask:
    """Remove nodes of low degree until none is left; every round but the last removes a node."""
    while True:
        held = linked.sum(axis=1) >= MIN_MUSCLES
        kept = linked & held[:, None] & held[None, :]
        if np.array_equal(kept, linked):
            return linked
        linked = kept


def _largest_part(linked: Mask) -> Mask:
    """Give every node the lowest name it is connected to, then keep the commonest name."""
    names = np.arange(NODES)[:, None]
    nodes = linked.any(axis=1)
    label = np.where(nodes, names, NODES)
    for _ in range(NODES - 1):
        heard = np.where(linked, label[None, :], NODES).min(axis=1)
        label = np.minimum(label, heard)
    size: Indices = (label[:, None] == names[None]).sum(axis=0)  # [8, P], ties go to the lowest name
    largest: Mask = nodes & (label == np.argmax(size, axis=0))
    return largest
