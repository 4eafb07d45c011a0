"""What a config leaves open is chosen by the genes alone, or is what the island was started with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.algorithms.choice import MOST_GENES_OF_CMA, STRATEGIES, default_population, reason, settled
from atoll.evo.config import EVALUATIONS, EVERY, GENERATIONS, LEAST_POPULATION, OWN_SETTINGS, island_config
from atoll.evo.errors import ConfigError
from atoll.evo.genome import GenomeSpec, Segment
from atoll.evo.settings import former, setting_fields
from tests.problems import MIXED
from tests.strategies import specs

MANY = GenomeSpec((Segment("x", MOST_GENES_OF_CMA + 1),))
FEW = GenomeSpec((Segment("x", MOST_GENES_OF_CMA),))


def config(**values):
    return island_config("a", values, {})


@pytest.mark.parametrize(("spec", "algorithm"), [(MIXED, "ga"), (FEW, "cma"), (MANY, "snes")])
def test_the_algorithm_follows_from_the_genes(spec, algorithm):
    assert settled(config(), spec).algorithm == algorithm
    assert reason(spec)


@given(specs())
def test_what_is_settled_stays_so(spec):
    once = settled(config(), spec)
    assert settled(once, spec) == once


@pytest.mark.parametrize("algorithm", OWN_SETTINGS)
@pytest.mark.parametrize("genes", [1, 2, 10, 521])
def test_an_algorithm_gets_a_population_that_it_can_learn_from_and_whose_migrants_are_a_part(algorithm, genes):
    spec = GenomeSpec((Segment("x", genes),))
    found = settled(config(algorithm=algorithm, migrants=5), spec)
    assert found.population == max(default_population(algorithm, genes), 6) >= LEAST_POPULATION[algorithm]


@pytest.mark.parametrize("algorithm", OWN_SETTINGS)
def test_generations_make_as_many_individuals_whatever_the_population_is_by_itself(algorithm):
    found = settled(config(algorithm=algorithm), FEW)
    n = found.population
    assert EVALUATIONS - n < found.generations * n <= EVALUATIONS
    every = EVALUATIONS * EVERY // GENERATIONS
    assert every - n < found.migration.migrate_every * n <= every
    assert found.checkpoint_every == found.migration.migrate_every


@given(st.integers(6, 1000))
def test_who_says_the_population_means_generations_as_they_always_were(population):
    found = settled(config(population=population), FEW)
    assert (found.population, found.generations) == (population, GENERATIONS)
    assert (found.checkpoint_every, found.migration.migrate_every) == (EVERY, EVERY)


@pytest.mark.parametrize("algorithm", OWN_SETTINGS)
def test_a_strategy_is_told_of_one_migrant_and_others_of_five_or_of_as_many_as_there_are(algorithm):
    usual = 1 if algorithm in STRATEGIES else 5
    assert settled(config(algorithm=algorithm), FEW).migration.migrants == usual
    few = config(algorithm=algorithm, population=4, **({"tournament_size": 2} if algorithm == "ga" else {}))
    assert settled(few, FEW).migration.migrants == min(usual, 3)
    recorded = {"algorithm": algorithm, "population": 12, "migrants": 4}
    assert settled(config(), FEW, recorded=recorded).migration.migrants == 4


def test_what_the_user_says_is_never_changed():
    said = config(algorithm="de", population=9, generations=8, checkpoint_every=7, migrate_every=6, migrants=3)
    assert settled(said, MANY) == said
    assert settled(said, MANY, recorded={"algorithm": "snes", "population": 22, "generations": 5}) == said


def test_an_island_goes_on_as_it_was_started_whatever_would_be_chosen_now():
    started = settled(config(algorithm="sep-cma", population=12, generations=40, migrate_every=3), MANY)
    assert settled(config(), MANY, recorded=started.settings()) == started


def test_an_island_of_before_goes_on_by_the_genetic_algorithm():
    former_ga = config(
        algorithm="ga", population=250, generations=150, migrate_every=10, checkpoint_every=10, migrants=5
    )
    recorded = former_ga.settings()
    assert "algorithm" not in recorded
    assert settled(config(), MANY, recorded=recorded) == former_ga


def test_a_program_that_a_checkpoint_names_is_not_loaded():
    assert settled(config(), MANY, recorded={"algorithm": "mine.py:Mine"}).algorithm == "snes"


def test_in_lockstep_the_chosen_algorithm_keeps_its_population():
    together = {"mode": "lockstep", "members": "a,b"}
    found = settled(config(**together), FEW)
    assert (found.algorithm, found.strategy.restart_growth) == ("cma", 1.0)
    with pytest.raises(ConfigError, match="--mode lockstep needs --restart-growth 1"):
        config(**together, algorithm="cma")


@pytest.mark.parametrize("name", OWN_SETTINGS["ga"])
def test_a_setting_of_the_genetic_algorithm_alone_means_that_one(name):
    field = next(each for each in setting_fields(type(config().breeding)) if each.name == name)
    assert config(**{name: former(field)}).algorithm == "ga"
    with pytest.raises(ConfigError, match="is a setting of ga; --algorithm snes has"):
        config(**{name: former(field)}, algorithm="snes")


def test_a_setting_of_a_strategy_alone_asks_which_one():
    with pytest.raises(ConfigError, match="--sigma is a setting of snes, sep-cma, cma; say which with --algorithm"):
        config(sigma=0.2)
