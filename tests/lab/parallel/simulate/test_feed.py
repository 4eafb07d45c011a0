from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.lab.parallel.simulate.feed import Epochs, Queue


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
