"""Laws of queues, each against a computation that does not simulate."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import ConfigError
from atoll.scripts.lab.parallel.simulate.engine import Epochs, Machine, Queue, Simulated, Way, draw_trials, simulate

TRIALS = st.lists(st.floats(0.1, 50), min_size=1, max_size=25)
WORKERS = st.integers(1, 10)
MANY = Machine(cores=1000)


def run(trials_s, way: Way, machine: Machine = MANY, seed: int = 0) -> Simulated:
    return simulate(Queue(trials_s, chunk=way.chunk), way, machine, rng=np.random.default_rng(seed))


def list_schedule(trials_s, workers: int) -> float:
    """Return when the last trial ends if the next one always goes to whoever is free first."""
    free = [0.0] * workers
    for alone_s in trials_s:
        heapq.heappush(free, heapq.heappop(free) + alone_s)
    return max(free)


@given(TRIALS, WORKERS)
def test_enough_cores_and_no_costs_are_list_scheduling(trials_s, workers):
    found = run(trials_s, Way(workers))
    assert found.wall_s == pytest.approx(list_schedule(trials_s, workers))
    assert found.cpu_s == pytest.approx(found.alone_s) == pytest.approx(sum(trials_s))


@given(TRIALS, WORKERS)
def test_one_core_or_one_lock_of_the_interpreter_is_as_slow_as_one_after_the_other(trials_s, workers):
    assert run(trials_s, Way(workers), Machine(1)).wall_s == pytest.approx(sum(trials_s))
    assert run(trials_s, Way(workers, cap_cores=1.0)).wall_s == pytest.approx(sum(trials_s))


@given(TRIALS, WORKERS, st.integers(1, 4), st.floats(1, 6), st.floats(1, 4))
def test_processor_time_grows_by_the_inflation_and_never_beyond_the_cores(trials_s, workers, cores, inflation, each):
    """As everywhere, a trial that keeps several cores busy takes at least as many times its processor time alone."""
    found = run(trials_s, Way(workers, inflation=each * inflation, cores_per_trial=each), Machine(cores))
    assert found.alone_s * (1 - 1e-9) <= found.cpu_s <= found.alone_s * each * inflation * (1 + 1e-9)
    assert found.cpu_s <= found.wall_s * cores * (1 + 1e-9)


def test_two_trials_share_a_core_and_the_longer_one_then_has_it_alone():
    ends = {each.number: each.end_s for each in run([1.0, 3.0], Way(2), Machine(1)).finished}
    assert ends == pytest.approx({0: 2.0, 1: 4.0})


def test_a_convoy_takes_what_the_identity_says():
    """Two equal threads with U = 1.35 and I = 2.15, as measured for two threads in one process."""
    found = run([10.0, 10.0], Way(2, cap_cores=1.35, inflation=2.15))
    assert found.speedup == pytest.approx(1.35 / 2.15)


@given(TRIALS, WORKERS, st.floats(0.5, 20))
def test_all_times_longer_make_it_longer_by_as_much(trials_s, workers, factor):
    way, longer = Way(workers, startup_s=1.0, lock_s=0.1), Way(workers, startup_s=factor, lock_s=0.1 * factor)
    there = run([factor * each for each in trials_s], longer, Machine(3))
    assert there.total_s == pytest.approx(factor * run(trials_s, way, Machine(3)).total_s)


@given(TRIALS, WORKERS, st.floats(0, 5))
def test_start_up_delays_all_and_is_no_part_of_the_wall_time(trials_s, workers, startup_s):
    cold, warm = run(trials_s, Way(workers, startup_s=startup_s)), run(trials_s, Way(workers))
    assert cold.wall_s == pytest.approx(warm.wall_s)
    assert cold.total_s == pytest.approx(warm.total_s + startup_s)


@given(st.integers(1, 30), WORKERS, st.floats(0.5, 3))
def test_a_lock_that_takes_longer_than_the_trials_is_all_that_counts(n, workers, lock_s):
    found = run([0.001] * n, Way(workers, lock_s=lock_s))
    assert found.total_s == pytest.approx(n * lock_s + 0.001, rel=1e-3, abs=n * 0.002)


@given(TRIALS, WORKERS)
def test_nobody_does_two_things_at_once(trials_s, workers):
    found = run(trials_s, Way(workers, lock_s=0.05), Machine(2))
    for worker in range(workers):
        mine = sorted((each.start_s, each.end_s) for each in found.finished if each.worker == worker)
        assert all(one[1] <= other[0] + 1e-9 for one, other in itertools.pairwise(mine))


CRASHING = st.builds(Way, workers=WORKERS, crash_p=st.floats(0, 0.6), startup_s=st.just(0.5))


@given(TRIALS, CRASHING, st.integers(0, 9))
def test_every_trial_ends_once_however_often_its_worker_crashes(trials_s, way, seed):
    found = run(trials_s, way, seed=seed)
    assert sorted(each.number for each in found.finished) == list(range(len(trials_s)))


@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 99))
def test_islands_wait_for_the_slowest_at_every_barrier_or_never(islands, epochs, seed):
    times = draw_trials(islands * epochs, mean_s=5, cv=0.5, rng=np.random.default_rng(seed)).reshape(islands, epochs)
    way = Way(islands)
    waiting = simulate(Epochs(times, barrier=True), way, MANY, rng=np.random.default_rng(0))
    free = simulate(Epochs(times, barrier=False), way, MANY, rng=np.random.default_rng(0))
    assert waiting.wall_s == pytest.approx(times.max(axis=0).sum())
    assert free.wall_s == pytest.approx(times.sum(axis=1).max())
    assert free.wall_s <= waiting.wall_s + 1e-9


def test_equal_seeds_give_equal_runs():
    way = Way(4, crash_p=0.3, startup_s=1.0)
    assert run([1.0, 2.0, 3.0] * 5, way, seed=4) == run([1.0, 2.0, 3.0] * 5, way, seed=4)
    assert run([1.0, 2.0, 3.0] * 5, way, seed=4) != run([1.0, 2.0, 3.0] * 5, way, seed=5)


@pytest.mark.slow
@pytest.mark.parametrize(("cv", "expected"), [(0.0, 50), (0.3, 38), (0.6, 27)])
def test_a_hundred_trials_on_sixty_four_workers_as_computed_by_others(cv, expected):
    """Against an independent simulation of list scheduling that the project's notes quote."""
    rng = np.random.default_rng(0)
    found = [run(draw_trials(100, mean_s=1.0, cv=cv, rng=rng), Way(64)).speedup for _ in range(200)]
    assert np.mean(found) == pytest.approx(expected, abs=1.5)


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


@given(st.integers(0, 30), st.integers(1, 5), st.integers(1, 4))
def test_every_trial_is_handed_out_once_in_chunks(n, chunk, workers):
    queue = Queue([1.0] * n, chunk=chunk)
    taken = {worker: [] for worker in range(workers)}
    while any(pieces := {worker: queue.take(worker) for worker in range(workers)}.values()):
        for worker, piece in enumerate(pieces):
            taken[worker] += [piece.number] if piece else []
    assert sorted(number for numbers in taken.values() for number in numbers) == list(range(n))
    for numbers in taken.values():
        batches = [numbers[i : i + chunk] for i in range(0, len(numbers), chunk)]
        assert all(len({number // chunk for number in batch}) == 1 for batch in batches)


def test_what_is_put_back_comes_next():
    queue = Queue([1.0, 2.0])
    first = queue.take(0)
    queue.put_back(0, first)
    assert queue.take(1) == first


def test_at_a_barrier_nobody_begins_before_the_slowest_has_ended():
    feed = Epochs(np.ones((2, 2)), barrier=True)
    assert feed.take(0).number == 0
    assert feed.take(1).number == 2
    assert feed.finish(0) is False
    assert feed.take(0) is None
    assert feed.finish(1) is True
    assert feed.take(0).number == 1


def test_without_a_barrier_an_island_goes_on():
    feed = Epochs(np.ones((2, 2)), barrier=False)
    feed.take(0)
    feed.finish(0)
    assert feed.take(0).number == 1
    feed.finish(0)
    assert feed.take(0) is None
    assert feed.take(1).number == 2
