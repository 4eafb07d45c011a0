"""The choice of an algorithm by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo.algorithms.cma import Cma
from atoll.evo.algorithms.genetic import Genetic
from atoll.evo.algorithms.sampling import check_real
from atoll.evo.algorithms.shade import Shade
from atoll.evo.algorithms.snes import Snes
from atoll.evo.config import CMA, GA, SEP_CMA, SNES, is_user_file

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.algorithms.algorithm import Algorithm
    from atoll.evo.algorithms.user_algorithm import UserAlgorithm
    from atoll.evo.config import IslandConfig
    from atoll.evo.genome import GenomeSpec


def algorithm_of(config: IslandConfig, spec: GenomeSpec, *, directory: Path | None = None) -> Algorithm:
    """Return the algorithm that a config names, with its settings; `directory` is where it was named.

    Raises:
        ConfigError: It cannot vary such genes, or there is no such file.
        TaskError: A user's file fails.
    """
    algorithm, strategy = config.algorithm, config.strategy
    if is_user_file(algorithm):
        return own_algorithm_of(config, directory=directory)
    if algorithm == GA:
        return Genetic(config.breeding)
    check_real(spec, algorithm)
    if algorithm == SNES:
        return Snes(strategy.sigma)
    if algorithm in {SEP_CMA, CMA}:
        return Cma(strategy.sigma, strategy.restart_growth, config.population, is_separable=algorithm == SEP_CMA)
    return Shade()


def own_algorithm_of(config: IslandConfig, *, directory: Path | None = None) -> UserAlgorithm:
    """Return the algorithm in a user's file that a config names; see `load_user_algorithm`."""
    from atoll.evo.algorithms.user_algorithm import load_user_algorithm  # noqa: PLC0415 - imported only when wanted

    return load_user_algorithm(config.algorithm, least=config.migration.migrants + 1, directory=directory)
