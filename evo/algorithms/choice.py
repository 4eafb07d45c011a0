"""The choice of an algorithm by its name."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from atoll.evo.algorithms.genetic import Genetic
from atoll.evo.config import AUTO, CMA, DE, EVALUATIONS, EVERY, GA, GENERATIONS, LOCKSTEP, SEP_CMA, SNES, is_user_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atoll.evo.algorithms.algorithm import Algorithm
    from atoll.evo.algorithms.user_algorithm import UserAlgorithm
    from atoll.evo.config import IslandConfig
    from atoll.evo.genome import GenomeSpec

POPULATION, POPULATION_OF_DE = 250, 100
MIGRANTS, MIGRANTS_OF_STRATEGIES = 5, 1
STRATEGIES = frozenset({SNES, SEP_CMA, CMA})
MOST_GENES_OF_CMA = 100
"""Beyond that a full covariance matrix costs more than it can learn within a usual budget."""


def settled(config: IslandConfig, spec: GenomeSpec, *, recorded: Mapping[str, Any] | None = None) -> IslandConfig:
    """Return a config with what it leaves open: algorithm, population, migrants, generations, and those between events.

    An island that was started before goes on as its checkpoint `recorded`, whatever would be chosen now.
    """
    before = recorded or {}
    algorithm = config.algorithm
    if algorithm == AUTO:
        algorithm = str(before.get("algorithm", GA)) if recorded else default_algorithm(spec)
        algorithm = default_algorithm(spec) if is_user_file(algorithm) else algorithm  # only the user names a program
    migration, is_by_itself = config.migration, not config.population
    population = config.population or before.get("population")
    population = population or max(default_population(algorithm, spec.size), migration.migrants + 1)
    migrants = migration.migrants or int(before.get("migrants") or default_migrants(algorithm, population))

    def scaled(name: str, given: int, usual: int) -> int:
        individuals = EVALUATIONS * usual // GENERATIONS
        return given or before.get(name) or (max(individuals // population, 1) if is_by_itself else usual)

    growth = 1 if migration.mode == LOCKSTEP and config.algorithm == AUTO else config.strategy.restart_growth
    return replace(
        config,
        algorithm=algorithm,
        population=population,
        generations=scaled("generations", config.generations, GENERATIONS),
        checkpoint_every=scaled("checkpoint_every", config.checkpoint_every, EVERY),
        strategy=replace(config.strategy, restart_growth=growth),
        migration=replace(
            migration, migrants=migrants, migrate_every=scaled("migrate_every", migration.migrate_every, EVERY)
        ),
    )


def default_algorithm(spec: GenomeSpec) -> str:
    """Return the algorithm for genomes of this layout, by the evidence of *Which algorithm?* in the documents."""
    if not spec.is_real.all():
        return GA
    return CMA if spec.size <= MOST_GENES_OF_CMA else SNES


def reason(spec: GenomeSpec) -> str:
    """Say what the default algorithm is chosen by."""
    if not spec.is_real.all():
        return "since genes are gates or whole numbers"
    return f"for {spec.size} real genes"


def default_population(algorithm: str, genes: int) -> int:
    """Return the individuals of a generation that an algorithm is used with.

    Source: Hansen 2016, table 1 (samples of evolution strategies, 4 + 3 ln D); Tanabe & Fukunaga 2013 (100 for SHADE).
    """
    if algorithm in STRATEGIES:
        return 4 + math.floor(3.0 * math.log(genes))
    return POPULATION_OF_DE if algorithm == DE else POPULATION


def default_migrants(algorithm: str, population: int) -> int:
    """Return the genomes of a migration: a strategy gets one, as several of one peer pull its mean the same way."""
    return min(MIGRANTS_OF_STRATEGIES if algorithm in STRATEGIES else MIGRANTS, population - 1)


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
    from atoll.evo.algorithms.sampling import check_real  # noqa: PLC0415 - an island starts sooner with its own alone

    check_real(spec, algorithm)
    if algorithm == SNES:
        from atoll.evo.algorithms.snes import Snes  # noqa: PLC0415 - as above

        return Snes(strategy.sigma)
    if algorithm in {SEP_CMA, CMA}:
        from atoll.evo.algorithms.cma import Cma  # noqa: PLC0415 - as above

        return Cma(strategy.sigma, strategy.restart_growth, config.population, is_separable=algorithm == SEP_CMA)
    from atoll.evo.algorithms.shade import Shade  # noqa: PLC0415 - as above

    return Shade()


def own_algorithm_of(config: IslandConfig, *, directory: Path | None = None) -> UserAlgorithm:
    """Return the algorithm in a user's file that a config names; see `load_user_algorithm`."""
    from atoll.evo.algorithms.user_algorithm import load_user_algorithm  # noqa: PLC0415 - imported only when wanted

    migrants = config.migration.migrants or default_migrants(config.algorithm, config.population or POPULATION)
    return load_user_algorithm(config.algorithm, least=migrants + 1, directory=directory)
