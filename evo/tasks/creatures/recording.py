"""Recording of a life to look at: where every node was, frame by frame, and when pellets were taken."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.tasks.creatures.fitness import Summary, score
from atoll.evo.tasks.creatures.world import PAIRS, lay_courses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.genome import Floats, Indices
    from atoll.evo.tasks.creatures.reference import Hunt, Lanes, Motion
    from atoll.evo.tasks.creatures.task import Creatures


@dataclass(frozen=True)
class Recording:
    """One creature's life on one course; only nodes and muscles that are there, N and M of them."""

    frame_s: float  # from one frame to the next; the first is one frame after birth
    position_m: Floats  # x, y (up) and z, [F, 3, N]
    radius_m: Floats  # [N]
    muscles: Indices  # the two nodes of each muscle, as places in `position_m`, [M, 2]
    rest_m: Floats  # [M]
    mass_share: Floats  # mass of each node as a part of the creature's, [N]
    collected: Indices  # pellets taken before each frame, [F]
    pellets_m: Floats  # x and z, [K, 2]
    fitness: float

    @property
    def centre_m(self) -> Floats:
        """Centre of mass in every frame, [F, 3]."""
        centre: Floats = (self.position_m * self.mass_share).sum(axis=2)
        return centre


def record(creatures: Creatures, genome: Floats, *, course_number: int) -> Recording:
    """Record one genome's [D] life on one course, every physics step of it."""
    return record_all(creatures, genome[None], course_numbers=[course_number])[0][0]


def record_all(creatures: Creatures, genes: Floats, *, course_numbers: Sequence[int]) -> list[list[Recording]]:
    """Record the lives of P genomes [P, D] on C courses side by side; of each genome, its lives in the courses' order.

    That takes hardly longer than one life, and each life is the one that it would be alone.
    """
    reels: list[_Reel] = []

    def observe(lanes: Lanes) -> _Reel:
        reels.append(_Reel(lanes))
        return reels[-1]

    needed = creatures.pellets.shape[1]
    pellets = np.concatenate([lay_courses(range(number, number + 1), needed) for number in course_numbers])
    summary = creatures.simulate(genes, pellets=pellets, observe=observe)
    lives = {each.name: getattr(summary, each.name).reshape(-1, 1) for each in fields(Summary)}
    fitness = score(Summary(**lives)).reshape(len(genes), -1)
    # creature by creature, course by course
    lanes = ((reel, lane) for reel in reels for lane in range(len(reel.collected[0])))
    dt_s = creatures.world.dt_s
    return [
        [_recording(*next(lanes), dt_s, pellets[course], float(points)) for course, points in enumerate(of_creature)]
        for of_creature in fitness
    ]


def _recording(reel: _Reel, lane: int, frame_s: float, pellets_m: Floats, fitness: float) -> Recording:
    lanes = reel.lanes
    is_node = lanes.reach_m[:, lane].numpy() > 0
    is_muscle = lanes.stiffness_n_m[:, lane].numpy() > 0
    place = np.cumsum(is_node) - 1
    return Recording(
        frame_s=frame_s,
        position_m=np.stack([frame[..., lane] for frame in reel.position_m])[:, :, is_node],
        radius_m=lanes.radius_m[is_node, lane].numpy(),
        muscles=place[np.array(PAIRS)[is_muscle]],
        rest_m=lanes.rest_m[is_muscle, lane].numpy(),
        mass_share=lanes.mass_share[is_node, lane].numpy(),
        collected=np.array([frame[lane] for frame in reel.collected]),
        pellets_m=pellets_m,
        fitness=fitness,
    )


@dataclass(frozen=True)
class _Reel:
    """An observer that keeps every step of one chunk of lanes: positions [3, 8, L] and pellets taken [L]."""

    lanes: Lanes
    position_m: list[Floats] = field(default_factory=list)
    collected: list[Indices] = field(default_factory=list)

    def __call__(self, motion: Motion, hunt: Hunt) -> None:
        self.position_m.append(motion.position_m.numpy())
        self.collected.append(hunt.collected.numpy())
