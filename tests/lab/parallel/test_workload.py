from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import ConfigError
from atoll.scripts.lab.parallel import workload
from atoll.scripts.lab.parallel.workload import SEARCH_SPACE, TIERS, OneOf, Real, Tier, Whole

SMALL = Tier(12, 3, 2, life_s=0.1)
CONFIG = workload.sample_configs(1, seed=1)[0]


def run(index=0, config=CONFIG, seeds=(1, 2), evaluator="reference", **kwargs):
    return workload.run_trial(index, config, seeds, budget=SMALL, evaluator=evaluator, **kwargs)


def test_a_trial_is_a_pure_function_of_its_arguments():
    first = run()
    np.random.default_rng().random()
    assert run() == first
    assert (len(first.fitness), len(first.sha256)) == (2, 64)
    assert first.evaluations == 2 * 12 * 4


@pytest.mark.parametrize(
    "other",
    [{"index": 1}, {"seeds": (1, 3)}, {"seeds": (2, 1)}, {"config": replace(CONFIG, mutation_rate=0.0999)}],
)
def test_whatever_changes_a_trial_changes_its_hash(other):
    assert run(**other).sha256 != run().sha256


def test_the_evaluators_agree():
    pytest.importorskip("atoll.evo.tasks.creatures.native")
    try:
        assert run(evaluator="native") == run()
    except ConfigError:
        pytest.skip("no compiler")


def test_the_observer_sees_every_generation_of_every_seed():
    seen = []
    run(observe=lambda state: seen.append(state.generation))
    assert seen == [0, 1, 2, 3] * 2


def test_the_list_of_configurations_is_fixed_and_longer_ones_begin_alike():
    ten = workload.sample_configs(10, seed=3)
    assert workload.sample_configs(4, seed=3) == ten[:4]
    assert len(set(ten)) == 10
    assert workload.sample_configs(4, seed=4) != ten[:4]


@pytest.mark.slow
@given(st.integers(0, 10_000), st.integers(0, 100))
def test_every_configuration_lies_in_the_search_space_and_is_one_of_an_island(seed, index):
    config = workload.sample_configs(index + 1, seed=seed)[index]
    for name, value in asdict(config).items():
        domain = SEARCH_SPACE[name]
        if isinstance(domain, OneOf):
            assert value in domain.words
        else:
            assert domain.low <= value <= domain.high
    for tier in TIERS.values():
        workload.plan(index, config, tier, seed=1)


@given(st.floats(0, 1, exclude_max=True))
def test_a_share_of_a_range_lies_in_it_and_its_ends_are_reached(share):
    for domain in (Real(0.001, 0.1, is_log=True), Real(0.3, 1.0), Whole(2, 10)):
        assert domain.low <= domain.at(share) <= domain.high
        assert domain.at(0.0) == pytest.approx(domain.low)
    assert Whole(2, 3).at(0.999) == 3
    assert Real(0.001, 0.1, is_log=True).at(0.5) == pytest.approx(0.01)


@given(st.floats(1e-6, 1.0), st.floats(1.0, 1e6), st.floats(0, 1))
def test_no_rounding_leads_out_of_a_range(low, high, share):
    for is_log in (False, True):
        assert low <= Real(low, high, is_log=is_log).at(share) <= high


def test_an_unknown_tier_is_refused_with_the_known_ones():
    assert workload.tier_named("small") == Tier(200, 20, 2)
    with pytest.raises(ConfigError, match="tiny, small, medium, production"):
        workload.tier_named("huge")


def test_nothing_migrates_in_a_trial():
    assert workload.plan(5, CONFIG, SMALL, seed=2).migration.is_off
    assert workload.plan(5, CONFIG, SMALL, seed=2).island == "trial-5"
