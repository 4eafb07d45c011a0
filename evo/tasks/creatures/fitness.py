"""Fitness of a life: the one place that turns a backend's summary into a score."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.tasks.creatures.arithmetic import add_in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atoll.evo.genome import Floats

APPROACH = 80.0  # points for closing the whole gap to a pellet
COLLECT = 20.0  # points for taking it
RETREAT = 0.5
"""Points lost per metre that the gap is wider at the end than at first. Small: who has not learnt to steer must walk
the wrong way on half of the courses to be paid on the others, and a creature that may not go wrong stays at home."""
MAX_RETREAT_M = 20.0
NO_GAP_M = 0.01
"""A first gap below this, in metres, counts as this: a pellet may appear under a creature."""
TRAVEL = 0.5  # points per metre between birth and death
MAX_TRAVEL_M = 10.0
DEAD = -100.0
"""Score of a body that does not hold together, or of a simulation that failed: below every living creature's."""


class Status(IntEnum):
    """Status of a life, as a backend reports it."""

    LIVED = 0
    UNVIABLE = 1  # the body does not hold together
    FAILED = 2  # the simulation left the numbers it is meant for


@dataclass(frozen=True)
class Summary:
    """Summary of each life by a backend, [P, C].

    A gap is the distance from a creature's nearest edge to the edge of its active pellet, in metres.
    """

    collected: Floats  # number of pellets taken
    first_gap_m: Floats  # when the active pellet became active
    best_gap_m: Floats  # the smallest since
    last_gap_m: Floats  # at the end of life
    travel_m: Floats  # over ground, between the centre of mass at birth and at the end
    status: NDArray[np.uint8]  # a `Status`; unless the life was lived, the rest is meaningless


@dataclass(frozen=True)
class Terms:
    """Terms of each life's score, float32 [P, C]; their sum, in this order, is the score."""

    pellets: Floats
    approach: Floats  # for coming closer to the next pellet
    retreat: Floats  # for being farther from it in the end than at first; never above 0
    travel: Floats


def score(summary: Summary) -> Floats:
    """Return the fitness of each creature: the mean over its courses, finite float32 [P]."""
    with np.errstate(invalid="ignore", over="ignore"):  # a failed life may hold any number
        parts = terms(summary)
        lives = add_in_order([parts.pellets, parts.approach, parts.retreat, parts.travel])
    lives = np.where(summary.status == np.uint8(Status.LIVED), lives, np.float32(DEAD))
    total: Floats = add_in_order(lives.T)
    return total * np.float32(1 / lives.shape[1])


def terms(summary: Summary) -> Terms:
    """Return the terms of each life's score."""
    first_gap_m = np.maximum(summary.first_gap_m, np.float32(NO_GAP_M))
    approach: Floats = ((first_gap_m - summary.best_gap_m) / first_gap_m).clip(0, 1)
    retreat: Floats = (summary.last_gap_m - summary.first_gap_m).clip(0, np.float32(MAX_RETREAT_M))
    travel = np.minimum(summary.travel_m, np.float32(MAX_TRAVEL_M))
    return Terms(
        pellets=summary.collected * np.float32(APPROACH + COLLECT),
        approach=approach * np.float32(APPROACH),
        retreat=retreat * np.float32(-RETREAT),
        travel=travel * np.float32(TRAVEL),
    )
