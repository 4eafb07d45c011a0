from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.lab.parallel.interference import (
    PROC,
    Counters,
    Interference,
    Ticks,
    parse_pressure,
    parse_stat,
    reject,
)

if TYPE_CHECKING:
    from pathlib import Path

STAT = "cpu  {user} 10 20 {idle} 5 1 2 {steal} 30 40\ncpu0 1 2 3\nintr 7\n"
QUIET = Interference(foreign_cores=0.0, steal_share=0.0, psi_share=0.0)


def judged(interference: Interference = QUIET, **changes: float) -> str | None:
    usual = {"calibration_before_s": 1.0, "calibration_after_s": 1.0, "own_cores": 1.0, "cores": 2}
    return reject(interference, **{**usual, **changes})  # type: ignore[arg-type]


def proc(folder: Path, *, user: int, idle: int, steal: int = 0, psi_us: int | None = None) -> Path:
    (folder / "pressure").mkdir(exist_ok=True)
    (folder / "stat").write_text(STAT.format(user=user, idle=idle, steal=steal))
    if psi_us is not None:
        (folder / "pressure/cpu").write_text(f"some avg10=0.00 avg60=0.00 avg300=0.00 total={psi_us}\nfull total=0\n")
    return folder


def test_idle_and_waiting_for_disks_is_not_busy_and_a_guest_is_not_counted_twice() -> None:
    ticks = parse_stat(STAT.format(user=100, idle=50, steal=7), ticks_per_s=1)
    assert ticks == Ticks(busy_s=133, steal_s=7, all_s=195)


def test_what_this_kernel_does_not_say_is_unknown(tmp_path: Path) -> None:
    nothing = Counters.begin(tmp_path).end(own_cpu_s=1.0, wall_s=1.0)
    assert nothing == Interference(None, None, None)
    assert judged(nothing) is None


def test_this_kernel_says_it() -> None:
    if not (PROC / "stat").exists():
        pytest.skip("no /proc")
    assert parse_stat((PROC / "stat").read_text()) is not None


def test_foreign_is_what_was_busy_less_what_is_ours(tmp_path: Path) -> None:
    per_s = os.sysconf("SC_CLK_TCK")
    counters = Counters.begin(proc(tmp_path, user=0, idle=0, psi_us=0))
    proc(tmp_path, user=12 * per_s, idle=7 * per_s, steal=1 * per_s, psi_us=500_000)
    found = counters.end(own_cpu_s=9.0, wall_s=10.0)
    assert found.foreign_cores == pytest.approx(0.3, abs=0.05)  # this process has worked a little, too
    assert found.steal_share == pytest.approx(0.05)
    assert found.psi_share == pytest.approx(0.05)


@given(st.integers(0, 10**9))
def test_pressure_is_counted_in_microseconds(total: int) -> None:
    assert parse_pressure(f"some avg10=0.00 avg60=0.00 avg300=0.00 total={total}") == pytest.approx(total / 1e6)


@pytest.mark.parametrize(
    ("interference", "changes", "reason"),
    [
        (Interference(0.11, 0.0, 0.0), {}, "foreign"),
        (Interference(0.0, 0.06, 0.0), {}, "hypervisor"),
        (Interference(0.0, 0.0, 0.06), {}, "waited"),
        (QUIET, {"calibration_after_s": 1.06}, "calibration"),
        (QUIET, {"calibration_after_s": 0.94}, "calibration"),
    ],
)
def test_each_witness_alone_rejects(interference: Interference, changes: dict[str, float], reason: str) -> None:
    assert reason in (judged(interference, **changes) or "")


def test_a_quiet_run_counts() -> None:
    assert judged(Interference(0.09, 0.04, 0.04), calibration_after_s=1.04) is None


def test_a_run_that_fills_the_machine_waits_for_itself() -> None:
    """Otherwise every oversubscribed run, which is what is to be shown, would be rejected."""
    waiting = Interference(0.0, 0.0, 0.9)
    assert judged(waiting, own_cores=1.0) is not None
    assert judged(waiting, own_cores=1.9) is None


@given(st.floats(0, 4), st.floats(0, 1), st.floats(0, 1), st.floats(0, 2), st.floats(0.01, 1))
def test_more_disturbance_never_makes_a_rejected_run_count(
    foreign: float, steal: float, psi: float, own: float, more: float
) -> None:
    if judged(Interference(foreign, steal, psi), own_cores=own):
        assert judged(Interference(foreign + more, steal + more, psi + more), own_cores=own)
