"""The settings that islands had before algorithms could be chosen: those that kept rows were made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo.config import GA, island_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.config import IslandConfig
    from atoll.evo.settings import Value

BEFORE: dict[str, Value] = {
    "algorithm": GA,
    "population": 250,
    "generations": 150,
    "migrate_every": 10,
    "checkpoint_every": 10,
    "mutation_rate": 0.01,
    "duplicates": "accept",
    "champion_episodes": 0,
}


def former_config(island: str, values: Mapping[str, Value], options: Mapping[str, str]) -> IslandConfig:
    """Make an island's config as `island_config` does, from the defaults of before."""
    return island_config(island, {**BEFORE, **values}, options)
