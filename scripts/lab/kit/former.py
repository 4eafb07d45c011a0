"""What kept rows were made with: the settings that islands had before algorithms could be chosen, and F_ST of then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.config import GA, island_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atoll.evo.config import IslandConfig
    from atoll.evo.genome import Floats, GenomeSpec
    from atoll.evo.settings import Value

BEFORE: dict[str, Value] = {
    "algorithm": GA,
    "population": 250,
    "generations": 150,
    "migrate_every": 10,
    "migrants": 5,
    "checkpoint_every": 10,
    "mutation_rate": 0.01,
    "duplicates": "accept",
    "champion_episodes": 0,
}


def former_config(island: str, values: Mapping[str, Value], options: Mapping[str, str]) -> IslandConfig:
    """Make an island's config as `island_config` does, from the defaults of before."""
    return island_config(island, {**BEFORE, **values}, options)


def former_fixation_index(groups: Sequence[Floats], spec: GenomeSpec) -> float | None:
    """Return F_ST between islands, whose genes are `groups` of [n_i, D], to the last digit of kept rows.

    It is `atoll.evo.diversity.fixation_index`, to rounding, which is computed from moments now.
    """
    low, high = spec.low.astype(np.float64), spec.high.astype(np.float64)
    shares = [(genes - low) / (high - low) for genes in groups]
    sizes = np.asarray([len(group) for group in shares], dtype=np.float64)
    r, n = len(sizes), sizes.sum()
    if r < 2:
        return None
    means = np.asarray([group.mean(axis=0) for group in shares])
    overall = sizes @ means / n
    within = sum(float(((group - mean) ** 2).sum()) for group, mean in zip(shares, means, strict=True)) / (n - r)
    between = float(sizes @ ((means - overall) ** 2).sum(axis=1)) / (r - 1)
    component = (between - within) / ((n - (sizes**2).sum() / n) / (r - 1))
    total = component + within
    return float(component / total) if total > 0 else None
