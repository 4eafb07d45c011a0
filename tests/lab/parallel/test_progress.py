from __future__ import annotations

from atoll.scripts.lab.parallel import session
from atoll.scripts.lab.parallel.plan import Slot
from atoll.scripts.lab.parallel.setting import Setting
from tests.lab.parallel.made_rows import trial
from tests.lab.parallel.test_slots import row_of

ONE, OTHER = Setting("sequential", "tiny"), Setting("pool", "tiny", workers=2)


def test_time_left_is_as_long_as_the_same_setting_took_or_as_all_did():
    rows = [row_of(Slot(1, 0, ONE), launched_s=0.0, exited_s=10.0), row_of(Slot(0, 0, ONE), exited_s=1000.0)]
    left = [Slot(2, 0, ONE), Slot(2, 1, OTHER)]
    assert session.time_left_s(left, rows, besides_s=1.0) == 22.0
    assert session.time_left_s(left, rows[1:], besides_s=1.0) is None
    rows.append(row_of(Slot(1, 1, OTHER), launched_s=0.0, exited_s=4.0))
    assert session.time_left_s(left, rows, besides_s=0.0) == 14.0


def test_durations_are_told_in_the_unit_that_fits():
    assert session.duration(None) == "time left unknown"
    assert session.duration(42.0) == "about 42 s left"
    assert session.duration(600.0) == "about 10 min left"


def test_what_is_usual_in_a_setting_goes_without_saying():
    assert session.describe(ONE) == "sequential, 1 at once, reference"
    told = session.describe(
        Setting(
            "pool", "tiny", threads="default", limit="none", wait_policy="passive", start_method="fork", fault="kill"
        )
    )
    assert told == "pool (fork; default threads; passive waiting), 1 at once, reference, fault: kill"


def test_a_report_says_how_many_ran_at_once_and_what_went_wrong():
    trials = (trial(0, 0, 2), trial(1, 1, 3, error="E: no"))
    row = row_of(
        Slot(1, 0, OTHER),
        trials=trials,
        launched_s=0.0,
        exited_s=4.0,
        outcome="failed",
        reason="trial 1 raised E: no",
        stray_processes=2,
        rejected="noise",
    )
    assert session.report(row) == (
        "failed, 1/4 trials in 4.0 s, at most 2 at once; 2 stray processes; trial 1 raised E: no; REJECTED: noise"
    )
