"""The native evaluator: one thread, one vectorised kernel, whole lives of as many creatures as the vector unit is wide.

`kernel/life.cpp` does what `reference` specifies, bit for bit. It is written with the vector extensions of GCC and
Clang, so the same source serves any width; it is built for one of few named targets rather than for "this processor",
because a name says what is in the library, and a library can then be kept for every machine that has those features.
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

    from atoll.evo.genome import Floats
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
    """A kind of processor.

    Attributes:
        lanes: Float32 numbers in one vector.
        features: What /proc/cpuinfo must list.
    """

    lanes: int
    features: tuple[str, ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags that tell a compiler of it."""
        return (f"-DLANES={self.lanes}", *(f"-m{feature}" for feature in self.features))


TARGETS = (
    Target(16, ("avx512f", "avx512bw", "avx512dq", "avx512vl")),
    Target(8, ("avx2",)),
    Target(4),  # what every x86-64 and every 64-bit ARM processor has
)


@dataclass(frozen=True)
class Kernel:
    """A compiled kernel: `simulate(plan, rows, pellets, out)`."""

    simulate: Callable[..., None]
    lanes: int
    sha256: str


class _World(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_float)
        for name in ("dt_s", "per_dt", "gravity_dt", "drag_dt", "restitution", "bounce_m_s", "sliding_share")
    )


class _Plan(ctypes.Structure):
    _fields_ = (
        ("creatures", ctypes.c_long),
        ("courses", ctypes.c_long),
        ("pellets", ctypes.c_long),
        ("ticks", ctypes.c_long),
        ("steps_per_tick", ctypes.c_long),
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
    numbers = (f"-D{name}={float(np.float32(value)).hex()}f" for name, value in CONSTANTS.items())
    sizes = (f"-D{name}={size}" for name, size in SIZES.items())
    library = compiler.load(SOURCE, (*FLAGS, *target.flags, *numbers, *sizes))
    function = getattr(library.functions, "live", None)
    if function is None:
        raise ConfigError(f"what {compiler.find()} made of {SOURCE.name} has no function 'live'")
    function.argtypes = [ctypes.POINTER(_Plan), ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    function.restype = None
    return Kernel(function, target.lanes, library.sha256)


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
    """Simulate P creatures on C courses, as `reference.simulate` does; with a `kernel` for another target, if given.

    Raises:
        ConfigError: See `load`.
        ValueError: The weights are not the controller's.
    """
    kernel = kernel or load()
    n_weights, creatures = weights.shape
    expected = sum(segment.size for segment in controller.segments)
    if n_weights != expected:
        raise ValueError(f"weights: expected [{expected}, P], got {weights.shape}")
    position_m = body.position_m.reshape(3 * NODES, creatures)
    rows = np.concatenate([position_m, *(getattr(body, name) for name in ROWS), weights], dtype=np.float32)
    pellets = np.ascontiguousarray(pellets, dtype=np.float32)
    courses, n_pellets, _ = pellets.shape
    out = np.empty((6, creatures, courses), dtype=np.float32)
    plan = _plan(creatures, courses, n_pellets, ticks, is_neural=isinstance(controller, Neural), world=world)
    kernel.simulate(plan, rows.ctypes.data, pellets.ctypes.data, out.ctypes.data)
    collected, first_gap_m, best_gap_m, last_gap_m, travel_m, is_inside = out
    status = np.where(is_inside > 0, np.uint8(Status.LIVED), np.uint8(Status.FAILED))
    return Summary(
        collected=collected,
        first_gap_m=first_gap_m,
        best_gap_m=best_gap_m,
        last_gap_m=last_gap_m,
        travel_m=travel_m,
        status=np.where(body.viable[:, None], status, np.uint8(Status.UNVIABLE)),
    )


def _plan(creatures: int, courses: int, pellets: int, ticks: int, *, is_neural: bool, world: World | None) -> _Plan:
    """Write down the kernel's orders; constants of the world that meet the step are combined in float64."""
    here = world or World()
    of_world = _World(
        here.dt_s,
        1.0 / here.dt_s,
        here.gravity_m_s2 * here.dt_s,
        here.drag_per_s * here.dt_s,
        here.restitution,
        here.bounce_m_s,
        here.sliding_share,
    )
    return _Plan(creatures, courses, pellets, ticks, here.steps_per_tick, is_neural, of_world)
