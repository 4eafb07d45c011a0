"""Genetic diversity: how different individuals are, within an island and between islands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.genome import Floats, GenomeSpec, Indices, Population

Doubles = NDArray[np.float64]

MAX_DOUBLES = 1 << 16
"""Genes whose moments are taken at a time, since as doubles they are large."""


@dataclass(frozen=True)
class Moments:
    """Moments of a population, its genes taken as shares of their range: sufficient statistics of F_ST.

    Attributes:
        individuals: How many there are, 1 at least.
        mean: The mean of each gene, [D].
        squares: Squared deviations from these means, summed over all genes of all individuals.
    """

    individuals: int
    mean: Doubles
    squares: float


COMPARED_GENES = 1 << 18
"""Genes that are compared at a time, since they are copied for it."""


def first_alike(*groups: Floats) -> Indices:
    """Return for each genome of the groups, [P, D] each, the index of the first one with the very same bytes, [ΣP].

    It is its own index if it is distinct; indices run on from one group to the next. Equal genomes have equal
    checksums, so only those that share theirs are brought together and compared: while a population evolves, few.
    """
    words = [np.ascontiguousarray(genes).view(np.uint32) for genes in groups]
    checksums = np.concatenate([np.bitwise_xor.reduce(each, axis=1) for each in words])
    order = np.argsort(checksums)
    is_shared = np.zeros(len(order) + 1, dtype=np.bool_)  # with that of the one before it, in order
    is_shared[1:-1] = checksums[order[1:]] == checksums[order[:-1]]
    places = np.sort(order[is_shared[1:] | is_shared[:-1]])
    first = np.arange(len(checksums))
    if len(places):
        ends = np.cumsum([len(each) for each in words])
        parts = np.split(places, np.searchsorted(places, ends[:-1]))
        starts = [0, *ends[:-1]]
        suspects = [each.take(part - start, axis=0) for each, part, start in zip(words, parts, starts, strict=True)]
        first[places] = places[_first_of_equal(np.concatenate(suspects))]
    return first


def _first_of_equal(words: NDArray[np.uint32]) -> Indices:
    """Return for each row, [P, D], the index of the first equal one.

    Rows are sorted by their bytes, which takes a third of the time of a hash of each.
    """
    order = np.argsort(words.view(f"V{words.shape[1] * words.itemsize}")[:, 0], kind="stable")
    is_first = np.ones(len(words), dtype=np.bool_)
    step = max(COMPARED_GENES // words.shape[1], 1)
    for start in range(1, len(words), step):
        ordered = words.take(order[start - 1 : start + step], axis=0)
        is_first[start : start + step] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.empty_like(order)
    first[order] = order[is_first][np.cumsum(is_first) - 1]
    return first


def distinct(genes: Floats) -> int:
    """Return the number of distinct genomes among `genes` [P, D]."""
    return int(np.count_nonzero(first_alike(genes) == np.arange(len(genes))))


def gene_deviation(population: Population, spec: GenomeSpec) -> float:
    """Return the mean over genes of their standard deviation, as a share of the gene's range.

    Uniformly random real genomes have about 0.289, a converged population 0.
    """
    # Float32 takes half as long as float64; measured from any individual, clones differ by nothing in it either.
    squares = population.genes - population.genes[0]
    squares -= squares.mean(axis=0)
    squares *= squares
    return float(np.mean(np.sqrt(squares.mean(axis=0)) / (spec.high - spec.low)))


def distances(one: Floats, other: Floats, spec: GenomeSpec) -> Doubles:
    """Return how different each genome of `one` [N, D] is from each of `other` [M, D], [N, M], from 0 to 1.

    It is the mean over genes of their difference as a share of the gene's range, which treats gates, whole numbers and
    real ones alike.

    Source: Gower 1971, Biometrics 27(4), 857-871.
    """
    here, there = _as_shares(one, spec), _as_shares(other, spec)
    apart = np.empty((len(here), len(there)))
    for i, genome in enumerate(there):
        apart[:, i] = np.abs(here - genome).mean(axis=1)
    return apart


def fixation_index(groups: Sequence[Floats], spec: GenomeSpec) -> float | None:
    """Return F_ST: which share of all genetic variance lies between islands, whose genes are `groups` of [n_i, D].

    0 is expected where islands are random samples of one population (the estimate may be a little below), 1 is reached
    where each consists of clones of its own. None where there is no variance, or no two islands, or nobody to compare.

    A gene is a locus, its value as a share of its range the allelic state, and squared differences are summed over all
    loci; the components of variance are those of a one-way analysis of variance with unequal sizes n_i, N in all, of r
    islands: with the mean squares MSA between and MSW within,

        n0 = (N - sum(n_i^2) / N) / (r - 1),   s_a = (MSA - MSW) / n0,   F_ST = s_a / (s_a + MSW).

    That is Phi_ST of Excoffier, Smouse & Quattro 1992 (Genetics 131, 479-491, AMOVA) with squared Euclidean distances;
    on gates it is the haploid theta of Weir & Cockerham 1984 (Evolution 38, 1358-1370), ratio of sums over loci.
    """
    return fixation_index_of([moments(genes, spec) for genes in groups if len(genes)])


def fixation_index_of(groups: Sequence[Moments]) -> float | None:
    """Return F_ST between islands from the moments of their populations; see `fixation_index`."""
    sizes = np.asarray([group.individuals for group in groups], dtype=np.float64)
    r, n = len(sizes), sizes.sum()
    if r < 2 or n <= r:
        return None
    apart = np.asarray([group.mean for group in groups]) - groups[0].mean  # islands that are alike differ by nothing
    overall = sizes @ apart / n
    within = sum(group.squares for group in groups) / (n - r)
    between = float(sizes @ ((apart - overall) ** 2).sum(axis=1)) / (r - 1)
    n0 = (n - (sizes**2).sum() / n) / (r - 1)
    component = (between - within) / n0
    total = component + within
    return float(component / total) if total > 0 else None


def moments(genes: Floats, spec: GenomeSpec) -> Moments:
    """Return the moments of a population of `genes`, [P, D], P at least 1.

    Everything is measured from the first individual, so that clones differ by nothing and little is lost by rounding.
    """
    low, high, first = (each.astype(np.float64) for each in (spec.low, spec.high, genes[0]))
    total, squares = np.zeros(spec.size), np.zeros(spec.size)
    rows = max(MAX_DOUBLES // spec.size, 1)
    for start in range(0, len(genes), rows):
        apart = genes[start : start + rows] - first
        total += apart.sum(axis=0)
        apart *= apart
        squares += apart.sum(axis=0)
    squares -= total * total / len(genes)
    mean = (first - low + total / len(genes)) / (high - low)
    return Moments(len(genes), mean, max(float((squares / (high - low) ** 2).sum()), 0.0))


def _as_shares(genes: Floats, spec: GenomeSpec) -> Doubles:
    """Return genes as shares of their range, [..., D]."""
    low, high = spec.low.astype(np.float64), spec.high.astype(np.float64)
    return (genes - low) / (high - low)
