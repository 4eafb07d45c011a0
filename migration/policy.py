"""Who leaves an island, and who makes room for those who arrive. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evo import selection

if TYPE_CHECKING:
    from evo.genome import Floats, Indices


def emigrants(fitness: Floats, k: int) -> Indices:
    """Selection policy `best`: the `k` best of `fitness` [P], best first."""
    return selection.best(fitness, k)


def displaced(fitness: Floats, k: int) -> Indices:
    """Replacement policy `worst`: the `k` worst of `fitness` [P], worst first."""
    return selection.worst(fitness, k)
