"""Property tests draw the same examples every time, and no noisy machine fails one for being slow.

In CI a skipped test is a failure, since a promise that nobody checks is none: install what the test needs.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Generator

settings.register_profile(
    "atoll", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("atoll")

# Whoever runs the tests may ignore these (nohup, a job in the background), and every child of ours would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

LIMITS_OF_A_MACHINE = ("GPU", "one core", "not permitted")
"""What a reason for skipping says where no program that one could install would help."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _judged((yield))


def _judged(report: Report) -> Report:
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(limit in reason for limit in LIMITS_OF_A_MACHINE):
            report.outcome = "failed"
            report.longrepr = f"in CI no test is skipped for want of a program: {reason}"
    return report
