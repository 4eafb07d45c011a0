from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import ConfigError
from atoll.scripts.lab.parallel.simulate.scenario import Machine, Way, draw_trials, resample_trials

CORES = st.integers(1, 128)


@given(CORES, st.integers(1, 200))
def test_one_core_per_trial_gives_as_many_cores_as_there_are(cores, n):
    way, machine = Way(workers=n), Machine(cores)
    assert n * way.progress(n, machine) == pytest.approx(min(n, cores))


MACHINES = st.builds(Machine, CORES, st.floats(1, 2))
WAYS = st.builds(
    Way,
    st.integers(2, 200),
    cores_per_trial=st.floats(1, 8),
    inflation=st.floats(1, 20),
    cap_cores=st.floats(1, 64),
)


@given(WAYS, MACHINES)
def test_speedup_is_utilisation_over_inflation_and_no_trial_goes_faster_than_alone(way, machine):
    n = way.workers
    busy = way.busy_cores(n, machine)
    speedup = n * way.progress(n, machine)
    assert speedup == pytest.approx(min(n, busy / way.inflation) / machine.stretch(busy))


@given(CORES, st.floats(1, 8), st.floats(1, 20))
def test_a_trial_without_company_takes_its_own_time(cores, each, inflation):
    assert Way(4, cores_per_trial=each, inflation=inflation).progress(1, Machine(cores, 2.0)) == 1.0


@given(CORES, st.floats(1, 4), st.floats(0, 300), st.floats(0, 10))
def test_work_never_gets_faster_by_more_busy_cores(cores, slowdown, busy, more):
    machine = Machine(cores, slowdown)
    assert 1.0 <= machine.stretch(busy) <= machine.stretch(busy + more) <= slowdown
    assert machine.stretch(1) == 1.0


@pytest.mark.parametrize("cv", [0.0, 0.3, 0.6])
def test_trials_have_the_mean_and_spread_asked_for(cv):
    times = draw_trials(200_000, mean_s=10.0, cv=cv, rng=np.random.default_rng(1))
    assert times.mean() == pytest.approx(10.0, rel=0.01)
    assert times.std() / times.mean() == pytest.approx(cv, abs=0.01)
    assert (times > 0).all()


def test_stragglers_are_as_many_and_as_slow_as_asked_for():
    rng = np.random.default_rng(2)
    times = draw_trials(100_000, mean_s=1.0, cv=0.0, straggler_p=0.05, straggler_factor=7.0, rng=rng)
    assert set(times) == {1.0, 7.0}
    assert (times == 7.0).mean() == pytest.approx(0.05, abs=0.005)


def test_only_what_was_observed_is_drawn_again():
    assert set(resample_trials(1000, [1.5, 2.5], rng=np.random.default_rng(0))) == {1.5, 2.5}


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Machine(0), "cores"),
        (lambda: Machine(2, 0.5), "slowdown"),
        (lambda: Way(0), "workers"),
        (lambda: Way(2, inflation=0.9), "inflation"),
        (lambda: Way(2, startup_s=-1), "startup_s"),
        (lambda: Way(2, startup_s=float("nan")), "startup_s"),
        (lambda: Way(2, crash_p=1.0), "crash_p"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, name):
    with pytest.raises(ConfigError, match=name):
        make()
