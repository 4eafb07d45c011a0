"""Courses of pellets: their places are a fixed function of the course number and the pellet index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.tasks.creatures.arithmetic import cosine

if TYPE_CHECKING:
    from atoll.evo.genome import Floats

NEAREST_M, FARTHEST_M = 7.0, 10.0
"""Distance from one pellet to the next, in metres."""
UNSEEN = 1_000_000
"""Courses from this number on are never trained on."""
WORD = 0xFFFFFFFF
GOLDEN = 0x9E3779B9
"""2³² over the golden ratio: its multiples spread evenly round the circle, however many are taken."""


def lay(courses: range, pellets: int) -> Floats:
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
    distance_m = NEAREST_M + (FARTHEST_M - NEAREST_M) * (word >> 16) / 0x10000
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
