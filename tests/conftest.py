"""Property tests draw the same examples every time, and no noisy machine fails one for being slow.

In CI a skipped test is a failure, since a promise that nobody checks is none: install what the test needs.

`--chaos` gives the tests of faults their full sizes; what they tally is printed at the end, row by row of the table in
docs/reliability.md.
"""

from __future__ import annotations

import os
import signal
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

settings.register_profile(
    "atoll", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("daily", settings.get_profile("atoll"), max_examples=25)
settings.register_profile("few", settings.get_profile("atoll"), max_examples=10)
settings.load_profile("atoll" if os.environ.get("CI") else "daily")  # unless --hypothesis-profile says otherwise

# Whoever runs the tests may ignore these (nohup, a job in the background), and every child of ours would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

LIMITS_OF_A_MACHINE = ("GPU", "one core", "not permitted")
"""What a reason for skipping says where no program that one could install would help."""


ROW = "row of faults"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos", action="store_true", help="give the tests of faults their full sizes (make chaos)")


@pytest.fixture(scope="session")
def chaos(request: pytest.FixtureRequest) -> bool:
    """Whether to go through everything, instead of a share that is as varied."""
    return bool(request.config.getoption("--chaos"))


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Report what a test went through: `tally(1, cases=120, fired=120)` for row 1 of docs/reliability.md."""

    def note(row: int, **counts: int) -> None:
        record_property(ROW, [row, counts])

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        for name, value in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ():
            if name == ROW:
                rows[value[0]].update(value[1])
    if rows:
        terminalreporter.section("faults")
    for row, counts in sorted(rows.items()):
        told = ", ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in counts.items())
        terminalreporter.write_line(f"row {row:2}  {told}")


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
