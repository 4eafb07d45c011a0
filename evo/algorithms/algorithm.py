"""The protocol of an algorithm: frozen settings and two pure functions.

    founders --evaluate--> state, start -> memory
    state, memory --breed--> population, memory --evaluate--> state ...

An algorithm is told what its last generation scored when it is asked for the next one. By then immigrants have taken
their places among it, so they are told with it. What it has to remember is named arrays, which the checkpoint keeps;
nothing else outlives a call, so equal arguments give equal bytes and a restart goes on as if nothing had been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from atoll.evo.genome import Population

if TYPE_CHECKING:
    from atoll.evo.generation import Memory, State
    from atoll.evo.genome import GenomeSpec
    from atoll.evo.rng import Streams


class Algorithm(Protocol):
    """A search algorithm.

    One that samples around a mean may have a third function, which makes that mean a candidate for champion of a noisy
    task; `Snes` has it:

        def mean(self, memory: Memory, spec: GenomeSpec) -> tuple[Floats, Ancestry]:
            Return the mean as genes [D], and whose founders each of them descends from, [D].
    """

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


def mean_of(algorithm: Algorithm, memory: Memory, spec: GenomeSpec, islands: tuple[str, ...]) -> Population | None:
    """Return the mean of an algorithm's search distribution, [1, D], if it has one; its origins are among `islands`.

    There is none before the algorithm has started, when it remembers nothing.
    """
    mean = getattr(algorithm, "mean", None)
    if mean is None or not memory:
        return None
    genes, origins = mean(memory, spec)
    return Population(genes[None], origins[None], islands)
