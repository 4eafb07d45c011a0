"""The readable evaluator: batched PyTorch, and the law that every faster backend must match bit for bit.

A lane is one creature on one course, and lanes never meet. This file is the specification of a life, with these rules:

- All numbers are float32. Every operation rounds on its own, in the order in which Python reads the expression:
  `x * y + z` is two operations, never a fused one. Subnormal numbers are kept.
- Constants that meet each other before they meet an array (`gravity_m_s2 * dt_s`) are combined in float64 and rounded
  to float32 once.
- Sums over nodes, muscles, inputs or components go from the first to the last (`add_in_order`); three components are
  (x + y) + z, except in a speed (below). No sum runs over lanes.
- Sums of forces and means over nodes begin at +0. A muscle without stiffness and damping then adds nothing, nor does a
  node that is not there: ±0 leaves such a sum as it is, whatever its own numbers. A backend may leave both out, and
  need not move a node that is not there.
- A comparison with NaN is false. Between equal values a minimum may return either.
- A body breaks if a node of it was too fast in any step of a tick, before the ground had its say: at the end of the
  tick all its velocities, and the stiffness and damping of its muscles, become zero. The square of a speed is
  (x + z) + y of the squared components, since the ground takes x + z too.
- Decoding a genome, laying a course and scoring a summary belong to no backend: they are done before and after, once
  for all of them.
- A node that is there and ends farther than `FARTHEST_M`, or nowhere, makes a life failed. A failed life, as that of a
  body that does not hold together, has a status; its other numbers are no part of the law.

The operators of PyTorch used here round correctly whatever the length of a batch and the place of a lane in it, with
one exception: the square root of float32, which is therefore taken in float64. Nothing is divided by a Python number,
as a library may turn that into a multiplication.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from atoll.evo.tasks.creatures.arithmetic import add_in_order
from atoll.evo.tasks.creatures.fitness import Status, Summary
from atoll.evo.tasks.creatures.world import (
    FARTHEST_M,
    FIRST,
    NODES,
    PAIRS,
    PELLET_M,
    SECOND,
    SHORTEST_SQUARED,
    TICKS_PER_S,
    TOUCH_M,
    World,
)

if TYPE_CHECKING:
    from atoll.evo.genome import Floats, Indices
    from atoll.evo.tasks.creatures.body import Body
    from atoll.evo.tasks.creatures.controller import Controller

CHUNK_LANES = 2048
"""Lanes lived together: enough to pay for a call of the library, few enough for the second-level cache."""


@dataclass(frozen=True)
class Lanes:
    """Constants of lives: the fields of `Body` as tensors, the controller's genes, and the course."""

    radius_m: Tensor
    reach_m: Tensor
    inverse_mass: Tensor
    mass_share: Tensor
    count_share: Tensor
    friction: Tensor
    rest_m: Tensor
    swing_m: Tensor
    stiffness_n_m: Tensor
    damping_n_s_m: Tensor
    viable: Tensor
    weights: Tensor  # [W, L]
    pellet_x_m: Tensor  # of every course, one after another, [C·K]
    pellet_z_m: Tensor  # [C·K]
    first_pellet: Tensor  # where a lane's course begins in them, int64 [L]


@dataclass(frozen=True)
class Motion:
    """Positions and velocities of nodes, each [3, 8, L], in m and m/s.

    Attributes:
        fastest_squared: Square of the highest speed of each node since the last tick, before the ground has its say,
            in (m/s)², [8, L].
    """

    position_m: Tensor
    velocity_m_s: Tensor
    fastest_squared: Tensor


@dataclass(frozen=True)
class Hunt:
    """Progress of a lane on its course, each [L]; gaps as in `Summary`."""

    collected: Tensor  # int64
    first_gap_m: Tensor
    best_gap_m: Tensor
    last_gap_m: Tensor


Observer = Callable[[Motion, Hunt], None]
"""Called after every physics step of one chunk of lanes; the hunt is as it was at the last look."""


def simulate(
    body: Body,
    weights: Floats,
    pellets: Floats,
    *,
    controller: Controller,
    ticks: int,
    threads: int | None = 1,
    world: World | None = None,
    observe: Callable[[Lanes], Observer] | None = None,
) -> Summary:
    """Simulate every creature on every course.

    Args:
        body: P bodies.
        weights: Their controllers' genes, [W, P].
        pellets: Courses, [C, K, 2]: x and z in metres. The last one can be approached, not taken.
        controller: What moves the muscles.
        ticks: Length of a life, in tenths of a second.
        threads: Threads of PyTorch to use, None for as many as it likes; they do not change the result.
        world: Physics; the default world if None.
        observe: Called with each chunk of lanes, creature by creature, course by course; returns its observer.
    """
    courses = len(pellets)
    lanes = np.arange(weights.shape[1] * courses)
    simulate_chunk = partial(
        _simulate_chunk, pellets=pellets.shape[1], controller=controller, ticks=ticks, world=world or World()
    )
    parts = []
    with torch.inference_mode(), _threads(threads):
        for start in range(0, max(len(lanes), 1), CHUNK_LANES):
            creature, course = np.divmod(lanes[start : start + CHUNK_LANES], courses)
            chunk = lanes_of(body.take(creature), weights[:, creature], pellets, course)
            birth_m = torch.from_numpy(body.position_m[..., creature])
            parts.append(simulate_chunk(chunk, birth_m, observer=observe(chunk) if observe else None))
    names = [field.name for field in fields(Summary)]
    return Summary(**{n: np.concatenate([getattr(part, n) for part in parts]).reshape(-1, courses) for n in names})


def step(motion: Motion, lanes: Lanes, target_m: Tensor, world: World) -> Motion:
    """Advance one physics step: muscles, gravity, drag, ground, then motion (semi-implicit Euler).

    Each muscle wants the length `target_m`, [28, L].
    """
    dt_s = world.dt_s
    velocity = motion.velocity_m_s + pull(motion, lanes, target_m) * (lanes.inverse_mass * dt_s)
    velocity[1] -= world.gravity_m_s2 * dt_s
    velocity = velocity + (_centre(velocity, lanes)[:, None] - velocity) * (world.drag_per_s * dt_s)
    x, y, z = velocity
    squared = x * x + z * z + y * y
    fastest_squared = torch.where(squared > motion.fastest_squared, squared, motion.fastest_squared)
    velocity = collide(motion.position_m, velocity, lanes, world)
    return Motion(motion.position_m + velocity * dt_s, velocity, fastest_squared)


def pull(motion: Motion, lanes: Lanes, target_m: Tensor) -> Tensor:
    """Return the force of the muscles on each node, in N, [3, 8, L].

    A muscle pulls its first node towards its second with k · (length - target) + c · (rate of lengthening), and its
    second node with the opposite. A node adds up its seven muscles in ascending order of the node at the other end.
    """
    d = _between(motion.position_m)
    rate = _between(motion.velocity_m_s)
    length = _sqrt(_dot(d, d) + SHORTEST_SQUARED)
    inverse = 1.0 / length
    spring = lanes.stiffness_n_m * (length - target_m)
    damper = lanes.damping_n_s_m * (_dot(d, rate) * inverse)
    force = d * ((spring + damper) * inverse)
    both = torch.cat([force, -force], dim=1).index_select(1, _MUSCLES_OF_NODE)
    return add_in_order(both.view(3, NODES - 1, NODES, -1).unbind(1)) + 0.0  # never -0: as if it began at +0


def collide(position_m: Tensor, velocity: Tensor, lanes: Lanes, world: World) -> Tensor:
    """Return the velocity after the ground has had its say, [3, 8, L].

    A node that would end the step below the ground is given the velocity that ends it on the ground, or bounces if it
    fell fast. The change is the normal impulse per mass; static friction takes away all sliding up to its coefficient
    times that, and beyond it kinetic friction takes away a fixed share of as much.
    """
    x, y, z = velocity
    landing = (lanes.radius_m - position_m[1]) * (1.0 / world.dt_s)
    rebound = torch.where(y < -world.bounce_m_s, y * -world.restitution, landing)
    risen = torch.where(y < landing, rebound, y)
    grip = lanes.friction * (risen - y)
    speed = _sqrt(x * x + z * z)
    slid = speed - grip * world.sliding_share
    kept = torch.where(speed > grip, slid / speed, 0.0)
    return torch.stack([x * kept, risen, z * kept])


def _simulate_chunk(
    lanes: Lanes,
    birth_m: Tensor,
    *,
    pellets: int,
    controller: Controller,
    ticks: int,
    world: World,
    observer: Observer | None,
) -> Summary:
    """Simulate one chunk of lanes: ten times a second look around and act, then take the steps up to the next tick."""
    motion = Motion(birth_m, torch.zeros_like(birth_m), torch.zeros_like(lanes.radius_m))
    none = torch.zeros_like(lanes.first_pellet)
    gap = _gap(motion, lanes, none)
    hunt = Hunt(none, gap, gap, gap)
    for tick in range(ticks):
        hunt = look(hunt, motion, lanes, pellets)
        time_s = float(np.float32(tick) * np.float32(1 / TICKS_PER_S))
        action = controller.act(lanes.weights, sense(hunt, motion, lanes), time_s)
        target_m = lanes.rest_m + lanes.swing_m * action
        for _ in range(world.steps_per_tick):
            motion = step(motion, lanes, target_m, world)
            if observer:
                observer(motion, hunt)
        motion, lanes = drop_broken(motion, lanes, world)
    return _summarise(look(hunt, motion, lanes, pellets), motion, lanes)


def drop_broken(motion: Motion, lanes: Lanes, world: World) -> tuple[Motion, Lanes]:
    """Let the bodies drop where they are of which a node was too fast: they come to rest, and their muscles let go."""
    broken = ((motion.fastest_squared > world.breaking_squared) & (lanes.inverse_mass > 0)).any(dim=0)
    velocity = torch.where(broken, 0.0, motion.velocity_m_s)
    muscles = {name: torch.where(broken, 0.0, getattr(lanes, name)) for name in ("stiffness_n_m", "damping_n_s_m")}
    return Motion(motion.position_m, velocity, torch.zeros_like(motion.fastest_squared)), replace(lanes, **muscles)


def look(hunt: Hunt, motion: Motion, lanes: Lanes, pellets: int) -> Hunt:
    """Measure the gap to the active pellet; if it is closed, take the pellet and measure the gap to the next one."""
    gap = _gap(motion, lanes, hunt.collected)
    taken = (gap <= 0.0) & (hunt.collected < pellets - 1)
    collected = hunt.collected + taken
    fresh = _gap(motion, lanes, collected)
    return Hunt(
        collected=collected,
        first_gap_m=torch.where(taken, fresh, hunt.first_gap_m),
        best_gap_m=torch.where(taken, fresh, torch.minimum(hunt.best_gap_m, gap)),
        last_gap_m=fresh,
    )


def sense(hunt: Hunt, motion: Motion, lanes: Lanes) -> Tensor:
    """Return the seven senses that `controller` describes, [7, L]."""
    centre = _centre(motion.position_m, lanes)
    x, z = _pellet(lanes, hunt.collected)
    x, z = x - centre[0], z - centre[2]
    distance = _sqrt(x * x + z * z + SHORTEST_SQUARED)
    touching = (motion.position_m[1] - lanes.radius_m < TOUCH_M) * lanes.count_share
    velocity = _centre(motion.velocity_m_s, lanes)
    return torch.stack([x / distance, z / distance, distance * 0.1, *velocity, add_in_order(touching.unbind())])


def _gap(motion: Motion, lanes: Lanes, collected: Tensor) -> Tensor:
    """Distance from the nearest edge of a node to the edge of the active pellet, in m, [L]."""
    px, pz = _pellet(lanes, collected)
    x, y, z = motion.position_m
    x, y, z = x - px, y - PELLET_M, z - pz
    edge = _sqrt(x * x + y * y + z * z) - lanes.reach_m
    return edge.amin(dim=0) - PELLET_M


def _pellet(lanes: Lanes, collected: Tensor) -> tuple[Tensor, Tensor]:
    index = lanes.first_pellet + collected
    return lanes.pellet_x_m.index_select(0, index), lanes.pellet_z_m.index_select(0, index)


def _centre(of_nodes: Tensor, lanes: Lanes) -> Tensor:
    """Mean over nodes by mass, [3, 8, L] to [3, L], added in order of the nodes."""
    return add_in_order((of_nodes * lanes.mass_share).unbind(1)) + 0.0


def _between(of_nodes: Tensor) -> Tensor:
    """Second node less first node of every muscle, [3, 8, L] to [3, 28, L]."""
    return of_nodes.index_select(1, _SECOND) - of_nodes.index_select(1, _FIRST)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return add_in_order((a * b).unbind())


def _sqrt(x: Tensor) -> Tensor:
    return x.double().sqrt().float()


def _summarise(hunt: Hunt, motion: Motion, lanes: Lanes) -> Summary:
    centre = _centre(motion.position_m, lanes)
    inside = ((motion.position_m.abs() <= FARTHEST_M).all(dim=0) | (lanes.inverse_mass == 0)).all(dim=0)
    status = torch.where(inside, Status.LIVED, Status.FAILED).where(lanes.viable, Status.UNVIABLE)
    return Summary(
        collected=hunt.collected.float().numpy(),
        first_gap_m=hunt.first_gap_m.numpy(),
        best_gap_m=hunt.best_gap_m.numpy(),
        last_gap_m=hunt.last_gap_m.numpy(),
        travel_m=_sqrt(centre[0] * centre[0] + centre[2] * centre[2]).numpy(),
        status=status.to(torch.uint8).numpy(),
    )


def lanes_of(body: Body, weights: Floats, pellets: Floats, course: Indices) -> Lanes:
    """Put each of L bodies and brains on one course, [L], of `pellets` [C, K, 2]."""
    shared = [field.name for field in fields(Lanes) if hasattr(body, field.name)]
    return Lanes(
        **{name: torch.from_numpy(np.ascontiguousarray(getattr(body, name))) for name in shared},
        weights=torch.from_numpy(np.ascontiguousarray(weights)),
        pellet_x_m=torch.from_numpy(pellets[..., 0].flatten()),
        pellet_z_m=torch.from_numpy(pellets[..., 1].flatten()),
        first_pellet=torch.from_numpy(course * pellets.shape[1]),
    )


def _muscles_of_node() -> Tensor:
    """For the k-th partner of each node, in ascending order: its force among 28 pulls and 28 opposites, [7·8]."""
    rows = []
    for node in range(NODES):
        partners = [other for other in range(NODES) if other != node]
        rows.append([PAIRS.index((node, p)) if node < p else PAIRS.index((p, node)) + len(PAIRS) for p in partners])
    return torch.tensor(rows).T.flatten()


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    if n is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_FIRST, _SECOND = torch.from_numpy(FIRST.copy()), torch.from_numpy(SECOND.copy())
_MUSCLES_OF_NODE = _muscles_of_node()
