"""The choice of an algorithm by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo.algorithms.genetic import Genetic
from atoll.evo.algorithms.sampling import check_real
from atoll.evo.algorithms.shade import Shade
from atoll.evo.algorithms.snes import Snes
from atoll.evo.config import DE, SNES

if TYPE_CHECKING:
    from atoll.evo.algorithms.algorithm import Algorithm
    from atoll.evo.config import IslandConfig
    from atoll.evo.genome import GenomeSpec


def algorithm_of(config: IslandConfig, spec: GenomeSpec) -> Algorithm:
    """Return the algorithm that a config names, with its settings.

    Raises:
        ConfigError: It cannot vary such genes.
    """
    if config.algorithm == SNES:
        check_real(spec, config.algorithm)
        return Snes(config.strategy.sigma)
    if config.algorithm == DE:
        check_real(spec, config.algorithm)
        return Shade()
    return Genetic(config.breeding)
