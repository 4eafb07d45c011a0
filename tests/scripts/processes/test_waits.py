from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.processes.monitor import Sums, Waits
from atoll.scripts.processes.proc import Thread

lives = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 5), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6
)


@given(lives)
def test_a_thread_counts_once_with_its_last_figures(born_lived_run_wait: list[tuple[int, int, int, int]]) -> None:
    """Thread i is born at one look, lives for some, and runs and waits so much between two."""
    waits = Waits()
    for look in range(12):
        threads = [
            Thread(i, "t", "S", run * (look - born), wait * (look - born), look, 2 * look)
            for i, (born, lived, run, wait) in enumerate(born_lived_run_wait)
            if born <= look < born + lived
        ]
        waits.add({1: threads})
    assert waits.sums.run_s == sum(run * (lived - 1) for _, lived, run, _ in born_lived_run_wait)
    assert waits.sums.wait_s == sum(wait * (lived - 1) for _, lived, _, wait in born_lived_run_wait)
    assert waits.sums.involuntary == 2 * waits.sums.voluntary


def test_a_number_that_is_given_again_is_another_thread() -> None:
    waits = Waits()
    waits.add({1: [Thread(5, "a", "S", 3.0, 1.0, 4, 2)]})
    waits.add({1: [Thread(5, "b", "S", 0.5, 0.0, 1, 0)]})
    assert waits.sums == Sums(3.5, 1.0, 5, 2)
