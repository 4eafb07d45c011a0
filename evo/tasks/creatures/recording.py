"""Recording of a life to look at: where every node was, frame by frame, and when pellets were taken."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.tasks.creatures import course
from atoll.evo.tasks.creatures.fitness import Summary, score
from atoll.evo.tasks.creatures.world import PAIRS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atoll.evo.genome import Floats, Indices
    from atoll.evo.tasks.creatures.reference import Hunt, Lanes, Motion
    from atoll.evo.tasks.creatures.task import Creatures


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
    pellets = np.concatenate([course.lay(range(number, number + 1), needed) for number in course_numbers])
    summary = creatures.simulate(genes, pellets=pellets, observe=observe)
    # creature by creature, course by course
    lives = [(reel, lane) for reel in reels for lane in range(len(reel.collected[0]))]
    n = len(course_numbers)
    return [
        [
            _recording(*lives[p * n + c], creatures=creatures, pellets_m=pellets[c], life=_life(summary, p, c))
            for c in range(n)
        ]
        for p in range(len(genes))
    ]


def _life(summary: Summary, creature: int, on_course: int) -> Summary:
    def only(of_lives: NDArray[Any]) -> NDArray[Any]:
        return of_lives[creature : creature + 1, on_course : on_course + 1]

    return Summary(**{each.name: only(getattr(summary, each.name)) for each in fields(Summary)})


def _recording(reel: _Reel, lane: int, *, creatures: Creatures, pellets_m: Floats, life: Summary) -> Recording:
    lanes = reel.lanes
    is_node = lanes.reach_m[:, lane].numpy() > 0
    is_muscle = lanes.stiffness_n_m[:, lane].numpy() > 0
    place = np.cumsum(is_node) - 1
    return Recording(
        frame_s=creatures.world.dt_s,
        position_m=np.stack([frame[..., lane] for frame in reel.position_m])[:, :, is_node],
        radius_m=lanes.radius_m[is_node, lane].numpy(),
        muscles=place[np.array(PAIRS)[is_muscle]],
        rest_m=lanes.rest_m[is_muscle, lane].numpy(),
        mass_share=lanes.mass_share[is_node, lane].numpy(),
        collected=np.array([frame[lane] for frame in reel.collected]),
        pellets_m=pellets_m,
        fitness=float(score(life)[0]),
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
