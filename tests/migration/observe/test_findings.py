"""Laws of findings: all is counted, some is kept, and time is kept too."""

from __future__ import annotations

from pathlib import Path

import pytest

from atoll.migration.observe import verify
from atoll.migration.observe.verify import Defect, OutOfTimeError, Report


def test_what_is_noted_is_found():
    report = Report()
    report.count("genomes", 3)
    report.defect(Path("a"), "torn", byte=7)
    report.leftover(Path("b"))
    found = report.findings()
    assert (found.counts["genomes"], found.counts["islands"]) == (3, 0)
    assert (found.defects, found.leftovers, found.more) == ((Defect("a", "torn", 7),), ("b",), 0)
    assert not found.is_clean


def test_leftovers_alone_are_clean_and_what_was_not_read_is_not():
    report = Report()
    report.leftover(Path("b"))
    assert report.findings().is_clean
    report.leave_out("the rest")
    assert not report.findings().is_clean


def test_more_than_memory_should_hold_is_only_counted(monkeypatch):
    monkeypatch.setattr(verify, "MAX_KEPT", 2)
    report = Report()
    for _ in range(5):
        report.defect(Path("a"), "torn")
        report.leftover(Path("b"))
    found = report.findings()
    assert (len(found.defects), len(found.leftovers), found.more) == (2, 2, 6)


def test_time_is_counted_from_the_beginning():
    now_s = 50.0
    report = Report(limit_s=10.0, clock=lambda: now_s)
    now_s = 60.0
    report.check_time()
    now_s = 60.1
    with pytest.raises(OutOfTimeError):
        report.check_time()
