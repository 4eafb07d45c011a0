"""Laws of what an import may cost: files, bytes and seconds, each by itself."""

from __future__ import annotations

import pytest

from atoll.migration.pool import bounded_io
from atoll.migration.pool.bounded_io import Budget, Reason, RefusedError


def refused(spent, n_bytes=0):
    with pytest.raises(RefusedError) as error:
        spent.spend("f", n_bytes)
    return error.value.reason


def test_files_are_counted():
    spent = Budget()
    for _ in range(bounded_io.MAX_ROUND_FILES):
        spent.spend("f", 0)
    assert refused(spent) is Reason.OVER_BUDGET


def test_bytes_are_counted_and_what_is_refused_costs_nothing():
    spent = Budget()
    spent.spend("f", bounded_io.MAX_ROUND_BYTES - 1)
    assert refused(spent, 2) is Reason.OVER_BUDGET
    spent.spend("f", 1)
    assert refused(spent, 1) is Reason.OVER_BUDGET
    spent.spend("f", 0)


def test_seconds_are_counted_from_the_beginning_of_the_import():
    now_s = 1000.0
    spent = Budget(lambda: now_s)
    now_s += bounded_io.MAX_ROUND_S
    spent.spend("f", 1)
    now_s += 0.1
    assert refused(spent) is Reason.OVER_BUDGET


def test_a_new_import_has_a_budget_of_its_own():
    spent = Budget()
    spent.spend("f", bounded_io.MAX_ROUND_BYTES)
    Budget().spend("f", bounded_io.MAX_ROUND_BYTES)
