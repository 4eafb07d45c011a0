"""CMA-ES learns what the `cmaes` library learns of the same samples, within a box, and starts anew if it is stuck."""

from dataclasses import replace

import cmaes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from atoll.evo import ancestry, checkpoint, generation
from atoll.evo.algorithms import cma, sampling
from atoll.evo.algorithms.cma import Cma, full_rates, separable_rates
from atoll.evo.config import CMA, SEP_CMA
from atoll.evo.genome import GenomeSpec, Population, Segment
from atoll.evo.rng import streams
from atoll.evo.tasks.loader import load_task
from tests.evo.algorithms.test_every_algorithm import configured
from tests.evo.lives import disk, fingerprint, live, outcome, stopping_after
from tests.problems import REAL, Hill
from tests.strategies import seeds

BOTH = pytest.mark.parametrize("is_separable", [True, False])
SIGMA = 0.1
AWAIT = 10 + -(-30 * REAL.size // 8)
"""Generations that all parents of a sample of 8 have to score the same for."""


class Plain(Hill):
    """Everybody scores the same."""

    def __init__(self):
        super().__init__(REAL)

    def score(self, total, episode):  # noqa: ARG002 - deterministic
        return 0.0 * total


def rates_of(d, n, *, is_separable):
    return (separable_rates if is_separable else full_rates)(d, n)


def begun(d, *, is_separable, sigma=SIGMA):
    return cma.begun(np.full(d, 0.5), sigma, np.ones((1, d)), is_separable=is_separable)


def valley(x):
    """Score points [P, D]: narrow, and not along the genes."""
    columns = (x - 0.4).T
    return sum((n + 1) ** 2 * column * column for n, column in enumerate(columns)) + 50 * sum(columns) ** 2


# The oracle


@BOTH
@pytest.mark.parametrize(("d", "n"), [(2, 4), (3, 7), (10, 10), (10, 11), (10, 60), (40, 15)])
@given(seed=seeds)
def test_equal_samples_give_the_mean_step_covariance_and_paths_of_the_cmaes_library(is_separable, d, n, seed):
    oracle = (cmaes.SepCMA if is_separable else cmaes.CMA)(np.full(d, 0.5), SIGMA, population_size=n)
    memory, rates = begun(d, is_separable=is_separable), rates_of(d, n, is_separable=is_separable)
    rng = np.random.default_rng(seed)
    for _ in range(12):
        z = rng.standard_normal((n, d))
        y = z * memory["deviations"] @ (np.eye(d) if is_separable else memory["axes"].T)
        x = memory["mean"] + memory["sigma"] * y
        loss = valley(x)
        oracle.tell(list(zip(x, loss, strict=True)))
        memory = cma.told(memory, z[np.argsort(loss, kind="stable")][: len(rates.weights)], rates)
        for name, expected in (
            ("mean", oracle._mean),
            ("sigma", oracle._sigma),
            ("covariance", oracle._C),
            ("path_sigma", oracle._p_sigma),
            ("path_c", oracle._pc),
        ):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(memory[name], expected, rtol=0, atol=1e-9 * scale, err_msg=name)


@BOTH
@given(d=st.integers(1, 600), n=st.integers(4, 3000))
def test_no_sample_is_so_large_that_all_that_was_learned_is_forgotten(is_separable, d, n):
    rates = rates_of(d, n, is_separable=is_separable)
    assert rates.weights[: rates.n_parents].sum() == pytest.approx(1)
    assert 1 - rates.c_1 - rates.c_mu * rates.weights.sum() >= 0
    assert min(rates.c_1, rates.c_mu, rates.c_sigma, rates.c_c) > 0
    assert max(rates.c_sigma, rates.c_c) < 1


# Within the box, and with immigrants


@given(places=hnp.arrays(np.float64, (3, 4), elements=st.floats(0, 1)))
def test_every_place_of_the_box_is_reached_and_nothing_else(places):
    np.testing.assert_allclose(cma.to_box(cma.beyond_box(places)), places, atol=1e-12)
    inside = (places > cma.MARGIN) & (places < 1 - cma.MARGIN)
    assert np.all(cma.to_box(places)[inside] == pytest.approx(places[inside]))
    anywhere = cma.to_box(40 * places - 20)
    assert np.all((anywhere >= 0) & (anywhere <= 1))


@given(way=st.floats(0, 0.5))
def test_bounds_are_mirrors(way):
    for bound in (-cma.MARGIN, 1 + cma.MARGIN):
        there, back = cma.to_box(np.asarray([bound + way, bound - way]))
        assert there == pytest.approx(back, abs=1e-9)


@given(seed=seeds)
def test_what_the_separable_one_drew_is_read_back_from_the_genes(seed):
    """As far as float32 and the bounds let it."""
    memory = learned(is_separable=True, seed=seed)
    z = (0.5 * np.random.default_rng(seed).standard_normal((8, REAL.size))).astype(np.float32)
    genes = cma.drawn(memory, z, REAL)
    assert REAL.contains(genes)
    np.testing.assert_allclose(cma.read_back(memory, genes, np.arange(8), REAL), z, atol=1e-3)


@given(seed=seeds, n=st.integers(0, 7))
def test_what_the_full_one_drew_is_remembered_but_where_an_immigrant_came(seed, n):
    memory, rng = learned(is_separable=False, seed=seed), np.random.default_rng(seed)
    z = (9 * rng.standard_normal((8, REAL.size))).astype(np.float32)  # most of them beyond the bounds
    genes = cma.drawn(memory, z, REAL)
    assert REAL.contains(genes)
    genes[n] = cma.drawn(memory, 0.1 * z[:1], REAL)
    read = cma.read_back({**memory, "z": z}, genes, np.arange(8), REAL)
    assert np.array_equal(np.delete(read, n, axis=0), np.delete(z, n, axis=0))
    np.testing.assert_allclose(read[n], 0.1 * z[0], atol=1e-3)


@BOTH
@given(seed=seeds)
def test_an_immigrant_counts_at_most_as_far_away_as_a_sample_may_be(is_separable, seed):
    """By the length that the covariance gives it (Mahalanobis), in the direction in which it lies."""
    memory, far = learned(is_separable=is_separable, seed=seed), REAL.high[None]
    memory = {**memory, "z": np.zeros((1, REAL.size), np.float32)}
    z = cma.read_back(memory, far, np.asarray([0]), REAL)
    assert np.sqrt((z * z).sum()) == pytest.approx(np.sqrt(REAL.size) + 2, rel=1e-5)
    way = sampling.to_unit(cma.drawn(memory, z.astype(np.float32), REAL), REAL)[0] - memory["mean"]
    there = 1.0 - memory["mean"]
    assert way @ there > 0.99 * np.linalg.norm(way) * np.linalg.norm(there)


def learned(*, is_separable, seed):
    """Return what is remembered after some generations in a valley around the middle of the box."""
    memory = begun(REAL.size, is_separable=is_separable, sigma=0.02)
    rates, rng = rates_of(REAL.size, 12, is_separable=is_separable), np.random.default_rng(seed)
    for _ in range(6):
        z = rng.standard_normal((12, REAL.size)).astype(np.float32)
        loss = valley(sampling.to_unit(cma.drawn(memory, z, REAL), REAL))
        memory = cma.told(memory, z[np.argsort(loss)][: len(rates.weights)], rates)
    return memory


@BOTH
def test_the_step_grows_at_most_e_times_in_a_generation(is_separable):
    """However far away on one side immigrants lie."""
    memory, rates = begun(9, is_separable=is_separable), rates_of(9, 2000, is_separable=is_separable)
    after = cma.told(memory, np.full((len(rates.weights), 9), 5.0 / 3), rates)
    assert after["sigma"] == pytest.approx(np.e * memory["sigma"])


@BOTH
def test_no_step_becomes_shorter_than_genes_can_show(is_separable):
    """Nor is a variance lost: a gene at its bound, where every sample is cut off, can come back."""
    memory, rates = begun(9, is_separable=is_separable), rates_of(9, 8, is_separable=is_separable)
    for _ in range(400):
        memory = cma.told(memory, np.zeros((len(rates.weights), 9)), rates)
    assert np.all(memory["sigma"] * memory["deviations"] >= sampling.LEAST_STEP * (1 - 1e-9))
    assert all(np.isfinite(array).all() for array in memory.values())


def test_the_axes_are_renewed_after_as_many_generations_as_they_change_little_in():
    rates = full_rates(200, 4)
    memory, rng = begun(200, is_separable=False), np.random.default_rng(1)
    every = rates.eigen_interval(200)
    assert every > 1
    for g in range(1, 2 * every + 1):
        before = memory
        memory = cma.told(memory, rng.standard_normal((4, 200)), rates)
        assert (memory["axes"] is before["axes"]) == (g % every > 0)
    product = memory["axes"] * memory["deviations"] ** 2 @ memory["axes"].T
    np.testing.assert_allclose(product, memory["covariance"], atol=1e-12)


# Restarts


def anew(**values):
    """Return the states of an island on a task that has nothing to find."""
    _, on = live(configured(SEP_CMA, **values), task=Plain(), is_alone=True)
    return [checkpoint.decode(on.log[g]).state for g in sorted(on.log)]


@pytest.mark.parametrize(("growth", "sizes"), [(1.0, {8}), (2.0, {8, 16}), (1.5, {8, 12})])
def test_a_stuck_island_starts_anew_with_a_larger_sample(growth, sizes):
    states = anew(restart_growth=growth, generations=AWAIT + 5)
    assert {len(state.population) for state in states} == sizes
    assert [len(state.population) for state in states[: AWAIT + 1]] == [8] * (AWAIT + 1)
    assert [int(state.memory["generations"]) for state in states][-6:] == [AWAIT - 1, 0, 1, 2, 3, 4]


def test_every_evaluation_of_a_larger_sample_is_counted():
    states = anew(generations=AWAIT + 5, champion_episodes=0)
    assert states[-1].counts.evaluations == sum(len(state.population) for state in states)


@BOTH
def test_a_restart_is_at_a_random_place_and_the_islands_own(is_separable):
    state = stuck(is_separable=is_separable)
    found = []
    for g in (5, 6):
        children, memory = algorithm(is_separable=is_separable).breed(
            state, state.memory, REAL, streams=streams(1, "a", g)
        )
        assert ancestry.shares(children) == {state.population.islands[0]: 1.0}
        assert children.islands == state.population.islands
        assert memory["generations"] == memory["flat_generations"] == 0
        found.append(memory["mean"])
    assert np.all(found[0] != found[1])


def algorithm(*, is_separable, growth=2.0):
    return Cma(0.1, growth, 8, is_separable=is_separable)


def stuck(*, is_separable, n=8):
    """Return a state whose parents have scored the same for long, and are of another island's ancestry."""
    genes = REAL.sample(np.random.default_rng(1), n)
    people = Population(genes, np.ones(genes.shape, np.uint16), ("a", "b"))
    first = generation.Champion(people.take(np.asarray([0])), 0.0, 0)
    state = generation.State(4, people, np.zeros(n, np.float32), first, generation.Counts())
    origins = np.asarray([[0.0] * REAL.size, [1.0] * REAL.size])
    memory = cma.begun(np.full(REAL.size, 0.5), 0.1, origins, is_separable=is_separable)
    memory = {**memory, "z": np.zeros((n, REAL.size), np.float32)}
    return replace(state, memory={**memory, "flat_generations": np.asarray(AWAIT)})


def test_the_sample_grows_to_512_times_the_first_at_most():
    """A task that has nothing to find would else end without memory."""
    n = cma.MAX_GROWTH * 8
    state = stuck(is_separable=True, n=n - 1)
    children, _ = algorithm(is_separable=True).breed(state, state.memory, REAL, streams=streams(1, "a", 4))
    assert len(children) == n


@pytest.mark.parametrize("stops", [(AWAIT - 1, 1, 1, 1), (3, AWAIT), (AWAIT + 2,)])
@pytest.mark.parametrize("name", [SEP_CMA, CMA])
def test_stopped_around_a_restart_and_resumed_it_is_the_same_run(name, stops):
    config, on, whole = configured(name, generations=AWAIT + 6), disk(), disk()
    state, _ = live(config, whole, task=Plain())
    assert len(state.population) == 16
    for stop in stops:
        live(config, on, task=Plain(), is_stopping=stopping_after(stop))
    live(config, on, task=Plain())
    assert fingerprint(live(config, on, task=Plain())[0]) == fingerprint(state)
    assert outcome(on) == outcome(whole)


def test_immigrants_who_are_worse_do_not_put_a_restart_off():
    state = stuck(is_separable=True)
    fitness = np.asarray([0, 0, 0, 0, -1, -2, -3, -4], np.float32)
    told = replace(state, fitness=fitness, memory={**state.memory, "flat_generations": np.asarray(AWAIT - 1)})
    assert len(bred(told)) == 16
    better = replace(told, fitness=-fitness)
    assert len(bred(better)) == 8


def test_generations_that_score_alike_but_not_as_the_last_one_do_not_add_up():
    """Where each generation has another episode, all may score the same, and the next time all something else."""
    state = stuck(is_separable=True)
    assert len(bred(replace(state, fitness=state.fitness + 1))) == 8


def bred(state):
    children, _ = algorithm(is_separable=True).breed(state, state.memory, REAL, streams=streams(1, "a", 4))
    return children


@pytest.mark.parametrize(
    ("changes", "is_stuck"),
    [
        ({}, False),
        ({"sigma": 1.01 * sampling.LEAST_STEP}, False),
        ({"sigma": sampling.LEAST_STEP}, True),
        ({"deviations": np.asarray([1.0, 0.99e7])}, False),
        ({"deviations": np.asarray([1.0, 1.01e7])}, True),
        ({"flat_generations": 10 + 14}, False),
        ({"flat_generations": 10 + 15}, True),
    ],
)
def test_a_distribution_is_stuck_where_steps_cannot_be_seen_or_differ_too_much_or_nothing_scores_better(
    changes, is_stuck
):
    memory = {**begun(2, is_separable=True), **{name: np.asarray(value) for name, value in changes.items()}}
    assert cma.is_stuck(memory, 4) == is_stuck


# What it is for


@pytest.mark.parametrize(
    ("name", "function", "target", "most"),
    [(CMA, "true", -408.413, 3000), (SEP_CMA, "false", -408.413, 3000), (CMA, "true", -1e-3, 6000)],
)
def test_an_ill_conditioned_bowl_is_descended_in_a_few_thousand_evaluations(name, function, target, most):
    task = load_task("ellipsoid", {"dimensions": "10", "offset": "0.3", "rotated": function})
    for seed in range(1, 4):
        config = configured(name, population=10, generations=most // 10 - 1, seed=seed, restart_growth=1.0)
        state, _ = live(config, task=task, is_alone=True)
        assert state.counts.evaluations == most
        assert state.champion.fitness >= target


@pytest.mark.parametrize("name", [SEP_CMA, CMA])
def test_an_optimum_in_a_corner_of_the_box_is_found(name):
    """Where samples of a matrix were read back from genes that the bounds cut off, the step grew without end."""
    spec = GenomeSpec((Segment("x", 6, -1.0, 1.0),))
    for seed in range(1, 4):
        state, _ = live(configured(name, generations=100, seed=seed), task=Hill(spec), is_alone=True)
        assert state.champion.fitness >= 6 - 1e-3
