"""The genetic algorithm: elites, selection of parents, crossover and mutation; it remembers nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.evo import selection, variation

if TYPE_CHECKING:
    from atoll.evo.config import Breeding
    from atoll.evo.generation import Memory, State
    from atoll.evo.genome import GenomeSpec, Population
    from atoll.evo.rng import Streams


@dataclass(frozen=True)
class Genetic:
    """Implements `atoll.evo.algorithms.algorithm.Algorithm` as a generational genetic algorithm."""

    breeding: Breeding

    def start(self, state: State, spec: GenomeSpec) -> Memory:  # noqa: ARG002 - the population is all there is
        """Return nothing to remember."""
        return {}

    def breed(
        self,
        state: State,
        memory: Memory,
        spec: GenomeSpec,
        *,
        streams: Streams,
    ) -> tuple[Population, Memory]:
        """Return the next generation: the elites unchanged, then the children of selected parents, [P, D]."""
        breeding = self.breeding
        elites = selection.best(state.fitness, breeding.n_elites(len(state.population)))
        n = len(state.population) - len(elites)
        couples = selection.parents(state.fitness, 2 * n, breeding=breeding, rng=streams("selection")).reshape(2, n)
        children = variation.crossover(
            state.population, couples, elites=elites, spec=spec, breeding=breeding, rng=streams("crossover")
        )
        rng = streams("mutation")
        return variation.mutate(children, n_elites=len(elites), spec=spec, breeding=breeding, rng=rng), memory
