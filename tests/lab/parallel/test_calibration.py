from __future__ import annotations

import threading

from atoll.scripts.lab.parallel import interference


def test_the_work_is_the_same_every_time() -> None:
    assert interference._work(50) == interference._work(50)


def test_no_step_becomes_cheaper_than_another() -> None:
    """Neither zero nor infinity nor a denormal number, which some processors add more slowly."""
    assert all(0.01 < interference._work(n) < 1 for n in (1, 10, 1000, 5000))


def test_a_size_is_chosen_that_grows_with_the_time_asked_for() -> None:
    assert 1 <= interference.choose_size(1e-9) < interference.choose_size(0.05)


def test_it_starts_no_thread() -> None:
    before = threading.active_count()
    assert interference.calibrate(10) > 0
    assert threading.active_count() == before
