"""Differential evolution (DE) as SHADE: current-to-pbest/1/bin with an archive, and factors drawn from past successes.

    mutant = parent + F (one of the best - parent) + F (another parent - one more, or one of the archive)
    trial  = the mutant where the crossover rate CR or one gene drawn says so, else the parent

What is scored are the trials, one for each parent; the parents stand in the memory. A trial replaces its parent if it
is at least as good. An immigrant competes with the parent whose trial it displaced, and teaches nothing of F and CR.

A gene of a mutant descends as the best one's does if F is 0.5 or more, else as the parent's: they weigh F and 1 - F in
it, and a difference of two others weighs nothing.

A mutant is made of differences of genomes, so it needs no unit box: a gene in other units is varied alike. A parent
keeps the score that it once had, so on a noisy task a lucky one stays.

Sources: Tanabe & Fukunaga 2013, "Success-history based parameter adaptation for differential evolution", CEC, 71-78;
2014, "Improving the search performance of SHADE using linear population size reduction", CEC, 1658-1665: history size.
Zhang & Sanderson 2009, "JADE", IEEE Transactions on Evolutionary Computation 13(5), 945-958: mutation, archive, bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import selection
from atoll.evo.algorithms import sampling
from atoll.evo.genome import Population

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atoll.evo.algorithms.sampling import Doubles
    from atoll.evo.generation import Memory, State
    from atoll.evo.genome import Floats, GenomeSpec, Indices, Mask
    from atoll.evo.rng import Streams

HISTORY_SIZE = 6
"""The authors' of 2014. With the 100 of 2013 a population of 50 took 1.5 to 6 times the evaluations on five functions
of seven, and 0.5 and 0.9 times on the other two, both of them Rastrigin's, rotated."""
FIRST = 0.5
"""F and CR in the whole history at first."""
SPREAD = 0.1
"""Of F (the scale of a Cauchy distribution) and CR (a standard deviation) around an entry of the history."""
BEST_SHARE = 0.2
"""The largest share of the parents that counts as the best; the smallest is two of them."""


@dataclass(frozen=True)
class Shade:
    """Implements `atoll.evo.algorithms.algorithm.Algorithm`.

    Remembers the parents' genes [P, D], ancestry [P, D] and fitness [P], the archive [A, D] of at most P parents that
    were beaten, the history [2, H] of F and CR, oldest first, and of each trial its F and CR [2, P] and checksum [P].
    """

    def start(self, state: State, spec: GenomeSpec) -> Memory:
        """Take the founders as parents, each its own trial."""
        population = state.population
        return {
            "parents": population.genes,
            "ancestry": population.ancestry,
            "fitness": state.fitness,
            "archive": np.empty((0, spec.size), dtype=np.float32),
            "history": np.full((2, HISTORY_SIZE), FIRST),
            "factors": np.full((2, len(population)), FIRST),
            "checksums": checksums(population.genes),
        }

    def breed(self, state: State, memory: Memory, spec: GenomeSpec, *, streams: Streams) -> tuple[Population, Memory]:
        """Let each trial compete with its parent, and make the next trials, [P, D]."""
        memory = told(state, memory, rng=streams("archive"))
        parents = Population(memory["parents"], memory["ancestry"], state.population.islands)
        factors = drawn_factors(memory["history"], len(parents), rng=streams("factors"))
        best, others, further = partners(memory["fitness"], len(memory["archive"]), rng=streams("selection"))
        pool = np.concatenate([parents.genes, memory["archive"]])
        mutants = mutated(parents.genes, (best, others, further), pool, factor=factors[0], spec=spec)
        is_mutant = crossed(factors[1], spec.size, rng=streams("crossover"))
        is_from_best = is_mutant & (factors[0] >= 0.5)[:, None]
        genes = np.where(is_mutant, mutants, parents.genes)
        ancestry = np.where(is_from_best, parents.ancestry[best], parents.ancestry)
        trials = Population(genes, ancestry, parents.islands)
        return trials, {**memory, "factors": factors, "checksums": checksums(genes)}


def told(state: State, memory: Memory, *, rng: np.random.Generator) -> Memory:
    """Return the memory after each individual of a generation has competed with the parent at its place."""
    genes, before = state.population.genes, memory["fitness"]
    is_better, is_as_good = state.fitness > before, state.fitness >= before
    is_success = is_better & (checksums(genes) == memory["checksums"])
    gains = state.fitness[is_success].astype(np.float64) - before[is_success]
    return {
        "parents": np.where(is_as_good[:, None], genes, memory["parents"]),
        "ancestry": np.where(is_as_good[:, None], state.population.ancestry, memory["ancestry"]),
        "fitness": np.where(is_as_good, state.fitness, before),
        "archive": archived(memory["archive"], memory["parents"][is_better], size=len(genes), rng=rng),
        "history": learned(memory["history"], memory["factors"][:, is_success], gains),
    }


def archived(archive: Floats, beaten: Floats, *, size: int, rng: np.random.Generator) -> Floats:
    """Return the archive with the parents just `beaten` [N, D]; of more than `size` in all, that many drawn."""
    together = np.concatenate([archive, beaten])
    if len(together) <= size:
        return together
    return together.take(np.sort(rng.permutation(len(together))[:size]), axis=0)


def learned(history: Doubles, factors: Doubles, gains: Doubles) -> Doubles:
    """Return the history [2, H] with means of F and CR [2, S] of those that gained, [S], in place of its oldest entry.

    Means are weighted by the gain: of F the Lehmer mean, of CR the arithmetic one.

    The paper overwrites the entries in turn, which is the same: a trial draws any of them alike.
    """
    if not len(gains):
        return history
    factor, rate = factors
    of_gain, of_rate, of_factor, of_square = sampling.ordered_sum(
        np.stack([gains, gains * rate, gains * factor, gains * factor * factor], axis=1)
    )
    newest = np.asarray([[of_square / of_factor], [of_rate / of_gain]])
    return np.concatenate([history[:, 1:], newest], axis=1)


def drawn_factors(history: Doubles, n: int, *, rng: np.random.Generator) -> Doubles:
    """Draw F and CR of `n` trials, each pair around one entry of the history, [2, n].

    F is drawn again until it is positive, and cut at 1; CR is clipped to 0 and 1.

    A ratio of two normal numbers has the Cauchy distribution.
    """
    centre, rate = history[:, rng.integers(history.shape[1], size=n)]
    factor = np.zeros(n)
    while len(undrawn := np.flatnonzero(factor <= 0.0)):
        over, under = sampling.normal(rng, (2, len(undrawn))).astype(np.float64)
        factor[undrawn] = centre[undrawn] + SPREAD * (over / under)
    rate = rate + SPREAD * sampling.normal(rng, (1, n))[0].astype(np.float64)
    return np.stack([np.minimum(factor, 1.0), np.clip(rate, 0.0, 1.0)])


def partners(fitness: Floats, n_archived: int, *, rng: np.random.Generator) -> tuple[Indices, Indices, Indices]:
    """Draw for each parent one of the best, another parent, and one more of parents and archive together, 3 x [P].

    The last two differ from the parent and from each other; how many count as the best is drawn too.
    """
    n = len(fitness)
    parent = np.arange(n)
    n_best = (2.0 + rng.random(n) * (max(BEST_SHARE * n, 2.0) - 2.0)).astype(np.int64)
    best = selection.best(fitness, n)[rng.integers(n_best)]
    other = (parent + rng.integers(1, n, size=n)) % n
    further = rng.integers(n + n_archived - 2, size=n)
    further += further >= np.minimum(parent, other)
    further += further >= np.maximum(parent, other)
    return best, other, further


def mutated(
    parents: Floats, chosen: tuple[Indices, Indices, Indices], pool: Floats, *, factor: Doubles, spec: GenomeSpec
) -> Floats:
    """Return the mutant of each parent, [P, D], by factors F [P]; `chosen` are places in the `pool`, see `partners`.

    A gene beyond a bound is put halfway from the parent's to it.
    """
    best, other, further = (pool.take(each, axis=0) for each in chosen)
    mutants = parents + factor.astype(np.float32)[:, None] * ((best - parents) + (other - further))
    mutants = np.where(mutants < spec.low, (spec.low + parents) / 2, mutants)
    return np.where(mutants > spec.high, (spec.high + parents) / 2, mutants)


def crossed(rate: Doubles, n_genes: int, *, rng: np.random.Generator) -> Mask:
    """Draw which genes a trial takes from its mutant by rates CR [P]: each on its own, and one in any case, [P, D]."""
    is_mutant = rng.random((len(rate), n_genes), dtype=np.float32) < rate[:, None]
    is_mutant[np.arange(len(rate)), rng.integers(n_genes, size=len(rate))] = True
    return is_mutant


def checksums(genes: Floats) -> NDArray[np.int64]:
    """Return a number for each genome, [P], by which a trial is known from an immigrant in its place: its bits' sum."""
    return np.asarray(genes.view(np.uint32).sum(axis=1, dtype=np.int64))
