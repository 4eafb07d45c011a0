"""Creatures that walk to pellets, as a task of evolution."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from evo.errors import ConfigError
from evo.genome import Floats, GenomeSpec
from evo.tasks.creatures import body, course
from evo.tasks.creatures.controller import controller_named
from evo.tasks.creatures.fitness import Summary, score
from evo.tasks.creatures.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evo.tasks.creatures.options import CreatureOptions
    from evo.tasks.task import OptionValue

BACKENDS = ("reference",)


class Creatures:
    """Implements `evo.tasks.task.Task`; deterministic.

    Args:
        options: The problem.
        backend: What lives the lives; "auto" takes the fastest there is. All agree bit for bit.
        threads: Threads that the backend may use.

    Raises:
        ConfigError: There is no such backend, or `threads` is below 1.
    """

    name = "creatures"

    def __init__(self, options: CreatureOptions, *, backend: str = "auto", threads: int = 1) -> None:
        if backend not in ("auto", *BACKENDS):
            raise ConfigError(f"backend: expected one of auto, {', '.join(BACKENDS)}, got {backend!r}")
        if threads < 1:
            raise ConfigError(f"threads: expected at least 1, got {threads}")
        self.backend = BACKENDS[0] if backend == "auto" else backend
        self.options: Mapping[str, OptionValue] = MappingProxyType(asdict(options))
        self.controller = controller_named(options.controller)
        self.spec = GenomeSpec(body.SEGMENTS + self.controller.segments)
        self._options = options
        self._threads = threads

    @property
    def steps_per_genome(self) -> int:
        """Creature-steps that the evaluation of one genome takes."""
        return self._options.courses * self._options.ticks * World().steps_per_tick

    @cached_property
    def pellets(self) -> Floats:
        """The trained courses, [C, K, 2]."""
        return course.lay(range(self._options.courses), course.pellets_needed(self._options.life_s))

    def evaluate(self, genes: Floats, episode: int) -> Floats:  # noqa: ARG002  nothing here is left to chance
        """See `Task.evaluate`."""
        bodies = body.decode(genes, self.spec)
        return score(self.live(genes, bodies), bodies.viable)

    def live(self, genes: Floats, bodies: body.Body | None = None, pellets: Floats | None = None) -> Summary:
        """Live the lives of `genes` [P, D], on the trained courses unless others are given, [C, K, 2]."""
        from evo.tasks.creatures import reference  # noqa: PLC0415  PyTorch takes a second to import

        weights = np.ascontiguousarray(genes[:, -sum(s.size for s in self.controller.segments) :].T)
        return reference.live(
            body.decode(genes, self.spec) if bodies is None else bodies,
            weights,
            self.pellets if pellets is None else pellets,
            controller=self.controller,
            ticks=self._options.ticks,
            threads=self._threads,
        )
