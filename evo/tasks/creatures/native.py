"""The native evaluator: one thread, one vectorised kernel, whole lives of as many creatures as the vector unit is wide.

`kernel/life.cpp` does what `reference` specifies, bit for bit. It is written with the vector extensions of GCC and
Clang, so the same source serves any width, and a thread of a GPU. It is built for one of few named targets rather than
for "this processor", because a name says what is in the library, and a library can then be kept for every machine that
has those features.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import compiler
from atoll.evo.errors import ConfigError
from atoll.evo.tasks.creatures import arithmetic
from atoll.evo.tasks.creatures import world as nature
from atoll.evo.tasks.creatures.controller import HIDDEN, SENSES, Neural
from atoll.evo.tasks.creatures.fitness import Status, Summary
from atoll.evo.tasks.creatures.world import NODES, TICKS_PER_S, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.genome import Floats, Indices
    from atoll.evo.tasks.creatures.body import Body
    from atoll.evo.tasks.creatures.controller import Controller

SOURCE = Path(__file__).parent / "kernel" / "life.cpp"
FLAGS = ("-O3", "-ffp-contract=off", "-fno-math-errno")
"""Contraction would round differently. Without `errno` a root is one instruction. -O3 is 4 % faster here than -O2, and
leaving out redundancy elimination or scheduling, or tuning for the processor, gains nothing more."""
CONSTANTS: dict[str, float] = {
    **{name: getattr(nature, name) for name in ("PELLET_M", "TOUCH_M", "FARTHEST_M", "SHORTEST_SQUARED")},
    **{name: getattr(arithmetic, name) for name in ("ROUNDER", "TANH_LIMIT")},
    **{f"SINE_{i}": value for i, value in enumerate(arithmetic.SINE)},
    "TICK_S": 1 / TICKS_PER_S,
}
SIZES = {"NODES": NODES, "MUSCLES": nature.MUSCLES, "SENSES": SENSES, "HIDDEN": HIDDEN}
ROWS = (
    *("radius_m", "reach_m", "inverse_mass", "mass_share", "count_share", "friction"),
    *("rest_m", "swing_m", "stiffness_n_m", "damping_n_s_m"),
)
"""The fields of a body in the order in which the kernel reads them, after the position and before the weights."""
CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Target:
    """A kind of processor."""

    lanes: int  # float32 numbers in one vector
    features: tuple[str, ...] = ()  # what /proc/cpuinfo must list

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags that tell a compiler of it."""
        return (f"-DLANES={self.lanes}", *(f"-m{feature}" for feature in self.features))


TARGETS = (
    Target(16, ("avx512f", "avx512bw", "avx512dq", "avx512vl")),
    Target(8, ("avx2",)),
    Target(4),  # what every x86-64 and every 64-bit ARM processor has
    Target(1),  # how a thread of a GPU lives; never the widest
)


@dataclass(frozen=True)
class Kernel:
    """A compiled kernel.

    Attributes:
        simulate: Lives the lives of a plan: `simulate(plan, rows, pellets, out)`, with float32 arrays.
        machine: What it runs on, if not on this processor.
    """

    simulate: Callable[[Plan, Floats, Floats, Floats], None]
    lanes: int
    sha256: str
    machine: str = ""

    @property
    def build(self) -> str:
        """What it was built for, and from what."""
        return f"{self.machine or f'{self.lanes} lanes'}, kernel {self.sha256}"


class _World(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_float)
        for name in (
            *("dt_s", "per_dt", "gravity_dt", "drag_dt", "restitution", "bounce_m_s", "sliding_share"),
            "breaking_squared",
        )
    )


class Plan(ctypes.Structure):
    """What the kernel is to do: sizes, and the constants of the world."""

    creatures: int
    courses: int
    _fields_ = (
        *((name, ctypes.c_long) for name in ("creatures", "courses", "pellets", "ticks", "steps_per_tick")),
        ("is_neural", ctypes.c_long),
        ("world", _World),
    )


def targets_here() -> tuple[Target, ...]:
    """Return the targets that this machine can run, the widest first."""
    lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines() if CPU_INFO.exists() else []
    features = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return tuple(target for target in TARGETS if set(target.features) <= set(features))


@cache
def load(target: Target | None = None) -> Kernel:
    """Compile the kernel, or take it from the cache; for the widest target of this machine if None.

    Raises:
        ConfigError: There is no compiler, it refuses the kernel, or what it makes cannot be loaded or is no kernel.
    """
    target = target or targets_here()[0]
    library = compiler.load(SOURCE, (*FLAGS, *target.flags, *(f"-D{name}={value}" for name, value in macros())))
    function = getattr(library.functions, "live", None)
    if function is None:
        raise ConfigError(f"what {compiler.find()} made of {SOURCE.name} has no function 'live'")
    array = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
    function.argtypes = [ctypes.POINTER(Plan), array, array, array]
    function.restype = None
    return Kernel(function, target.lanes, library.sha256)


def macros() -> list[tuple[str, str]]:
    """Return the constants in capitals that the kernel's text speaks of, as a compiler of C++ takes them."""
    numbers = [(name, f"{float(np.float32(value)).hex()}f") for name, value in CONSTANTS.items()]
    return [*numbers, *((name, str(size)) for name, size in SIZES.items())]


def simulate(
    body: Body,
    weights: Floats,
    pellets: Floats,
    *,
    controller: Controller,
    ticks: int,
    world: World | None = None,
    kernel: Kernel | None = None,
) -> Summary:
    """Simulate P creatures on C courses; see `reference.simulate`. ValueError if weights are not the controller's."""
    kernel = kernel or load()
    n_weights, creatures = weights.shape
    expected = sum(segment.size for segment in controller.segments)
    if n_weights != expected:
        raise ValueError(f"weights: expected [{expected}, P], got {weights.shape}")
    order = alike(body)
    position_m = body.position_m.reshape(3 * NODES, creatures)
    rows = np.concatenate([position_m, *(getattr(body, name) for name in ROWS), weights], dtype=np.float32)
    rows = rows.take(order, axis=1)
    pellets = np.ascontiguousarray(pellets, dtype=np.float32)
    courses, n_pellets, _ = pellets.shape
    lived = np.empty((6, creatures, courses), dtype=np.float32)
    world = world or World()
    plan = Plan(
        *(creatures, courses, n_pellets, ticks, world.steps_per_tick, isinstance(controller, Neural), _of_step(world))
    )
    kernel.simulate(plan, rows, pellets, lived)
    found = np.empty_like(lived)
    found[:, order] = lived
    collected, first_gap_m, best_gap_m, last_gap_m, travel_m, is_inside = found
    status = np.where(is_inside > 0, np.uint8(Status.LIVED), np.uint8(Status.FAILED))
    status = np.where(body.viable[:, None], status, np.uint8(Status.UNVIABLE))
    return Summary(collected, first_gap_m, best_gap_m, last_gap_m, travel_m, status)


def alike(body: Body) -> Indices:
    """Return an order of creatures in which those of equal nodes and muscles are neighbours, [P].

    The kernel passes over what no lane of a block has, so the fewer kinds of bodies a block holds, the less it does.
    """
    nodes = np.packbits(body.inverse_mass > 0, axis=0)
    muscles = np.packbits((body.stiffness_n_m != 0) | (body.damping_n_s_m != 0), axis=0)
    return np.lexsort((*muscles[::-1], *nodes))


def _of_step(world: World) -> _World:
    """Return the kernel's constants of the world; those that meet the step are combined in float64."""
    return _World(
        dt_s=world.dt_s,
        per_dt=1.0 / world.dt_s,
        gravity_dt=world.gravity_m_s2 * world.dt_s,
        drag_dt=world.drag_per_s * world.dt_s,
        restitution=world.restitution,
        bounce_m_s=world.bounce_m_s,
        sliding_share=world.sliding_share,
        breaking_squared=world.breaking_squared,
    )
