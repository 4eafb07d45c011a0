"""Laws that every algorithm keeps: each is held to them once it has a line in `config.OWN_SETTINGS`."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import ancestry, checkpoint, generation
from atoll.evo.algorithms.algorithm import mean_of
from atoll.evo.algorithms.choice import algorithm_of
from atoll.evo.checkpoint import Checkpoint
from atoll.evo.config import CMA, DE, GA, LEAST_POPULATION, OWN_SETTINGS, SEP_CMA, SNES, island_config
from atoll.evo.errors import ConfigError
from atoll.evo.genome import GenomeSpec, Population, Segment
from atoll.evo.rng import streams
from tests.evo.lives import disk, fingerprint, live, outcome, stopping_after
from tests.problems import MIXED, REAL, Hill, Weather

EVERY = tuple(OWN_SETTINGS)
OF_REAL_GENES = tuple(name for name in EVERY if name in {SNES, SEP_CMA, CMA})
BY_RANK = tuple(name for name in EVERY if name in {GA, SNES, SEP_CMA, CMA})
"""Those that see of the fitness nothing but who is better."""
ALIKE_GENES = tuple(name for name in EVERY if name in {SNES, SEP_CMA})
"""Those that learn of each gene by itself, and of all by the same rule."""
EXACT = {SNES: "c33f185a3f9869e9", SEP_CMA: "b58c5c85b6ea2bd2", DE: "4d2b6e52282feff2"}
"""Those that compute nothing that a machine may round in its own way, and what a life ends with on every one."""
RANDOM = streams(7, "island-01", 99)
ENDS = f"from {__name__} import end\nfrom atoll.evo.config import OWN_SETTINGS\nprint(*map(end, OWN_SETTINGS))"
ROOT = Path(__file__).parents[3]


class Valley(Weather):
    """A weather without whole numbers and gates."""

    def __init__(self):
        super().__init__(REAL)


def configured(algorithm, **values):
    small = {"population": 8, "generations": 30, "migrants": 2, "migrate_every": 4, "checkpoint_every": 3}
    return island_config("island-01", {**small, "algorithm": algorithm, **values}, {})


@cache
def lived(algorithm):
    """Return every generation of an island that met others, as it was after they came; and what outlives it."""
    _, on = live(configured(algorithm), task=Valley())
    return [checkpoint.decode(on.log[g]).state for g in range(31)], on


def bred(algorithm, state, *, spec=REAL, randomness=RANDOM):
    return algorithm_of(configured(algorithm), spec).breed(state, state.memory, spec, streams=randomness)


def as_bytes(population, memory):
    """Return all that breeding returns, as one comparable value."""
    remembered = {name: (np.asarray(array).dtype.str, np.asarray(array).tobytes()) for name, array in memory.items()}
    return population.genes.tobytes(), population.ancestry.tobytes(), population.islands, remembered


def end(algorithm):
    """Return the start of the SHA-256 of the arrays that a whole life ends with, on a task that adds and divides."""
    state, _ = live(configured(algorithm), task=Hill(REAL))
    arrays = [state.population.genes, state.population.ancestry, *(state.memory[name] for name in sorted(state.memory))]
    return hashlib.sha256(b"".join(np.asarray(array).tobytes() for array in arrays)).hexdigest()[:16]


@pytest.mark.parametrize("algorithm", EVERY)
def test_breeding_is_pure(algorithm):
    for state in lived(algorithm)[0]:
        before = fingerprint(state)
        first = as_bytes(*bred(algorithm, state))
        assert fingerprint(state) == before
        assert as_bytes(*bred(algorithm, state)) == first


@pytest.mark.parametrize("algorithm", EVERY)
def test_children_lie_within_the_bounds_and_descend_from_islands_that_are_known(algorithm):
    for state in lived(algorithm)[0]:
        children, _ = bred(algorithm, state)
        assert children.genes.dtype == np.float32
        assert children.ancestry.dtype == np.uint16
        assert children.genes.shape == children.ancestry.shape == (len(state.population), REAL.size)
        assert REAL.contains(children.genes)
        assert children.islands == state.population.islands
        assert children.ancestry.max() < len(children.islands)


@pytest.mark.parametrize("algorithm", EVERY)
def test_what_an_algorithm_remembers_survives_the_file_in_every_generation(algorithm):
    state = lived(algorithm)[0][0]
    for g in range(20):
        read = checkpoint.decode(checkpoint.encode(Checkpoint(state, {}, ""))).state
        assert as_bytes(*bred(algorithm, read)) == as_bytes(*bred(algorithm, state))
        children, memory = bred(algorithm, state, randomness=streams(1, "a", g))
        state = generation.evaluate(Valley(), children, generation=g + 1, before=replace(state, memory=memory))


@pytest.mark.parametrize("algorithm", EVERY)
@given(stops=st.lists(st.integers(1, 9), max_size=5))
def test_stopped_anywhere_and_resumed_it_is_the_same_run(algorithm, stops):
    on, config = disk(), configured(algorithm)
    for stop in stops:
        live(config, on, task=Valley(), is_stopping=stopping_after(stop))
    state, _ = live(config, on, task=Valley())
    assert fingerprint(state) == fingerprint(lived(algorithm)[0][-1])
    assert outcome(on) == outcome(lived(algorithm)[1])


@pytest.mark.parametrize("algorithm", EVERY)
def test_immigrants_are_told(algorithm):
    """The best of them shows in the next generation, or in what is remembered."""
    state = lived(algorithm)[0][7]
    newcomer = Population(REAL.high[None], np.zeros((1, REAL.size), np.uint16), ("far",))
    fitness = np.asarray([1e6], np.float32)
    told = generation.insert_immigrants(state, newcomer, fitness, displaced=np.asarray([3]))
    children, memory = bred(algorithm, told)
    unwanted = told.fitness.copy()
    unwanted[3] = -1e6
    assert as_bytes(children, memory) != as_bytes(*bred(algorithm, replace(told, fitness=unwanted)))
    assert "far" in ancestry.shares(children)


@pytest.mark.parametrize("algorithm", EVERY)
def test_without_others_every_gene_is_the_islands_own(algorithm):
    state, _ = live(configured(algorithm), task=Valley(), is_alone=True)
    assert ancestry.shares(state.population) == {"island-01": 1.0}


@pytest.mark.parametrize("algorithm", EVERY)
def test_with_others_their_genes_are_known_as_theirs(algorithm):
    shares = [ancestry.shares(state.population) for state in lived(algorithm)[0]]
    assert any(len(each) > 1 for each in shares)
    assert all(sum(each.values()) == pytest.approx(1) for each in shares)


def test_equal_seeds_give_equal_bytes_in_another_process():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    told = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.split() == [end(algorithm) for algorithm in EVERY]


@pytest.mark.parametrize("algorithm", EXACT)
def test_equal_seeds_give_equal_bytes_on_every_machine(algorithm):
    assert end(algorithm) == EXACT[algorithm]


@pytest.mark.parametrize("algorithm", BY_RANK)
def test_a_transformation_of_the_fitness_that_keeps_the_order_changes_nothing(algorithm):
    for state in lived(algorithm)[0]:
        ranks = np.unique(state.fitness, return_inverse=True)[1].astype(np.float32)
        children, memory = bred(algorithm, replace(state, fitness=ranks))
        usual, remembered = bred(algorithm, state)
        unseen = {"level": usual.genes[:0]}  # kept to be compared with, not to be learned from
        assert as_bytes(children, {**memory, **unseen}) == as_bytes(usual, {**remembered, **unseen})


@pytest.mark.parametrize("algorithm", [each for each in EVERY if each != DE])  # it remembers parents, which stay
def test_where_the_box_lies_changes_nothing(algorithm):
    moved = GenomeSpec((Segment("x", 5, 1.0, 5.0), Segment("y", 4, 11.0, 12.0)))
    way = np.asarray([2.0] * 5 + [1.0] * 4, np.float32)
    for state in lived(algorithm)[0][:9]:
        people = replace(state.population, genes=state.population.genes + way)
        children, _ = bred(algorithm, replace(state, population=people), spec=moved)
        np.testing.assert_allclose(children.genes - way, bred(algorithm, state)[0].genes, atol=1e-4)


@pytest.mark.parametrize("algorithm", ALIKE_GENES)
@given(order=st.permutations(range(9)))
def test_the_order_of_genes_means_nothing(algorithm, order):
    spec = GenomeSpec(tuple(Segment(f"x{n}", 1, REAL.low[n], REAL.high[n]) for n in order))
    for state in lived(algorithm)[0][1:9]:
        people = Population(
            state.population.genes[:, order], state.population.ancestry[:, order], state.population.islands
        )
        memory = {name: array[..., order] if np.ndim(array) else array for name, array in state.memory.items()}
        _, learned = bred(algorithm, replace(state, population=people, memory=memory), spec=spec)
        for name, array in bred(algorithm, state)[1].items():
            expected = array[..., order] if np.ndim(array) else array
            np.testing.assert_allclose(learned[name], expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("algorithm", OF_REAL_GENES)
def test_genes_without_a_direction_are_refused_with_what_varies_them(algorithm):
    with pytest.raises(ConfigError, match=rf"--algorithm {algorithm} varies real genes only, .*'gate'.*--algorithm ga"):
        algorithm_of(configured(algorithm), MIXED)


@pytest.mark.parametrize("algorithm", EVERY)
def test_fewer_individuals_than_an_algorithm_can_learn_from_are_refused(algorithm):
    least = LEAST_POPULATION[algorithm]
    own = {"tournament_size": 2} if algorithm == GA else {}
    config = configured(algorithm, population=least, migrants=1, **own)
    state, _ = live(config, task=Valley())
    assert len(state.population) >= least
    with pytest.raises(ConfigError, match=f"--population must be at least {least}"):
        configured(algorithm, population=least - 1, migrants=1, **own)


@pytest.mark.parametrize("algorithm", [name for name in EVERY if name in {SNES, SEP_CMA, CMA}])
def test_the_mean_of_a_strategy_is_a_genome_of_its_origins(algorithm):
    for state in lived(algorithm)[0]:
        mean = mean_of(algorithm_of(configured(algorithm), REAL), state.memory, REAL, state.population.islands)
        assert mean is not None
        assert REAL.contains(mean.genes)
        present = {*ancestry.shares(mean)}
        origins = np.flatnonzero(state.memory["origins"].any(axis=1))
        assert present <= {state.population.islands[origin] for origin in origins}
