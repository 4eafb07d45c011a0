"""The choice of an algorithm by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo.algorithms.cma import Cma
from atoll.evo.algorithms.genetic import Genetic
from atoll.evo.algorithms.sampling import check_real
from atoll.evo.algorithms.shade import Shade
from atoll.evo.algorithms.snes import Snes
from atoll.evo.config import CMA, GA, SEP_CMA, SNES

if TYPE_CHECKING:
    from atoll.evo.algorithms.algorithm import Algorithm
    from atoll.evo.config import IslandConfig
    from atoll.evo.genome import GenomeSpec


def algorithm_of(config: IslandConfig, spec: GenomeSpec) -> Algorithm:
    """Return the algorithm that a config names, with its settings.

    Raises:
        ConfigError: It cannot vary such genes.
    """
    algorithm, strategy = config.algorithm, config.strategy
    if algorithm == GA:
        return Genetic(config.breeding)
    check_real(spec, algorithm)
    if algorithm == SNES:
        return Snes(strategy.sigma)
    if algorithm in {SEP_CMA, CMA}:
        return Cma(strategy.sigma, strategy.restart_growth, config.population, is_separable=algorithm == SEP_CMA)
    return Shade()
