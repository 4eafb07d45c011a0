"""What a champion is really worth: does it walk to food it was not trained on, and by fair means?

A score can hide a whip (a light node whirled round a hub), a flight, or a walk that only works for one rounding of the
numbers; every champion is therefore looked at in these respects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evo.rng import stream
from evo.tasks.creatures import course
from evo.tasks.creatures.fitness import score
from evo.tasks.creatures.world import FIRST, SECOND, TOUCH_M

if TYPE_CHECKING:
    from evo.genome import Floats
    from evo.tasks.creatures.reference import Hunt, Lanes, Motion
    from evo.tasks.creatures.task import Creatures

UNSEEN_COURSES = 40
NUDGE = 1e-5
"""Size of the gene change that a sound champion survives, as a part of each gene's range."""
NUDGED = 8
"""How many such changes are tried."""
SHORTEST_M = 1e-3
"""A body whose muscles are all shorter at rest has no length to be measured by."""
MAX_STRETCH, MAX_NODE_M_S, MAX_AIRBORNE_SHARE, MIN_RETAINED_SHARE = 2.0, 25.0, 0.75, 0.5
"""What a walk keeps within. The whips of the first study stretched to several times their body and went at 50 to 100
m/s, its walkers at 10 to 18; the limit is half of the slowest whip."""


@dataclass(frozen=True)
class Audit:
    """How one genome fares.

    Attributes:
        trained_fitness: On the courses it was trained on.
        unseen_fitness: Mean over 40 courses that it was not trained on.
        trained_pellets: Mean number of pellets it collects on the first.
        unseen_pellets: The same on the others; the number to quote.
        travel_m: Mean distance over ground between birth and death, in metres, unseen courses.
        max_stretch: Greatest length of a muscle there, as a multiple of the longest muscle of the body at rest: a short
            muscle between two nodes that are born close together says nothing about a whip.
        max_node_m_s: Greatest speed of a node there, in m/s.
        airborne_share: Part of the time during which no node touches the ground there.
        retained_share: Mean trained fitness of eight genomes that differ from it by ±1e-5 of each gene's range, as a
            part of its own; 0 if its own is not positive.
    """

    trained_fitness: float
    unseen_fitness: float
    trained_pellets: float
    unseen_pellets: float
    travel_m: float
    max_stretch: float
    max_node_m_s: float
    airborne_share: float
    retained_share: float

    @property
    def is_sound(self) -> bool:
        """Say whether it moves by fair means."""
        return (
            self.max_stretch <= MAX_STRETCH
            and self.max_node_m_s <= MAX_NODE_M_S
            and self.airborne_share <= MAX_AIRBORNE_SHARE
            and self.retained_share >= MIN_RETAINED_SHARE
        )


def examine(creatures: Creatures, genome: Floats) -> Audit:
    """Audit one genome [D]; it takes as long as the evaluation of some twenty."""
    courses = range(course.UNSEEN, course.UNSEEN + UNSEEN_COURSES)
    watch = _Watch()
    trained = creatures.live(genome[None])
    unseen = creatures.live(genome[None], pellets=course.lay(courses, creatures.pellets.shape[1]), observe=watch)
    trained_fitness = float(score(trained)[0])
    nudged_fitness = float(creatures.evaluate(_nudge(creatures, genome), 0).mean())
    return Audit(
        trained_fitness=trained_fitness,
        unseen_fitness=float(score(unseen)[0]),
        trained_pellets=float(trained.collected.mean()),
        unseen_pellets=float(unseen.collected.mean()),
        travel_m=float(unseen.travel_m.mean()),
        max_stretch=watch.max_stretch,
        max_node_m_s=watch.max_node_m_s,
        airborne_share=watch.airborne / watch.looks,
        retained_share=nudged_fitness / trained_fitness if trained_fitness > 0 else 0.0,
    )


class _Watch:
    """An observer of every step of the lives of one creature; it remembers extremes."""

    def __init__(self) -> None:
        self.max_stretch = 0.0
        self.max_node_m_s = 0.0
        self.airborne = 0
        self.looks = 0

    def __call__(self, lanes: Lanes, motion: Motion, hunt: Hunt) -> None:  # noqa: ARG002 - see `Observer`
        position, velocity = motion.position_m.numpy(), motion.velocity_m_s.numpy()
        there = lanes.reach_m.numpy() > 0
        joined = lanes.stiffness_n_m.numpy() > 0
        length = np.linalg.norm(position[:, SECOND] - position[:, FIRST], axis=0)
        longest = np.max(lanes.rest_m.numpy(), axis=0, where=joined, initial=SHORTEST_M)
        touching = there & (position[1] - lanes.radius_m.numpy() < TOUCH_M)
        self.max_stretch = max(self.max_stretch, float(np.max(length / longest, where=joined, initial=0.0)))
        speed = np.linalg.norm(velocity, axis=0)
        self.max_node_m_s = max(self.max_node_m_s, float(np.max(speed, where=there, initial=0.0)))
        self.airborne += int(np.sum(~touching.any(axis=0)))
        self.looks += position.shape[-1]


def _nudge(creatures: Creatures, genome: Floats) -> Floats:
    """Return eight genomes next to `genome`, within bounds, [8, D]; always the same."""
    spec = creatures.spec
    signs = stream(0, "audit", 0, "nudge").choice(np.array([-1, 1], dtype=np.float32), (NUDGED, spec.size))
    nudged = genome + signs * np.float32(NUDGE) * (spec.high - spec.low)
    return np.where(spec.is_real, np.clip(nudged, spec.low, spec.high), genome).astype(np.float32)
