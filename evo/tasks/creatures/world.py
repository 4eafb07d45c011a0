"""The world that creatures live in: constants of physics, and courses of pellets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.tasks.creatures.arithmetic import cosine

if TYPE_CHECKING:
    from atoll.evo.genome import Floats

TICKS_PER_S = 10  # how often a creature looks around and acts
NODES = 8
PAIRS = tuple((i, j) for i in range(NODES) for j in range(i + 1, NODES))
"""The two nodes of each muscle, in lexicographic order."""
MUSCLES = len(PAIRS)
FIRST, SECOND = np.array(PAIRS).T
"""The lower and the higher node of each muscle, [28]."""
PELLET_M = 0.25  # radius of a pellet, which lies on the ground
TOUCH_M = 0.01  # height of an edge below which a node feels the ground
FARTHEST_M = 1e4
"""A node that goes farther from the origin than this, in metres, has left the world: the simulation failed."""
SHORTEST_SQUARED = 1e-12
"""Added to a squared length before its root, in m² or (m/s)², so that nothing is divided by zero."""
BODY_STEP_S = 1 / 60
"""The step that muscle constants are softened for, in seconds: part of the body, whatever step it is run at."""
MIN_LEG_M, MAX_LEG_M = 7.0, 10.0  # from one pellet to the next
FIRST_UNSEEN = 1_000_000  # courses from this number on are never trained on
WORD = 0xFFFFFFFF
GOLDEN = 0x9E3779B9
"""2³² over the golden ratio: its multiples spread evenly round the circle, however many are taken."""


@dataclass(frozen=True)
class World:
    """Physics that every creature shares; a value, so that a law can be tested in another world.

    Drag is the rate at which a node's velocity decays towards that of its own creature's centre of mass. Its forces add
    up to nothing, so it slows a whip and pushes nobody. A body of which a node goes faster than `breaking_m_s`
    breaks: at the next tick its muscles let go, and it drops where it is and lies there to the end.
    """

    gravity_m_s2: float = 9.81
    drag_per_s: float = 4.0
    restitution: float = 0.3  # part of its falling speed with which a node leaves the ground
    bounce_m_s: float = 0.5  # falling speed from which a node bounces at all
    sliding_share: float = 0.8  # kinetic friction as a part of static friction
    density_kg_m3: float = 10.0
    breaking_m_s: float = 0.0  # 0: bodies never break
    steps_per_tick: int = 6  # physics steps in one tick of 0.1 s

    @property
    def breaking_squared(self) -> float:
        """Square of the speed beyond which a body breaks, in (m/s)²; endless where none does."""
        return self.breaking_m_s**2 if self.breaking_m_s else math.inf

    @property
    def dt_s(self) -> float:
        """One physics step, in seconds."""
        return 1.0 / (TICKS_PER_S * self.steps_per_tick)


def lay_courses(courses: range, pellets: int) -> Floats:
    """Return the pellets of `courses`, float32 [C, K, 2]: x and z on the ground, in metres.

    The first pellets of consecutive courses lie in evenly spread directions, so that no direction pays by itself. Each
    further pellet lies 7 to 10 m from the one before, in the half-plane that faces back.
    """
    steps = np.array([[_step(course, pellet) for pellet in range(pellets)] for course in courses], dtype=np.float32)
    turns, distance_m = steps[..., 0], steps[..., 1]
    heading = turns[:, 0]
    place = np.zeros((len(courses), 2), dtype=np.float32)
    places = []
    for k in range(pellets):
        if k > 0:
            heading = heading + turns[:, k]
        way = np.stack([cosine(heading), cosine(heading - np.float32(0.25))], axis=-1)
        place = place + way * distance_m[:, k, None]
        places.append(place)
    return np.stack(places, axis=1)


def pellets_needed(life_s: float) -> int:
    """Return how many pellets to lay: more than one a second; being 7 m apart or more, no walk comes near that."""
    return int(life_s) + 2


def _step(course: int, pellet: int) -> tuple[float, float]:
    """Return the turn from the heading before, in turns, and the distance in metres."""
    word = _mix(course * GOLDEN + pellet * 0x85EBCA6B + 1)
    distance_m = MIN_LEG_M + (MAX_LEG_M - MIN_LEG_M) * (word >> 16) / 0x10000
    if pellet == 0:
        return (course * GOLDEN & WORD) / 2**32, distance_m
    return 0.25 + 0.5 * (word & 0xFFFF) / 0x10000, distance_m


def _mix(word: int) -> int:
    """Scramble 32 bits.

    Source: Appleby 2011, the finaliser of MurmurHash3.
    """
    word &= WORD
    word = (word ^ word >> 16) * 0x85EBCA6B & WORD
    word = (word ^ word >> 13) * 0xC2B2AE35 & WORD
    return word ^ word >> 16
