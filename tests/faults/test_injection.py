"""Laws of every operation under a fault in any of its file system calls.

Old state or new state, never a mixture; what was acknowledged is there; the next start repairs the rest; and after a
kill it ends in the very bytes that it would have ended in.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.campaign import Order, campaign, read_report
from tests.faults.operations import OPERATIONS
from tests.faults.strace import why_not_strace
from tests.processes import hang_s
from tests.scripts.run.island_process import CONTEXT

SHARES = {"once": (5, 45), "lasting": (11, 99), "lies": (1, 9)}
"""Without --chaos one case in so many is tried, of short operations and of long ones; odd, so that all faults take
turns."""


def orders(through: str) -> list[Order]:
    """Return all campaigns through one injector; long ones in four parts, since tests run side by side."""
    return [
        Order(operation.name, through, plan, first, parts)
        for operation in OPERATIONS
        for parts in [4 if operation.goes_on else 1]
        for plan in SHARES
        for first in range(parts)
    ]


def name_of(order: Order) -> str:
    return f"{order.operation}-{order.plan}-{order.first + 1}/{order.step}"


def share_of(order):
    return SHARES[order.plan][order.step > 1]


def carry_out(order, place, tally, share):
    """Try one case in `share` in a process that has a single thread, and hold its report against the law."""
    process = CONTEXT.Process(target=campaign, args=(place, replace(order, step=order.step * share)))
    process.start()
    process.join(5 * hang_s())
    assert process.exitcode == 0
    report = read_report(place)
    assert not report.wrong, "\n".join(report.wrong)
    assert report.calls > 5
    assert report.rows
    for row, counts in report.rows.items():
        assert counts["fired"] == counts["cases"]
        tally(row, **counts)


@pytest.mark.slow
@pytest.mark.parametrize("order", orders("strace"), ids=name_of)
def test_an_operation_survives_any_fault_in_any_system_call(tmp_path, tally, chaos, order):
    if reason := why_not_strace():
        pytest.skip(reason)
    carry_out(order, tmp_path, tally, 1 if chaos else share_of(order))


@pytest.mark.slow
@pytest.mark.parametrize("order", orders("seam"), ids=name_of)
def test_an_operation_survives_any_fault_at_the_seam(tmp_path, tally, chaos, order):
    """The same where nothing may be traced."""
    share = 21 if order.step > 1 else 7
    carry_out(order, tmp_path, tally, share if chaos else share * share_of(order))


@pytest.mark.slow
@pytest.mark.parametrize("through", ["strace", "seam"])
@pytest.mark.parametrize("operation", ["publish", "checkpoint", "team share"])
def test_a_write_that_was_reported_and_lost_is_found_by_its_hash(tmp_path, tally, operation, through):
    """Row 6: readers refuse it, and the next start makes it anew."""
    if through == "strace" and (reason := why_not_strace()):
        pytest.skip(reason)
    carry_out(Order(operation, through, "lost"), tmp_path, tally, 1)


@pytest.mark.slow
def test_a_peer_that_prunes_between_any_two_calls_of_an_import_costs_no_more_than_what_it_pruned(tmp_path, tally):
    """Row 18: no error is counted, and nothing is imported in part."""
    carry_out(Order("import", "seam", "pruned"), tmp_path, tally, 1)
