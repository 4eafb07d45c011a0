"""A life to look at: where every node was, frame by frame, and when pellets were taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evo.tasks.creatures import course
from evo.tasks.creatures.fitness import score
from evo.tasks.creatures.world import PAIRS

if TYPE_CHECKING:
    from evo.genome import Floats, Indices
    from evo.tasks.creatures.reference import Hunt, Lanes, Motion
    from evo.tasks.creatures.task import Creatures


@dataclass(frozen=True)
class Recording:
    """One creature's life on one course; only nodes and muscles that are there, N and M of them.

    Attributes:
        frame_s: From one frame to the next, in seconds; the first is one frame after birth.
        position_m: Where nodes are, x, y (up) and z, float32 [F, 3, N].
        radius_m: [N].
        muscles: The two nodes of each muscle, as places in `position_m`, [M, 2].
        rest_m: Length of each muscle at rest, [M].
        mass_share: Mass of each node as a part of the creature's, [N].
        collected: Pellets taken before each frame, [F].
        pellets_m: x and z of the course's pellets, [K, 2].
        fitness: What this life scores.
    """

    frame_s: float
    position_m: Floats
    radius_m: Floats
    muscles: Indices
    rest_m: Floats
    mass_share: Floats
    collected: Indices
    pellets_m: Floats
    fitness: float

    @property
    def centre_m(self) -> Floats:
        """Centre of mass in every frame, [F, 3]."""
        centre: Floats = (self.position_m * self.mass_share).sum(axis=2)
        return centre


def record(creatures: Creatures, genome: Floats, *, course_number: int) -> Recording:
    """Live one genome's [D] life on one course, and keep every physics step."""
    film = _Film()
    pellets = course.lay(range(course_number, course_number + 1), creatures.pellets.shape[1])
    summary = creatures.live(genome[None], pellets=pellets, observe=film)
    lanes = film.lanes
    is_node = lanes.reach_m[:, 0].numpy() > 0
    is_muscle = lanes.stiffness_n_m[:, 0].numpy() > 0
    place = np.cumsum(is_node) - 1
    return Recording(
        frame_s=creatures.world.dt_s,
        position_m=np.stack(film.position_m)[:, :, is_node],
        radius_m=lanes.radius_m[is_node, 0].numpy(),
        muscles=place[np.array(PAIRS)[is_muscle]],
        rest_m=lanes.rest_m[is_muscle, 0].numpy(),
        mass_share=lanes.mass_share[is_node, 0].numpy(),
        collected=np.array(film.collected),
        pellets_m=pellets[0],
        fitness=float(score(summary)[0]),
    )


class _Film:
    """An observer of every step of one life."""

    lanes: Lanes

    def __init__(self) -> None:
        self.position_m: list[Floats] = []
        self.collected: list[int] = []

    def __call__(self, lanes: Lanes, motion: Motion, hunt: Hunt) -> None:
        self.lanes = lanes
        self.position_m.append(motion.position_m[..., 0].numpy())
        self.collected.append(int(hunt.collected[0]))
