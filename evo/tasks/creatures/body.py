"""Decoding of genes to bodies: spherical nodes joined by muscles.

Decoding is done once for a population, in NumPy float32, and its arrays are what every backend is given; a backend
never sees the body's genes. Genes are in physical units.

Which nodes and muscles make up a body is found with sets of nodes. A set is a byte, one bit per node: all sets of a
population are an array [P], and set algebra is `&` and `|`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atoll.evo.genome import Floats, GenomeSpec, Indices, Mask, Segment
from atoll.evo.tasks.creatures.arithmetic import add_in_order
from atoll.evo.tasks.creatures.world import BODY_STEP_S, FIRST, MUSCLES, NODES, PAIRS, SECOND, World

if TYPE_CHECKING:
    from collections.abc import Callable

Sets = NDArray[np.uint8]

SEGMENTS = (
    Segment("position_m", 3 * NODES, -1.0, 1.0),  # x of all nodes, y of all, z of all
    Segment("radius_m", NODES, 0.2, 0.4),
    Segment("friction", NODES, 0.2, 1.5),
    Segment("presence", NODES),
    Segment("muscle", MUSCLES),
    Segment("rest", MUSCLES, 0.8, 1.2),
    Segment("stiffness_n_m", MUSCLES, 50.0, 500.0),
    Segment("damping", MUSCLES, 0.1, 1.0),
    Segment("amplitude", MUSCLES, 0.0, 0.25),
)
"""Radius and amplitude close an exploit: a node much lighter than its neighbours, moved far, is a whip."""
ABSENT_BELOW = 0.25
"""Presence of a node or muscle up to which it is not there: at 1/4, three quarters of random bodies hold together."""
SPHERE = np.float32(4.0 / 3.0 * np.pi)
ABSENT_M = np.float32(-3e38)
"""Reach of a node that is not there: so far inside itself that it is never the nearest, wherever the others are."""
MIN_MUSCLES = 3
"""Muscles a node needs to stay: with fewer it can be whirled like a whip, with three it is held in space."""
BIT = np.left_shift(1, np.arange(NODES)).astype(np.uint8)  # the set of each node alone, [8]
MUSCLES_AT = np.array([[m for m, pair in enumerate(PAIRS) if node in pair] for node in range(NODES)])
"""The muscles that each node can have, [8, 7]."""
FAR_END = BIT[FIRST[MUSCLES_AT] + SECOND[MUSCLES_AT] - np.arange(NODES)[:, None]][..., None]
"""The node at the other end of each of them, as a set, [8, 7, 1]."""


@dataclass(frozen=True)
class Body:
    """Bodies as parallel arrays; what is not there weighs and pulls nothing."""

    position_m: Floats  # where nodes are born: centre of mass above the origin, lowest edge on the ground, [3, 8, P]
    radius_m: Floats  # [8, P]
    reach_m: Floats  # from a node's centre to its edge; -3e38 for a node that is not there, [8, P]
    inverse_mass: Floats  # in 1/kg, 0 for a node that is not there, [8, P]
    mass_share: Floats  # mass as a part of the creature's, [8, P]
    count_share: Floats  # one over the number of nodes, 0 for a node that is not there, [8, P]
    friction: Floats  # static, [8, P]
    rest_m: Floats  # length of a muscle at rest, [28, P]
    swing_m: Floats  # how far that moves at full action, [28, P]
    stiffness_n_m: Floats  # softened, 0 for a muscle that is not there, [28, P]
    damping_n_s_m: Floats  # softened, 0 for a muscle that is not there, [28, P]
    viable: Mask  # whether anything holds together, [P]

    def take(self, indices: Indices) -> Body:
        """Return the bodies at `indices`, in that order."""
        return replace(self, **{field.name: getattr(self, field.name)[..., indices] for field in fields(self)})


def decode(genes: Floats, spec: GenomeSpec, *, density_kg_m3: float = World.density_kg_m3) -> Body:
    """Build the bodies of `genes` [P, D], of a material of that density."""

    def gene(name: str) -> Floats:
        return np.ascontiguousarray(genes[:, spec.slice_of(name)].T)

    nodes, muscles = living(gene("presence") > ABSENT_BELOW, gene("muscle") > ABSENT_BELOW)
    radius_m = gene("radius_m")
    mass_kg = np.where(nodes, radius_m * radius_m * radius_m * SPHERE * np.float32(density_kg_m3), 0)
    inverse_mass = _inverse(mass_kg)
    mass_share = mass_kg * _inverse(add_in_order(mass_kg))
    reach_m = np.where(nodes, radius_m, ABSENT_M)
    viable: Mask = np.asarray(nodes.any(axis=0))
    position_m = _stand(gene("position_m").reshape(3, NODES, -1), mass_share, reach_m, viable)
    rest_m = _distance(position_m) * gene("rest")
    stiffness, damping = _soften(gene("stiffness_n_m"), gene("damping"), inverse_mass, muscles)
    return Body(
        position_m=position_m,
        radius_m=radius_m,
        reach_m=reach_m,
        inverse_mass=inverse_mass,
        mass_share=mass_share,
        count_share=nodes * _inverse(nodes.sum(axis=0, dtype=np.float32)),
        friction=gene("friction"),
        rest_m=rest_m,
        swing_m=rest_m * gene("amplitude"),
        stiffness_n_m=stiffness,
        damping_n_s_m=damping,
        viable=viable,
    )


def living(present: Mask, gated: Mask) -> tuple[Mask, Mask]:
    """Drop loose nodes, keep the largest connected part.

    Of nodes [8, P] and muscles [28, P] whose gate is on, nodes with fewer than three muscles go, then those that this
    leaves with fewer, and so on (the 3-core of the graph). Of several parts the one with most nodes stays; of equal
    ones that with the lowest node; none at all if nothing holds together.

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


def _inverse(x: Floats) -> Floats:
    """Return 1/x, and 0 where x is 0."""
    inverse: Floats = np.reciprocal(x, out=np.zeros(x.shape, np.float32), where=x > 0)
    return inverse


def _stand(position_m: Floats, mass_share: Floats, reach_m: Floats, viable: Mask) -> Floats:
    """Move bodies so that the centre of mass is above the origin and the lowest edge touches the ground."""
    origin = add_in_order((position_m * mass_share).swapaxes(0, 1))
    origin[1] = np.where(viable, (position_m[1] - reach_m).min(axis=0), 0)
    standing: Floats = position_m - origin[:, None]
    return standing


def _distance(position_m: Floats) -> Floats:
    d = position_m.take(SECOND, axis=1) - position_m.take(FIRST, axis=1)
    squared: Floats = add_in_order(d * d)
    distance: Floats = np.sqrt(squared)
    return distance


def _soften(stiffness: Floats, ratio: Floats, inverse_mass: Floats, muscles: Mask) -> tuple[Floats, Floats]:
    """Turn a muscle's wished stiffness and damping ratio into constants that are stable at every step of use.

    A spring's implicit Euler step is an explicit one with both constants divided by 1 + (c + k·h)·h/m, where m is the
    reduced mass of its two nodes; splitting a node's mass between its n muscles keeps that stable when they act
    together. h is the fixed body step, not the running one: the softened muscle is what the creature is made of, and
    a smaller running step then shows the same body more exactly. The ratio is damping as a part of critical damping of
    the two nodes alone.

    Source: Baraff and Witkin 1998 (implicit springs); Tonge et al. 2012 (mass splitting).
    """
    h = np.float32(BODY_STEP_S)
    loads = inverse_mass * muscles_per_node(muscles)
    reduced_kg = _inverse(_at_both_ends(inverse_mass))
    push = ratio * 2 * np.sqrt(stiffness * reduced_kg) + stiffness * h
    softening = 1 + push * h * _at_both_ends(loads)
    return np.where(muscles, stiffness / softening, 0), np.where(muscles, push / softening, 0)


def _at_both_ends(of_node: Floats) -> Floats:
    """Add up what the two nodes of each muscle have, [28, P] of [8, P]."""
    total: Floats = of_node.take(FIRST, axis=0) + of_node.take(SECOND, axis=0)
    return total


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
