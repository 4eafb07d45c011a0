"""Separable natural evolution strategy (SNES): a mean, and a step for each gene, that follow the natural gradient.

Source: Schaul, Glasmachers & Schmidhuber 2011, "High dimensions and heavy tails for natural evolution strategies",
GECCO, algorithm 1; utilities and learning rate: Wierstra et al. 2014, JMLR 15, 949-980, table 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import selection
from atoll.evo.algorithms import sampling
from atoll.evo.genome import Population

if TYPE_CHECKING:
    from atoll.evo.algorithms.sampling import Doubles
    from atoll.evo.generation import Memory, State
    from atoll.evo.genome import Ancestry, Floats, GenomeSpec
    from atoll.evo.rng import Streams


@dataclass(frozen=True)
class Snes:
    """Implements `atoll.evo.algorithms.algorithm.Algorithm`; remembers mean [D], step [D] and origins [K, D]."""

    sigma: float  # the first step of every gene, as a share of its range

    def start(self, state: State, spec: GenomeSpec) -> Memory:
        """Begin at the best founder."""
        best, origins = sampling.founder(state.population, state.fitness)
        return {
            "mean": sampling.to_unit(best.genes[0], spec),
            "step": np.full(spec.size, self.sigma),
            "origins": origins,
        }

    def breed(self, state: State, memory: Memory, spec: GenomeSpec, *, streams: Streams) -> tuple[Population, Memory]:
        """Follow the natural gradient that the last sample shows, and draw the next one, [P, D]."""
        if state.generation > 0:  # founders were not drawn from the distribution
            memory = self._told(state, memory, spec)
        n, islands = len(state.population), state.population.islands
        z = sampling.normal(streams("sample"), (n, spec.size))
        genes = sampling.to_genes(memory["mean"], memory["step"], z, spec)
        return Population(genes, sampling.painted(memory["origins"], n, streams), islands), memory

    def mean(self, memory: Memory, spec: GenomeSpec) -> tuple[Floats, Ancestry]:
        """Return the mean as genes [D], each of the founders with the largest share in it, [D]."""
        return sampling.from_unit(memory["mean"], spec), sampling.main_origins(memory["origins"])

    def _told(self, state: State, memory: Memory, spec: GenomeSpec) -> Memory:
        mean, step, n = memory["mean"], memory["step"], len(state.population)
        z = sampling.to_samples(state.population.genes, mean, step, spec)
        weights = recombination_weights(n)[selection.ranks(state.fitness)]
        utility = (weights - 1.0 / n).astype(np.float32)  # they sum to zero, so that the "- 1" of z^2 - 1 falls out
        pulls = utility[:, None] * z
        rate = (3.0 + sampling.log(spec.size)) / (5.0 * np.sqrt(spec.size))
        mean = np.clip(mean + step * sampling.ordered_sum(pulls), 0.0, 1.0)
        pulls *= z
        step = step * sampling.exp(rate / 2.0 * sampling.ordered_sum(pulls))
        origins = sampling.recombined_shares(state.population, weights)
        return {"mean": mean, "step": np.clip(step, sampling.LEAST_STEP, 1.0), "origins": origins}


@cache
def recombination_weights(n: int) -> Doubles:
    """Return the share of each of `n` ranked individuals in the new mean, best first, summing to 1, [n]."""
    raw = np.asarray([max(0.0, sampling.log(n / 2 + 1) - sampling.log(rank)) for rank in range(1, n + 1)])
    weights = raw / sampling.ordered_sum(raw)
    weights.flags.writeable = False  # every caller gets the same array
    return weights
