from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.lab.parallel.metrics import busiest_cores, cpu_within_s, karp_flatt, measure, times_alone
from atoll.scripts.lab.parallel.records import TrialStart
from atoll.scripts.lab.parallel.rows import DEADLINE, FAILED, SKIPPED
from tests.lab.parallel.made_rows import changed, run_row, steady, trial

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.rows import RunRow

lengths = st.floats(0.1, 50.0)


@st.composite
def runs(draw: st.DrawFn) -> tuple[RunRow, dict[int, float]]:
    """Return any run that finished, sampled over its whole time, and what its trials take alone."""
    n = draw(st.integers(1, 6))
    begun = [(draw(st.floats(1.0, 20.0)), draw(lengths), draw(lengths)) for _ in range(n)]
    trials = tuple(trial(i, start, start + length, cpu_s=cpu) for i, (start, length, cpu) in enumerate(begun))
    end_s = max(each.end_s for each in trials)
    samples = steady(draw(st.floats(0.1, 64.0)), end_s + 1.0, n=draw(st.integers(1, 30)))
    row = run_row(trials, samples=samples, workers=draw(st.integers(1, 8)), exited_s=end_s + 1.0)
    return row, {i: draw(lengths) for i in range(n)}


@given(runs())
def test_speedup_is_utilisation_over_inflation(case: tuple[RunRow, dict[int, float]]) -> None:
    row, alone_s = case
    found = measure(row, alone_s)
    assert found is not None
    assert found.speedup == pytest.approx(found.utilisation / found.inflation)
    assert found.efficiency * row.setting.workers == pytest.approx(found.speedup)
    assert found.setup_s + found.wall_s + found.drain_s == pytest.approx(row.exited_s - row.launched_s)
    assert 0 < found.overlap <= len(row.trials) * 1.000001
    by_trials = found.utilisation / found.trial_inflation
    assert abs(by_trials - found.speedup) / found.speedup == pytest.approx(found.identity_error, abs=1e-9)


@given(runs(), st.floats(0.5, 2.0), st.floats(-5.0, 5.0))
def test_the_unit_of_time_and_its_zero_do_not_matter(
    case: tuple[RunRow, dict[int, float]], scale: float, shift_s: float
) -> None:
    row, alone_s = case
    moved = changed(
        row,
        launched_s=row.launched_s * scale + shift_s,
        exited_s=row.exited_s * scale + shift_s,
        trials=tuple(
            replace(t, start_s=t.start_s * scale + shift_s, end_s=t.end_s * scale + shift_s, cpu_s=t.cpu_s * scale)
            for t in row.trials
        ),
        samples=tuple((s[0] * scale + shift_s, *s[1:]) for s in row.usage.samples),
    )
    before, after = measure(row, alone_s), measure(moved, {i: s * scale for i, s in alone_s.items()})
    assert before is not None
    assert after is not None
    for name in ("overlap", "speedup", "utilisation", "inflation", "trial_inflation"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-6)


@given(st.lists(lengths, min_size=1, max_size=6), st.integers(1, 6))
def test_ideal_workers_give_an_ideal_run(work_s: list[float], workers: int) -> None:
    """P workers with the same trials side by side: overlap, speedup and utilisation P, nothing wasted."""
    ends = [sum(work_s[: i + 1]) for i in range(len(work_s))]
    lanes = [(end - length, end) for end, length in zip(ends, work_s, strict=True)]
    trials = tuple(trial(i, *lanes[i % len(lanes)]) for i in range(workers * len(lanes)))
    row = run_row(trials, workers=workers, samples=steady(workers, ends[-1]))
    found = measure(row, times_alone(trials))
    assert found is not None
    for value in (found.overlap, found.speedup, found.utilisation):
        assert value == pytest.approx(workers)
    assert (found.efficiency, found.inflation) == pytest.approx((1.0, 1.0))
    assert found.is_consistent
    assert found.karp_flatt is None if workers == 1 else found.karp_flatt == pytest.approx(0.0, abs=1e-9)


def test_trials_at_one_lock_overlap_without_a_gain() -> None:
    """The published case, from memory of its measurements: overlap 2, speedup 0.63, 1.35 cores, inflation 2.15."""
    row = run_row((trial(0, 1.0, 7.8), trial(1, 1.0, 7.8)), samples=steady(1.354, 8.0))
    found = measure(row, {0: 2.14, 1: 2.14})
    assert found is not None
    assert (found.overlap, found.speedup, found.inflation) == pytest.approx((2.0, 0.63, 2.15), abs=0.01)
    assert found.karp_flatt == pytest.approx(2.2, abs=0.03)


@given(st.floats(1.01, 64.0), st.integers(2, 128), st.floats(0.0, 1.0))
def test_karp_flatt_inverts_amdahl(scale: float, workers: int, serial: float) -> None:
    amdahl = 1.0 / (serial + (1.0 - serial) / workers)
    assert karp_flatt(amdahl, workers) == pytest.approx(serial, abs=1e-9)
    assert (karp_flatt(1.0 / scale, workers) or 0.0) > 1.0


@given(st.floats(0.0, 10.0), st.floats(0.0, 10.0), st.floats(0.0, 10.0))
def test_processor_time_adds_up_over_adjacent_stretches(a: float, b: float, c: float) -> None:
    a, b, c = sorted((a, b, c))
    samples = tuple((t, 1.0, 1.0, cores, 0.0) for t, cores in [(0.5, 0.0), (2.0, 1.5), (7.0, 0.25), (9.0, 4.0)])
    whole = cpu_within_s(samples, a, c)
    assert whole == pytest.approx(cpu_within_s(samples, a, b) + cpu_within_s(samples, b, c))
    assert 0.0 <= whole <= 1.5 * 1.5 + 5.0 * 0.25 + 2.0 * 4.0 + 1e-9


@given(runs(), st.floats(0.1, 100.0))
def test_an_unfinished_run_gives_bounds_that_its_end_keeps(
    case: tuple[RunRow, dict[int, float]], more_s: float
) -> None:
    """Whatever the last trial would have taken, the bounds hold for the run that was let finish."""
    row, alone_s = case
    *ended, last = sorted(row.trials, key=lambda each: each.end_s)
    cut_s = last.end_s
    starts = tuple(TrialStart(each.index, each.start_s, each.pid) for each in row.trials)
    cut = replace(row, outcome=DEADLINE, trials=tuple(ended), starts=starts, exited_s=cut_s)
    let = changed(
        row,
        trials=(*ended, replace(last, end_s=cut_s + more_s)),
        samples=(*row.usage.samples, (row.usage.samples[-1][0] + more_s, 1.0, 1.0, 1.0, 0.0)),
        exited_s=cut_s + more_s,
    )
    bound, truth = measure(cut, alone_s), measure(let, alone_s)
    assert bound is not None
    assert truth is not None
    assert bound.is_bound
    assert not truth.is_bound
    assert bound.wall_s <= truth.wall_s
    assert bound.speedup >= truth.speedup
    assert bound.inflation <= truth.inflation * 1.000001
    assert bound.identity_error is None


def test_nothing_is_said_of_a_run_that_did_nothing() -> None:
    raised = trial(0, 1.0, 2.0, error="ValueError: no", result_hash="", fitness=())
    assert measure(run_row((raised,), outcome=FAILED), {0: 1.0}) is None
    assert measure(run_row((), outcome=SKIPPED), {}) is None
    assert measure(run_row((raised,)), {0: 1.0}) is None


def test_a_trial_that_raised_is_no_work_done() -> None:
    good, raised = trial(0, 1.0, 3.0), trial(1, 1.0, 3.0, error="ValueError: no", result_hash="", fitness=())
    found = measure(run_row((good, raised), samples=steady(2.0, 3.0)), {0: 2.0, 1: 2.0})
    assert found is not None
    assert found.speedup == pytest.approx(1.0)


def test_a_run_in_which_nothing_began_lasts_from_its_launch() -> None:
    row = run_row((), outcome=DEADLINE, exited_s=10.0, n_trials=2, samples=steady(2.0, 10.0))
    found = measure(row, {0: 2.0, 1: 3.0})
    assert found is not None
    assert (found.wall_s, found.overlap, found.speedup, found.inflation) == pytest.approx((10.0, 0.0, 0.5, 4.0))


def test_a_trial_without_its_time_alone_is_an_error() -> None:
    with pytest.raises(KeyError):
        measure(run_row((trial(0, 0.0, 1.0),)), {})


def test_the_busiest_second_is_found_wherever_it_lies_and_a_short_run_is_one_window() -> None:
    idle = [(t / 10, 1, 1, 0.2, 0.0) for t in range(40)]
    busy = [(t, 1, 1, 2.0 if 2.05 < t < 3.05 else cores, 0.0) for t, _, _, cores, _ in idle]
    assert busiest_cores(idle) == pytest.approx(0.2)
    assert busiest_cores(busy) == pytest.approx(2.0)
    assert busiest_cores(idle[:3]) == pytest.approx(0.2)
    assert busiest_cores([]) == busiest_cores(idle[:1]) == 0.0
