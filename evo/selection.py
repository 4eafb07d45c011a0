"""Selection of who breeds and who survives: (fitness [P], rng) -> indices.

Larger fitness is better; ties go to the lower index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from atoll.evo.config import Breeding
    from atoll.evo.genome import Floats, Indices


def best(fitness: Floats, n: int) -> Indices:
    """Return the indices of the `n` best, best first, [n]."""
    return np.argsort(-fitness, kind="stable")[:n].astype(np.int64)


def worst(fitness: Floats, n: int) -> Indices:
    """Return the indices of the `n` worst, worst first; of equals the higher index counts as worse, [n]."""
    return np.argsort(-fitness, kind="stable")[::-1][:n].astype(np.int64)


def ranks(fitness: Floats) -> Indices:
    """Return the rank of each individual, 0 for the best, [P]."""
    found = np.empty(len(fitness), dtype=np.int64)
    found[best(fitness, len(fitness))] = np.arange(len(fitness))
    return found


def tournament(fitness: Floats, n: int, *, size: int, rng: np.random.Generator) -> Indices:
    """Hold `n` tournaments among `size` individuals drawn with replacement; return the winners, [n].

    Source: Goldberg & Deb 1991.
    """
    contestants = rng.integers(len(fitness), size=(n, size))
    winners = np.argmin(ranks(fitness)[contestants], axis=1)
    chosen: Indices = contestants[np.arange(n), winners]
    return chosen


def truncation(fitness: Floats, n: int, *, share: float, rng: np.random.Generator) -> Indices:
    """Draw `n` parents uniformly from the best `share` of the population (at least one individual), [n]."""
    survivors = best(fitness, max(1, round(share * len(fitness))))
    return survivors.take(rng.integers(len(survivors), size=n))


def rank(fitness: Floats, n: int, *, pressure: float, rng: np.random.Generator) -> Indices:
    """Draw `n` parents by linear ranking with stochastic universal sampling, in random order, [n].

    The best individual expects `pressure` children per P drawn, the worst `2 - pressure`.

    Source: Baker 1985 (ranking), Baker 1987 (universal sampling).
    """
    p = len(fitness)
    expected = np.linspace(pressure, 2.0 - pressure, p) if p > 1 else np.ones(1)
    edges = np.cumsum(expected)
    pointers = (rng.random() + np.arange(n)) * (edges[-1] / n)
    places = np.minimum(np.searchsorted(edges, pointers, side="right"), p - 1)
    return rng.permutation(best(fitness, p).take(places))


def parents(fitness: Floats, n: int, *, breeding: Breeding, rng: np.random.Generator) -> Indices:
    """Choose `n` parents as `breeding` says, [n]."""
    if breeding.selection == "tournament":
        return tournament(fitness, n, size=breeding.tournament_size, rng=rng)
    if breeding.selection == "truncation":
        return truncation(fitness, n, share=breeding.truncation_share, rng=rng)
    return rank(fitness, n, pressure=breeding.rank_pressure, rng=rng)
