"""Ancestry of genes: which island's founders each one descends from, painted gene by gene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.genome import Ancestry, Indices, Population

if TYPE_CHECKING:
    from collections.abc import Sequence

FEW_ISLANDS = 12
"""Up to so many, a comparison with each is faster than one count of all."""


def of_founders(shape: tuple[int, int]) -> Ancestry:
    """Return the ancestry of founders: the island itself, first in its own table, [P, D]."""
    return np.zeros(shape, dtype=np.uint16)


def merge_tables(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    """Return my table with their unknown islands appended; my indices stay valid."""
    return mine + tuple(name for name in theirs if name not in mine)


def translate(population: Population, islands: tuple[str, ...]) -> Population:
    """Return the same individuals with ancestry that points into `islands`, which must hold all of theirs."""
    if population.islands == islands[: len(population.islands)]:
        return Population(population.genes, population.ancestry, islands)
    lookup = np.asarray([islands.index(name) for name in population.islands], dtype=np.uint16)
    return Population(population.genes, lookup[population.ancestry], islands)


def join(populations: Sequence[Population], islands: tuple[str, ...]) -> Population:
    """Return the individuals of several populations as one, with the table `islands`, which must hold all of theirs."""
    parts = [translate(each, islands) for each in populations]
    genes, painted = [each.genes for each in parts], [each.ancestry for each in parts]
    return Population(np.concatenate(genes), np.concatenate(painted), islands)


def compact(population: Population) -> Population:
    """Return the same individuals with a table of only the islands that some gene descends from."""
    used = np.flatnonzero(np.bincount(population.ancestry.reshape(-1), minlength=1))
    lookup = np.zeros(len(population.islands), dtype=np.uint16)
    lookup[used] = np.arange(len(used), dtype=np.uint16)
    return Population(population.genes, lookup[population.ancestry], tuple(population.islands[i] for i in used))


def replace(population: Population, places: Indices, newcomers: Population) -> Population:
    """Return the population with `newcomers` [N, D] in `places` [N], genes and ancestry alike."""
    islands = merge_tables(population.islands, newcomers.islands)
    newcomers = translate(newcomers, islands)
    genes, ancestry = population.genes.copy(), population.ancestry.copy()
    genes[places], ancestry[places] = newcomers.genes, newcomers.ancestry
    return Population(genes, ancestry, islands)


def shares(population: Population) -> dict[str, float]:
    """Return the share of all genes that descends from each island's founders; the shares sum to 1."""
    painted, n_islands = population.ancestry, len(population.islands)
    if n_islands <= FEW_ISLANDS:
        counts = [np.count_nonzero(painted == island) for island in range(n_islands)]
    else:
        counts = np.bincount(painted.reshape(-1), minlength=n_islands).tolist()
    return {name: n / painted.size for name, n in zip(population.islands, counts, strict=True) if n}
