"""Physics: the constants of the world that creatures live in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TICKS_PER_S = 10
"""How often a creature looks around and acts, in hertz."""
NODES = 8
PAIRS = tuple((i, j) for i in range(NODES) for j in range(i + 1, NODES))
"""The two nodes of each muscle, in lexicographic order."""
MUSCLES = len(PAIRS)
FIRST, SECOND = np.array(PAIRS).T
"""The lower and the higher node of each muscle, [28]."""
PELLET_M = 0.25
"""Radius of a pellet, in metres; it lies on the ground."""
TOUCH_M = 0.01
"""Height of an edge, in metres, below which a node feels the ground."""
FARTHEST_M = 1e4
"""A node that goes farther from the origin than this, in metres, has left the world: the simulation failed."""
SHORTEST_SQUARED = 1e-12
"""Added to a squared length before its root, in m² or (m/s)², so that nothing is divided by zero."""
BODY_STEP_S = 1 / 60
"""The step that muscle constants are softened for, in seconds: part of the body, whatever step it is run at."""


@dataclass(frozen=True)
class World:
    """Physics that every creature shares; a value, so that a law can be tested in another world.

    Drag is the rate at which a node's velocity decays towards that of its own creature's centre of mass. Its forces add
    up to nothing, so it slows a whip and pushes nobody.
    """

    gravity_m_s2: float = 9.81
    drag_per_s: float = 4.0
    restitution: float = 0.3  # part of its falling speed with which a node leaves the ground
    bounce_m_s: float = 0.5  # falling speed from which a node bounces at all
    sliding_share: float = 0.8  # kinetic friction as a part of static friction
    density_kg_m3: float = 10.0
    steps_per_tick: int = 6  # physics steps in one tick of 0.1 s

    @property
    def dt_s(self) -> float:
        """One physics step, in seconds."""
        return 1.0 / (TICKS_PER_S * self.steps_per_tick)
