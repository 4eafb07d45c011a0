"""Selection of emigrants and replacement of residents: the policies, by the names that settings have. Pure.

Selection of emigrants      best            the K best
                            random          K different ones, all alike
                            tournament      the winners of K tournaments, each among those not chosen yet
                            most-different  of the better half the best, then whoever differs most from those chosen
Replacement of residents    worst           the N worst
                            random          N different ones, all alike, the best not spared
                            most-similar    for each immigrant the one most similar to it
                            only-if-better  the worst for the best immigrant and so on, while that one is better

Where duplicates are avoided, emigrants are chosen from the best copy of each genome, so that no two are alike.
How different two genomes are is `atoll.evo.diversity.distances`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import diversity, selection
from atoll.evo.config import AVOID
from atoll.evo.genome import NO_PLACE

if TYPE_CHECKING:
    from atoll.evo.config import Migration
    from atoll.evo.genome import Floats, GenomeSpec, Indices


def emigrants(
    genes: Floats, fitness: Floats, *, migration: Migration, spec: GenomeSpec, rng: np.random.Generator
) -> Indices:
    """Choose who leaves by the policy: K different residents, or all if there are no more.

    Of the residents are `genes`, [P, D], and `fitness`, [P]; only random policies draw from `rng`.
    """
    if migration.duplicates == AVOID:
        places = distinct(genes, fitness)
        return places.take(_emigrants(genes[places], fitness[places], migration=migration, spec=spec, rng=rng))
    return _emigrants(genes, fitness, migration=migration, spec=spec, rng=rng)


def _emigrants(
    genes: Floats, fitness: Floats, *, migration: Migration, spec: GenomeSpec, rng: np.random.Generator
) -> Indices:
    k = min(migration.migrants, len(fitness))
    if migration.emigrant_selection == "best":
        return selection.best(fitness, k)
    if migration.emigrant_selection == "random":
        return rng.choice(len(fitness), k, replace=False)
    if migration.emigrant_selection == "tournament":
        return tournament(fitness, k, size=migration.emigrant_tournament_size, rng=rng)
    return most_different(genes, fitness, k, spec=spec)


def distinct(genes: Floats, fitness: Floats) -> Indices:
    """Return where the distinct genomes live, of copies the best one, in the order of their places, [N <= P]."""
    ranked = selection.best(fitness, len(fitness))
    is_best = diversity.first_alike(genes[ranked]) == np.arange(len(ranked))
    return np.sort(ranked[is_best])


def displaced(
    genes: Floats,
    fitness: Floats,
    immigrants: Floats,
    scores: Floats,
    *,
    migration: Migration,
    spec: GenomeSpec,
    rng: np.random.Generator,
) -> Indices:
    """Choose who makes room: a place of its own for each immigrant, or `NO_PLACE`, [N].

    Of the residents are `genes`, [P, D], and `fitness`, [P]; `immigrants`, [N, D], are at most P, and scored `scores`,
    [N], here. Only the random policy draws from `rng`.
    """
    if migration.replacement == "worst":
        return selection.worst(fitness, len(scores))
    if migration.replacement == "random":
        return rng.choice(len(fitness), len(scores), replace=False)
    if migration.replacement == "most-similar":
        return most_similar(genes, immigrants, spec=spec)
    return only_if_better(fitness, scores)


def tournament(fitness: Floats, k: int, *, size: int, rng: np.random.Generator) -> Indices:
    """Hold `k` tournaments among `size` drawn with replacement from those who have not won yet; return the winners."""
    left = selection.best(fitness, len(fitness))  # by rank: the lowest place drawn wins
    chosen = np.empty(k, dtype=np.int64)
    for i in range(k):
        winner = rng.integers(len(left), size=size).min()
        chosen[i] = left[winner]
        left = np.delete(left, winner)
    return chosen


def most_different(genes: Floats, fitness: Floats, k: int, *, spec: GenomeSpec) -> Indices:
    """Return of the better half (of `k` at least) the best, then whoever is furthest from the nearest one chosen, [k].

    Source: Araujo & Merelo 2011, IEEE Trans. Evol. Comput. 15(4), 456-469 (migrants that differ, and are good enough);
    the order is the farthest-first traversal of Gonzalez 1985.
    """
    better = selection.best(fitness, max(k, (len(fitness) + 1) // 2))
    candidates = genes[better]
    nearest = np.full(len(better), np.inf)
    chosen: list[int] = []
    while len(chosen) < k:
        chosen.append(int(np.argmax(nearest)))  # of equals the better one
        nearest = np.minimum(nearest, diversity.distances(candidates, candidates[chosen[-1:]], spec)[:, 0])
        nearest[chosen] = -1.0  # a clone of somebody chosen is still somebody else
    return better[chosen]


def most_similar(genes: Floats, immigrants: Floats, *, spec: GenomeSpec) -> Indices:
    """Return for each immigrant the resident most similar to it; the closest pair of all is settled first, [N].

    Source: De Jong 1975 (crowding); settling pairs by distance makes the order of arrival mean nothing.
    """
    apart = diversity.distances(immigrants, genes, spec)
    places = np.full(len(immigrants), NO_PLACE, dtype=np.int64)
    for _ in range(len(immigrants)):
        immigrant, resident = np.unravel_index(np.argmin(apart), apart.shape)
        places[immigrant] = resident
        apart[immigrant, :] = apart[:, resident] = np.inf
    return places


def only_if_better(fitness: Floats, scores: Floats) -> Indices:
    """Return the worst resident for the best immigrant and so on, and no place from where that one is not better, [N].

    So the island keeps the P best of residents and immigrants, residents before immigrants who are their equals.
    """
    arrived, worst = selection.best(scores, len(scores)), selection.worst(fitness, len(scores))
    places = np.full(len(scores), NO_PLACE, dtype=np.int64)
    is_better = scores[arrived] > fitness[worst]
    places[arrived[is_better]] = worst[is_better]
    return places
