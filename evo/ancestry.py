"""Which island's founders each gene descends from, painted gene by gene."""

from __future__ import annotations

import numpy as np

from evo.genome import Indices, Owners, Population


def found(shape: tuple[int, int]) -> Owners:
    """Return the owners of founders: the island itself, first in its own table, [P, D]."""
    return np.zeros(shape, dtype=np.uint16)


def merge_tables(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    """Return my table with their unknown islands appended; my indices stay valid."""
    return mine + tuple(name for name in theirs if name not in mine)


def translate(population: Population, islands: tuple[str, ...]) -> Population:
    """Return the same individuals with owners that point into `islands`, which must hold all of theirs."""
    if population.islands == islands[: len(population.islands)]:
        return Population(population.genes, population.owners, islands)
    lookup = np.asarray([islands.index(name) for name in population.islands], dtype=np.uint16)
    return Population(population.genes, lookup[population.owners], islands)


def compact(population: Population) -> Population:
    """Return the same individuals with a table of only the islands that some gene descends from."""
    used = np.unique(population.owners)
    lookup = np.zeros(len(population.islands), dtype=np.uint16)
    lookup[used] = np.arange(len(used), dtype=np.uint16)
    return Population(population.genes, lookup[population.owners], tuple(population.islands[i] for i in used))


def replace(population: Population, places: Indices, newcomers: Population) -> Population:
    """Return the population with `newcomers` [N, D] in `places` [N], genes and owners alike."""
    islands = merge_tables(population.islands, newcomers.islands)
    newcomers = translate(newcomers, islands)
    genes, owners = population.genes.copy(), population.owners.copy()
    genes[places], owners[places] = newcomers.genes, newcomers.owners
    return Population(genes, owners, islands)


def shares(population: Population) -> dict[str, float]:
    """Return the share of all genes that descends from each island's founders; the shares sum to 1."""
    counts = np.bincount(population.owners.reshape(-1), minlength=len(population.islands))
    total = population.owners.size
    return {name: int(n) / total for name, n in zip(population.islands, counts, strict=True) if n}
