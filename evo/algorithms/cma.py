"""CMA-ES: a mean, a step and a covariance that follow those who were selected, and restarts with larger samples (IPOP).

An individual is mean + sigma * y, and y = axes (deviations * z), where z is standard normal: axes and deviations are
those of the covariance. The separable one (`sep-cma`) has the genes as axes, and remembers a variance for each gene
instead of a matrix. It learns these faster, at a cost that grows with the number of genes, not with its square.

At the bounds of the box they differ. The separable one cuts genes off there, and reads its sample back from them. With
a matrix that would be no sample of its distribution any more: what all lose at a bound looks like a long step along its
shortest axis, and the step grows without end. So the full one searches beyond the bounds, folded back into the box by
`to_box`, and remembers its sample.

Equal arguments give equal bytes: with `sep-cma` on every machine, as its sums have one order. With `cma`, LAPACK's
eigenvectors and BLAS's products have none, so only on one build of NumPy, one kind of processor and as many threads.

Sources: Hansen 2016, "The CMA evolution strategy: a tutorial", arXiv 1604.00772, whose equations are cited by number;
Ros & Hansen 2008, "A simple modification in CMA-ES achieving linear time and space complexity", PPSN X (the separable
one); Auger & Hansen 2005, "A restart CMA evolution strategy with increasing population size", CEC (restarts).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo import selection
from atoll.evo.algorithms import sampling
from atoll.evo.genome import Population

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atoll.evo.algorithms.sampling import Doubles
    from atoll.evo.generation import Memory, State
    from atoll.evo.genome import Ancestry, Floats, GenomeSpec, Indices
    from atoll.evo.rng import Streams

MAX_GROWTH = 512
"""How many times the first sample size restarts may reach, nine doublings: a flat task would end without memory."""
MAX_CONDITION = 1e14
"""Of the covariance: the square of the ratio of the longest axis to the shortest."""
MAX_LOG_GROWTH = 1.0
"""Of the step in one generation: immigrants may lie all on one side (Hansen 2011, "Injecting external solutions")."""
MARGIN = 0.01
"""How far inside of the unit box a bound shows, and how far beyond it the search goes before it is back at it."""
NEAR = 1e-6
"""How far apart in the unit box one and the same individual may lie, where another build has drawn it."""
TINY = 1e-8


@dataclass(frozen=True)
class Rates:
    """Recombination weights and learning rates, as the sources have them for a number of genes and a sample size."""

    weights: Doubles  # of the ranked individuals who count, best first; those of the worse ones are negative
    n_parents: int  # the first of them, whose weights sum to 1
    mu_eff: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float

    def eigen_interval(self, d: int) -> int:
        """Return how many generations the covariance of `d` genes changes little in: section B.2 of the tutorial."""
        return max(1, int(1.0 / (10.0 * d * (self.c_1 + self.c_mu))))


@dataclass(frozen=True)
class Cma:
    """Implements `atoll.evo.algorithms.algorithm.Algorithm`; see `begun` for what it remembers."""

    sigma: float  # the first step, as a share of each gene's range
    restart_growth: float  # factor of the sample size at each restart
    population: int  # the first sample size
    is_separable: bool

    def start(self, state: State, spec: GenomeSpec) -> Memory:
        """Begin at the best founder."""
        best, origins = sampling.founder(state.population, state.fitness)
        return self._begun(sampling.to_unit(best.genes[0], spec), origins)

    def breed(self, state: State, memory: Memory, spec: GenomeSpec, *, streams: Streams) -> tuple[Population, Memory]:
        """Learn from the last sample, start anew where it is stuck, and draw the next sample, [n, D]."""
        n, islands = len(state.population), state.population.islands
        if state.generation > 0:  # founders were not drawn from the distribution
            memory = self._told(state, memory, spec)
            if is_stuck(memory, n):
                n = min(round(n * self.restart_growth), MAX_GROWTH * self.population)
                origins = np.zeros((len(islands), spec.size))
                origins[0] = 1.0  # the island itself
                memory = self._begun(streams("restart").random(spec.size), origins)
        z = sampling.normal(streams("sample"), (n, spec.size))
        genes = drawn(memory, z, spec)
        memory = memory if self.is_separable else {**memory, "z": z}
        return Population(genes, sampling.painted(memory["origins"], n, streams), islands), memory

    def mean(self, memory: Memory, spec: GenomeSpec) -> tuple[Floats, Ancestry]:
        """Return the mean as genes [D], each of the founders with the largest share in it, [D]."""
        genes = drawn(memory, np.zeros((1, spec.size), dtype=np.float32), spec)[0]
        return genes, sampling.main_origins(memory["origins"])

    def _begun(self, place: Doubles, origins: Doubles) -> Memory:
        mean = place if self.is_separable else beyond_box(place)
        return begun(mean, self.sigma, origins, is_separable=self.is_separable)

    def _told(self, state: State, memory: Memory, spec: GenomeSpec) -> Memory:
        population, n = state.population, len(state.population)
        rates = separable_rates(spec.size, n) if self.is_separable else full_rates(spec.size, n)
        ranked = selection.best(state.fitness, len(rates.weights))
        parents = ranked[: rates.n_parents]
        shares = np.zeros(n)
        shares[parents] = rates.weights[: rates.n_parents]
        learned = told(memory, read_back(memory, population.genes, ranked, spec), rates)
        margin = 0.0 if self.is_separable else MARGIN
        return {
            **learned,
            **_stagnation(memory, state.fitness, parents),
            "mean": np.clip(learned["mean"], -margin, 1.0 + margin),
            "origins": sampling.recombined_shares(population, shares),
        }


def begun(mean: Doubles, sigma: float, origins: Doubles, *, is_separable: bool) -> Memory:
    """Return a distribution of which nothing was told yet, round in the unit box.

    Args:
        mean: In the unit box, or where `to_box` makes it lie in it, [D].
        sigma: The step.
        origins: The shares of islands' founders in the mean, [K, D].
        is_separable: The covariance is a variance for each gene, [D]; else a matrix [D, D], whose eigenvectors are the
            axes, [D, D].
    """
    d = len(mean)
    return {
        "mean": mean,
        "sigma": np.asarray(sigma),
        "covariance": np.ones(d) if is_separable else np.eye(d),
        "deviations": np.ones(d),  # along the axes, at a step of 1
        **({} if is_separable else {"axes": np.eye(d)}),
        "path_sigma": np.zeros(d),
        "path_c": np.zeros(d),
        "generations": np.asarray(0),  # told
        "level": np.asarray(0.0),  # what all parents scored, and in how many generations in a row
        "flat_generations": np.asarray(0),
        "origins": origins,
    }


def drawn(memory: Memory, z: Floats, spec: GenomeSpec) -> Floats:
    """Return the genes of the individuals at z, within their bounds, [n, D]."""
    if "axes" not in memory:
        return sampling.to_genes(memory["mean"], memory["sigma"] * memory["deviations"], z, spec)
    y = _turned(memory, z * memory["deviations"])
    return sampling.from_unit(to_box(memory["mean"] + memory["sigma"] * y), spec)


def read_back(memory: Memory, genes: Floats, ranked: Indices, spec: GenomeSpec) -> NDArray[Any]:
    """Return the z of which `drawn` makes the `ranked` of these genes [P, D], [n, D].

    Those of immigrants are none longer than is to be expected.
    """
    if "axes" not in memory:
        chosen, step = genes.take(ranked, axis=0), memory["sigma"] * memory["deviations"]
        return sampling.to_samples(chosen, memory["mean"], step, spec)
    places, z = sampling.to_unit(genes, spec), memory["z"]
    away = np.abs(places - sampling.to_unit(drawn(memory, z, spec), spec))
    is_ours = away.max(axis=1, keepdims=True) < NEAR
    y = (beyond_box(places[ranked]) - memory["mean"]) / memory["sigma"]
    theirs = sampling.bounded(y @ memory["axes"] / memory["deviations"])
    return np.where(is_ours[ranked], z[ranked], theirs)


def to_box(places: Doubles) -> Doubles:
    """Return places in the unit box: the same ones, but near the bounds, where it is a parabola, and mirrored beyond.

    So a bound is an optimum like any other, and steps around it are as good as steps elsewhere.

    Source: Hansen, `pycma`, BoxConstraintsLinQuadTransformation.
    """
    turn = 1.0 + 2.0 * MARGIN
    mirrored = np.abs(np.mod(places + MARGIN + turn, 2.0 * turn) - turn) - MARGIN
    inside = np.minimum(mirrored, 1.0 - mirrored)
    inside = np.where(inside < MARGIN, (inside + MARGIN) ** 2 / (4.0 * MARGIN), inside)
    return np.where(mirrored <= 0.5, inside, 1.0 - inside)


def beyond_box(places: Doubles) -> Doubles:
    """Return of which places `to_box` makes these, the nearest ones."""
    inside = np.minimum(places, 1.0 - places)
    inside = np.where(inside < MARGIN, 2.0 * np.sqrt(MARGIN * inside) - MARGIN, inside)
    return np.where(places <= 0.5, inside, 1.0 - inside)


def _turned(memory: Memory, along_axes: NDArray[Any]) -> NDArray[Any]:
    """Return vectors [..., D] along the axes of the covariance as vectors along the genes."""
    return along_axes @ memory["axes"].T if "axes" in memory else along_axes


def told(memory: Memory, z: NDArray[Any], rates: Rates) -> Memory:
    """Return what is remembered once the distribution follows the ranked individuals `z`, best first, [n, D].

    Source: Hansen 2016, equations 41 to 47.
    """
    d = z.shape[1]
    weighted = rates.weights[:, None].astype(z.dtype) * z
    z_mean = sampling.ordered_sum(weighted[: rates.n_parents]).astype(np.float64)
    y_mean = _turned(memory, memory["deviations"] * z_mean)

    kept, gain = 1.0 - rates.c_sigma, sqrt(rates.c_sigma * (2.0 - rates.c_sigma) * rates.mu_eff)
    path_sigma = kept * memory["path_sigma"] + gain * _turned(memory, z_mean)
    length = np.sqrt(sampling.ordered_sum(path_sigma * path_sigma)) / expected_length(d)
    log_growth = np.minimum(rates.c_sigma / rates.d_sigma * (length - 1.0), MAX_LOG_GROWTH)
    generations = int(memory["generations"]) + 1
    is_short = length < (1.4 + 2.0 / (d + 1)) * sqrt(1.0 - _power(kept, 2 * (generations + 1)))

    kept, gain = 1.0 - rates.c_c, sqrt(rates.c_c * (2.0 - rates.c_c) * rates.mu_eff)
    path_c = kept * memory["path_c"] + (gain * y_mean if is_short else 0.0)
    lost = 0.0 if is_short else rates.c_c * (2.0 - rates.c_c)
    kept = 1.0 - rates.c_1 * (1.0 - lost) - rates.c_mu * float(sampling.ordered_sum(rates.weights))
    learned = {
        **memory,
        "mean": memory["mean"] + memory["sigma"] * y_mean,
        "sigma": np.asarray(memory["sigma"] * sampling.exp(log_growth)),
        "covariance": kept * memory["covariance"]
        + rates.c_1 * (np.outer(path_c, path_c) if "axes" in memory else path_c * path_c)
        + rates.c_mu * _selected_covariance(memory, z, weighted, rates.n_parents),
        "path_sigma": path_sigma,
        "path_c": path_c,
        "generations": np.asarray(generations),
    }
    return _decomposed(learned) if generations % rates.eigen_interval(d) == 0 else learned


def _power(base: float, exponent: int) -> float:
    """Return a power by multiplications alone, the same on every machine."""
    result = 1.0
    while exponent:
        result *= base if exponent % 2 else 1.0
        base, exponent = base * base, exponent // 2
    return result


def _selected_covariance(memory: Memory, z: NDArray[Any], weighted: NDArray[Any], n_parents: int) -> Doubles:
    """Return the weighted sum of y y' of the ranked individuals, of which `weighted` is weight * z, [n, D].

    Who is no parent has a negative weight, and counts as if it were of the expected length.

    Source: Hansen 2016, equations 46 and 47.
    """
    d, deviations = z.shape[1], memory["deviations"]
    if "axes" not in memory:
        return np.asarray(deviations * deviations * sampling.ordered_sum(weighted * z))
    worse = z[n_parents:]
    weighted = weighted.copy()
    weighted[n_parents:] *= (d / (np.sum(worse * worse, axis=1) + TINY))[:, None]
    product = _turned(memory, weighted * deviations).T @ _turned(memory, z * deviations)
    return np.asarray((product + product.T) / 2.0)


def _decomposed(memory: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the memory with the axes of its covariance, none of them shorter than what genes can show."""
    axes = {}
    variances = memory["covariance"]
    if "axes" in memory:
        variances, axes["axes"] = np.linalg.eigh(variances)
    deviations = np.sqrt(np.maximum(variances, 0.0))
    return {**memory, **axes, "deviations": np.maximum(deviations, sampling.LEAST_STEP / memory["sigma"])}


def _stagnation(memory: Memory, fitness: Floats, parents: Indices) -> Memory:
    """Return in how many generations in a row all parents scored one and the same.

    Of parents, since immigrants who are worse do not get a stuck island on; and by equality, so that a transformation
    of the fitness that keeps the order changes nothing.
    """
    level = fitness[parents[0]]
    is_flat = bool(fitness[parents[-1]] == level)
    before = int(memory["flat_generations"]) if level == memory["level"] else 0
    return {"level": np.asarray(level, dtype=np.float64), "flat_generations": np.asarray(is_flat * (before + 1))}


def is_stuck(memory: Memory, n: int) -> bool:
    """Say whether a distribution with samples of `n` can be expected to find nothing more.

    Its parents have long scored one and the same, or no gene can show its steps, or its axes differ too much.

    Source: Auger & Hansen 2005, section 2: equalfunvalhist, TolX and the condition number, with float32 genes.
    """
    longest, shortest = memory["deviations"].max(), memory["deviations"].min()
    return bool(
        memory["flat_generations"] >= 10 + -(-30 * len(memory["mean"]) // n)
        or memory["sigma"] * longest <= sampling.LEAST_STEP
        or longest > sqrt(MAX_CONDITION) * shortest
    )


def expected_length(d: int) -> float:
    """Return the expected length of a vector of `d` standard normal numbers, nearly."""
    return sqrt(d) * (1.0 - 1.0 / (4.0 * d) + 1.0 / (21.0 * d * d))


@cache
def full_rates(d: int, n: int) -> Rates:
    """Return the rates of `cma` for `d` genes and samples of `n`, negative weights included.

    Source: Hansen 2016, equations 48 to 58.
    """
    raw = _logarithmic((n + 1) / 2.0, n)
    n_parents = n // 2
    mu_eff, mu_eff_of_worse = _effective(raw[:n_parents]), _effective(raw[n_parents:])
    c_1 = 2.0 / ((d + 1.3) * (d + 1.3) + mu_eff)
    c_mu = min(1.0 - c_1 - TINY, 2.0 * (mu_eff - 2.0 + 1.0 / mu_eff) / ((d + 2.0) * (d + 2.0) + mu_eff))
    total_of_worse = min(
        1.0 + c_1 / c_mu, 1.0 + 2.0 * mu_eff_of_worse / (mu_eff + 2.0), (1.0 - c_1 - c_mu) / (d * c_mu)
    )
    better, worse = raw * (raw >= 0.0), raw * (raw < 0.0)
    weights = better / sampling.ordered_sum(better) - total_of_worse * worse / sampling.ordered_sum(worse)
    c_sigma = (mu_eff + 2.0) / (d + mu_eff + 5.0)
    c_c = (4.0 + mu_eff / d) / (d + 4.0 + 2.0 * mu_eff / d)
    return Rates(_shared(weights), n_parents, mu_eff, c_sigma, _damping(d, mu_eff, c_sigma), c_c, c_1, c_mu)


@cache
def separable_rates(d: int, n: int) -> Rates:
    """Return the rates of `sep-cma` for `d` genes and samples of `n`: of the parents alone.

    Source: Ros & Hansen 2008, table 1 and section 3: that of the covariance is (d + 2) / 3 times as high as with a
    matrix. With large samples that could be more than all there is to learn, so it is bounded as the full one is.
    """
    n_parents = n // 2
    raw = _logarithmic(n_parents + 1.0, n_parents)
    mu_eff = _effective(raw)
    c_1 = 2.0 / ((d + 1.3) * (d + 1.3) + mu_eff)
    of_matrix = 2.0 / mu_eff / ((d + sqrt(2.0)) * (d + sqrt(2.0))) + (1.0 - 1.0 / mu_eff) * min(
        1.0, (2.0 * mu_eff - 1.0) / ((d + 2.0) * (d + 2.0) + mu_eff)
    )
    c_mu = min(1.0 - c_1 - TINY, (d + 2.0) / 3.0 * of_matrix)
    c_sigma = (mu_eff + 2.0) / (d + mu_eff + 3.0)
    weights = _shared(raw / sampling.ordered_sum(raw))
    return Rates(weights, n_parents, mu_eff, c_sigma, _damping(d, mu_eff, c_sigma), 4.0 / (d + 4.0), c_1, c_mu)


def _logarithmic(middle: float, n: int) -> Doubles:
    """Return how much better each of `n` ranks is than the one in the middle, by logarithms, best first."""
    return np.asarray([sampling.log(middle) - sampling.log(rank) for rank in range(1, n + 1)])


def _effective(weights: Doubles) -> float:
    """Return how many equal weights would average as well (variance effective selection mass)."""
    total = float(sampling.ordered_sum(weights))
    return total * total / float(sampling.ordered_sum(weights * weights))


def _damping(d: int, mu_eff: float, c_sigma: float) -> float:
    return 1.0 + 2.0 * max(0.0, sqrt((mu_eff - 1.0) / (d + 1.0)) - 1.0) + c_sigma


def _shared(weights: Doubles) -> Doubles:
    """Return weights that nobody can change: every caller gets the same array."""
    weights.flags.writeable = False
    return weights
