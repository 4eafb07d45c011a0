"""Creatures that walk to pellets, as a task of evolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.errors import AtollError, ConfigError
from atoll.evo.genome import Floats, GenomeSpec
from atoll.evo.settings import check, option_name, recorded, setting
from atoll.evo.tasks.creatures import body
from atoll.evo.tasks.creatures.controller import CONTROLLERS
from atoll.evo.tasks.creatures.fitness import Summary, score
from atoll.evo.tasks.creatures.world import TICKS_PER_S, World, lay_courses, pellets_needed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atoll.evo.genome import Segment
    from atoll.evo.tasks.creatures.native import Kernel
    from atoll.evo.tasks.creatures.reference import Lanes, Observer
    from atoll.evo.tasks.task import OptionValue

BACKENDS = ("native", "reference", "cuda")
LIVES_AT_ONCE = {"native": 8192, "reference": 8192, "cuda": 262_144}
"""About half a second: between two calls of the kernel a stop signal is answered. Bits depend on no batch."""


@dataclass(frozen=True)
class CreatureOptions:
    """The options of the task; together they identify the problem."""

    courses: int = setting(8, "pellet layouts that every creature is scored on", low=1, high=1000)
    life_s: float = setting(30.0, "length of a life, in seconds; a multiple of 0.1", low=1 / TICKS_PER_S, high=3600.0)
    controller: str = setting("neural", "what moves the muscles", choices=tuple(CONTROLLERS))
    breaking_m_s: float = setting(
        20.0,
        "speed of a node, in m/s, at which a body breaks: it drops where it is; 0: never",
        low=0.0,
        high=1e6,
        former=0.0,
    )

    def __post_init__(self) -> None:
        check(self, spell=option_name)
        if abs(self.life_s * TICKS_PER_S - self.ticks) > 1e-6:
            raise ConfigError(f"-o life_s must be a multiple of {1 / TICKS_PER_S} s, got {self.life_s}")

    @property
    def ticks(self) -> int:
        """Number of times a creature acts in its life."""
        return round(self.life_s * TICKS_PER_S)


class Creatures:
    """Implements `atoll.evo.tasks.task.Task`; deterministic.

    The backend "auto" is the native one where it can be built, and "cuda" where a `device` is named ("cuda:0") and can
    be used; all agree bit for bit. Only the reference uses `threads`, None for as many as PyTorch likes. `world` and
    `ranges` (lowest and highest value of segments) are for experiments. Its `build` is the width or GPU and the hash of
    the kernel, and why `auto` did not choose another.

    Raises:
        ConfigError: There is no such backend, it was asked for by name and cannot be had, or `threads` is below 1.
        NoMemoryError: The GPU has no memory left.
    """

    name = "creatures"
    is_deterministic = True

    def __init__(
        self,
        options: CreatureOptions,
        *,
        backend: str = "auto",
        threads: int | None = 1,
        device: str = "",
        world: World | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise ConfigError(f"threads must be at least 1, got {threads}")
        self.backend, self.build = _choose(backend, device)
        self.options: Mapping[str, OptionValue] = MappingProxyType(recorded(options))
        self.controller = CONTROLLERS[options.controller]
        self.spec = GenomeSpec(_within(ranges or {}, body.SEGMENTS + self.controller.segments))
        self.world = replace(world or World(), breaking_m_s=options.breaking_m_s)
        self._options = options
        self._threads = threads
        self._device = device

    @property
    def n_weights(self) -> int:
        """Number of genes of the controller, the last ones of a genome, W."""
        return sum(segment.size for segment in self.controller.segments)

    @property
    def steps_per_genome(self) -> int:
        """Creature-steps that the evaluation of one genome takes."""
        return self._options.courses * self._options.ticks * self.world.steps_per_tick

    @cached_property
    def pellets(self) -> Floats:
        """The trained courses, [C, K, 2]."""
        return lay_courses(range(self._options.courses), pellets_needed(self._options.life_s))

    def evaluate(self, genes: Floats, episode: int) -> Floats:  # noqa: ARG002 - nothing here is left to chance
        """See `Task.evaluate`."""
        n = max(LIVES_AT_ONCE[self.backend] // self._options.courses, 1)
        parts = [score(self.simulate(genes[i : i + n])) for i in range(0, max(len(genes), 1), n)]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def simulate(
        self, genes: Floats, *, pellets: Floats | None = None, observe: Callable[[Lanes], Observer] | None = None
    ) -> Summary:
        """Simulate `genes` [P, D] on courses [C, K, 2], the trained ones if None.

        See `reference.simulate`, which is used if somebody observes: the lives are the same.
        """
        bodies = body.decode(genes, self.spec, density_kg_m3=self.world.density_kg_m3)
        weights = np.ascontiguousarray(genes[:, -self.n_weights :].T)
        pellets = self.pellets if pellets is None else pellets
        if self.backend != "reference" and observe is None:
            from atoll.evo.tasks.creatures import native  # noqa: PLC0415 - nothing to load for who uses the reference

            simulate = partial(native.simulate, kernel=kernel_of(self.backend, self._device))
        else:
            from atoll.evo.tasks.creatures import reference  # noqa: PLC0415 - PyTorch takes a second to import

            simulate = partial(reference.simulate, threads=self._threads, observe=observe)
        ticks = self._options.ticks
        return simulate(bodies, weights, pellets, controller=self.controller, ticks=ticks, world=self.world)


def _within(ranges: Mapping[str, tuple[float, float]], segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Return the segments, those that `ranges` names with its bounds."""
    unknown = set(ranges) - {segment.name for segment in segments}
    if unknown:
        raise ConfigError(f"ranges: no segment is called {', '.join(sorted(unknown))}")
    bounds = {segment.name: (segment.low, segment.high) for segment in segments} | dict(ranges)
    return tuple(replace(each, low=bounds[each.name][0], high=bounds[each.name][1]) for each in segments)


def _choose(backend: str, device: str) -> tuple[str, str]:
    """Return the backend to use, and which build of it, or why it is not the one that is faster or was asked for."""
    if backend not in ("auto", *BACKENDS):
        raise ConfigError(f"backend must be one of auto, {', '.join(BACKENDS)}; got {backend!r}")
    if backend == "reference":
        return backend, ""
    if backend != "auto":
        other = "native" if backend == "cuda" else "reference"
        try:
            return backend, kernel_of(backend, device).build
        except ConfigError as error:
            raise ConfigError(f"--backend {backend}: {error}; or use --backend {other}") from error
    refused: list[str] = []
    for each in ("cuda", "native") if device else ("native",):
        try:
            return each, "; ".join([kernel_of(each, device).build, *refused])
        except AtollError as error:
            refused.append(f"not {device}: {error}" if each == "cuda" else f"native is faster: {error}")
    return "reference", "; ".join(refused)


def kernel_of(backend: str, device: str) -> Kernel:
    """Return the compiled kernel of a backend; nothing of the other one is imported."""
    if backend == "cuda":
        from atoll.evo.tasks.creatures import cuda  # noqa: PLC0415 - half a second that only who has a GPU spends

        return cuda.load(device or cuda.FIRST)
    from atoll.evo.tasks.creatures import native  # noqa: PLC0415 - see `Creatures.simulate`

    return native.load()
