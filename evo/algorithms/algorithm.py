"""The protocol of an algorithm: frozen settings and two pure functions.

    founders --evaluate--> state, start -> memory
    state, memory --breed--> population, memory --evaluate--> state ...

An algorithm is told what its last generation scored when it is asked for the next one. By then immigrants have taken
their places among it, so they are told with it. What it has to remember is named arrays, which the checkpoint keeps;
nothing else outlives a call, so equal arguments give equal bytes and a restart goes on as if nothing had been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from atoll.evo.generation import Memory, State
    from atoll.evo.genome import GenomeSpec, Population
    from atoll.evo.rng import Streams


class Algorithm(Protocol):
    """A search algorithm."""

    def start(self, state: State, spec: GenomeSpec) -> Memory:
        """Return what to remember once the founders are scored; nothing for an algorithm without memory."""
        ...

    def breed(self, state: State, memory: Memory, spec: GenomeSpec, *, streams: Streams) -> tuple[Population, Memory]:
        """Return the next generation, [P, D], and what to remember of this one.

        Args:
            state: The last generation with its fitness [P], immigrants among it; of the founders `generation` is 0.
            memory: What the algorithm returned last.
            spec: The layout of the genes; children lie within its bounds.
            streams: Random numbers, a stream for each purpose.
        """
        ...
