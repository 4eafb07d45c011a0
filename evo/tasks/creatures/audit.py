"""Audit of a champion: does it walk to food it was not trained on, and by fair means?

A score can hide a whip (a light node whirled round a hub), a flight, or a walk that only works for one rounding of the
numbers; every champion is therefore looked at in these respects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.rng import stream
from atoll.evo.tasks.creatures.fitness import score
from atoll.evo.tasks.creatures.world import FIRST, FIRST_UNSEEN, SECOND, TICKS_PER_S, TOUCH_M, lay_courses

if TYPE_CHECKING:
    from atoll.evo.genome import Floats
    from atoll.evo.tasks.creatures.reference import Hunt, Lanes, Motion
    from atoll.evo.tasks.creatures.task import Creatures

UNSEEN_COURSES = 40
NUDGE = 1e-5
"""Size of the gene change that a sound champion survives, as a part of each gene's range."""
NUDGED = 8  # such changes are tried
SHORTEST_M = 1e-3
"""A body whose muscles are all shorter at rest has no length to be measured by."""
MAX_STRETCH, MAX_NODE_M_S, MAX_AIRBORNE_SHARE, MIN_RETAINED_SHARE = 2.0, 25.0, 0.75, 0.5
"""What a walk keeps within. The whips of the first study stretched to several times their body and went at 50 to 100
m/s, its walkers at 10 to 18; the limit is half of the slowest whip."""


@dataclass(frozen=True)
class Audit:
    """Generalisation and soundness of one genome: on the courses it was trained on, and on 40 unseen ones.

    Speed is the way of the centre of mass over ground from one second to the next, so that swaying on the spot is no
    walking. Stretch is a multiple of the longest muscle of the body at rest: a short muscle between two nodes that are
    born close together says nothing about a whip.
    """

    trained_fitness: float
    unseen_fitness: float
    trained_pellets: float  # mean number
    unseen_pellets: float  # the same; the number to quote
    travel_m: float  # mean distance over ground between birth and death, unseen courses
    speed_m_s: float  # mean, unseen courses
    max_stretch: float  # of a muscle, unseen courses
    max_node_m_s: float  # greatest speed of a node, unseen courses
    airborne_share: float  # part of the time during which no node touches the ground, unseen courses
    retained_share: float  # mean trained fitness after eight tiny gene changes, of its own; 0 if that is not positive

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
    return examine_all(creatures, genome[None])[0]


def examine_all(creatures: Creatures, genes: Floats) -> list[Audit]:
    """Audit P genomes [P, D] side by side; each comes out as it would alone."""
    courses = range(FIRST_UNSEEN, FIRST_UNSEEN + UNSEEN_COURSES)
    watches: list[_Watch] = []

    def observe(lanes: Lanes) -> _Watch:
        watches.append(_Watch(lanes, steps_per_s=TICKS_PER_S * creatures.world.steps_per_tick))
        return watches[-1]

    trained = creatures.simulate(genes)
    unseen = creatures.simulate(genes, pellets=lay_courses(courses, creatures.pellets.shape[1]), observe=observe)
    trained_fitness, unseen_fitness = score(trained), score(unseen)
    nudged = np.concatenate([np.empty_like(genes[:0]), *(_nudge(creatures, genome) for genome in genes)])
    nudged_fitness = creatures.evaluate(nudged, 0).reshape(-1, NUDGED).mean(axis=1)
    extremes = np.concatenate([watch.extremes() for watch in watches], axis=1)
    stretch, speed, airborne, walked = (of_lives.reshape(-1, UNSEEN_COURSES) for of_lives in extremes)
    return [
        Audit(
            trained_fitness=float(trained_fitness[i]),
            unseen_fitness=float(unseen_fitness[i]),
            trained_pellets=float(trained.collected[i].mean()),
            unseen_pellets=float(unseen.collected[i].mean()),
            travel_m=float(unseen.travel_m[i].mean()),
            speed_m_s=float(walked[i].mean()),
            max_stretch=float(stretch[i].max()),
            max_node_m_s=float(speed[i].max()),
            airborne_share=float(airborne[i].mean()),
            retained_share=float(nudged_fitness[i]) / float(trained_fitness[i]) if trained_fitness[i] > 0 else 0.0,
        )
        for i in range(len(genes))
    ]


class _Watch:
    """An observer of one chunk of lanes: remembers extremes, looks in the air, and the way walked, each [L]."""

    def __init__(self, lanes: Lanes, *, steps_per_s: int) -> None:
        self.lanes = lanes
        self._steps_per_s = steps_per_s
        self._there = lanes.reach_m.numpy() > 0
        self._joined = lanes.stiffness_n_m.numpy() > 0
        self._longest = np.max(lanes.rest_m.numpy(), axis=0, where=self._joined, initial=SHORTEST_M)
        n = self._there.shape[1]
        self._stretch, self._speed, self._walked_m = (np.zeros(n, np.float32) for _ in range(3))
        self._airborne = np.zeros(n, np.int64)
        self._looks = 0
        self._last_place_m: Floats | None = None

    def __call__(self, motion: Motion, hunt: Hunt) -> None:  # noqa: ARG002 - see `Observer`
        position, velocity = motion.position_m.numpy(), motion.velocity_m_s.numpy()
        length = np.linalg.norm(position[:, SECOND] - position[:, FIRST], axis=0)
        stretch = np.max(length / self._longest, axis=0, where=self._joined, initial=0.0)
        np.maximum(self._stretch, stretch, out=self._stretch)
        speed = np.max(np.linalg.norm(velocity, axis=0), axis=0, where=self._there, initial=0.0)
        np.maximum(self._speed, speed, out=self._speed)
        touching = self._there & (position[1] - self.lanes.radius_m.numpy() < TOUCH_M)
        self._airborne += ~touching.any(axis=0)
        if self._looks % self._steps_per_s == 0:
            place_m = (position[::2] * self.lanes.mass_share.numpy()).sum(axis=1)
            if self._last_place_m is not None:
                self._walked_m += np.linalg.norm(place_m - self._last_place_m, axis=0)
            self._last_place_m = place_m
        self._looks += 1

    def extremes(self) -> Floats:
        """Return, for each life: top stretch, top node speed in m/s, share in the air, walking speed in m/s; [4, L]."""
        seconds = max((self._looks - 1) // self._steps_per_s, 1)
        extremes: Floats = np.stack(
            [self._stretch, self._speed, self._airborne / self._looks, self._walked_m / seconds]
        )
        return extremes


def _nudge(creatures: Creatures, genome: Floats) -> Floats:
    """Return eight genomes next to `genome`, within bounds, [8, D]; always the same."""
    spec = creatures.spec
    signs = stream(0, "audit", 0, "nudge").choice(np.array([-1, 1], dtype=np.float32), (NUDGED, spec.size))
    nudged = genome + signs * np.float32(NUDGE) * (spec.high - spec.low)
    return np.where(spec.is_real, np.clip(nudged, spec.low, spec.high), genome).astype(np.float32)
