from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.lab.parallel.metrics import (
    Metrics,
    Verdict,
    cores_at_the_end,
    differing,
    judge,
    judge_outcome,
    karp_flatt,
)
from tests.lab.parallel.made_rows import steady, trial


def metrics(*, overlap: float, speedup: float, utilisation: float, workers: int = 2) -> Metrics:
    """Return the metrics of a run of 10 s; inflation follows from the identity."""
    inflation = utilisation / speedup
    return Metrics(
        *(10.0, 1.0, 0.0, overlap, speedup, speedup / workers, utilisation, inflation, inflation),
        karp_flatt(speedup, workers),
        is_bound=False,
    )


@pytest.mark.parametrize(
    ("overlap", "speedup", "utilisation", "wait_share", "verdict"),
    [
        (1.97, 1.80, 1.88, 0.0, Verdict.PARALLEL),  # two processes, one thread each
        (2.0, 0.63, 1.35, 0.0, Verdict.CONVOYED),  # two Python threads
        (2.0, 0.34, 1.99, 0.4, Verdict.OVERSUBSCRIBED),  # two processes of two threads
        (2.0, 0.34, 1.99, 0.0, Verdict.SPINNING),
        (1.0, 0.95, 1.0, 0.0, Verdict.SEQUENTIAL),
        (1.7, 1.3, 1.4, 0.0, Verdict.DEGRADED),
        (2.0, 1.5, 1.9, 0.0, Verdict.DEGRADED),  # inflation 1.27
        (1.9, 0.95, 0.99, 0.49, Verdict.DEGRADED),  # two processes, and a stranger on one of the two cores
    ],
)
def test_what_was_measured_before_is_called_what_it_was(
    overlap: float, speedup: float, utilisation: float, wait_share: float, verdict: Verdict
) -> None:
    found = metrics(overlap=overlap, speedup=speedup, utilisation=utilisation)
    judgement = judge(found, workers=2, cores=2, wait_share=wait_share)
    assert judgement.verdict is verdict
    assert "." in judgement.because


@pytest.mark.parametrize(
    ("speedup", "utilisation", "wait_share", "is_starting_each", "verdict"),
    [
        (0.7, 1.9, 0.0, True, Verdict.STARTING),  # four processes, two at a time, each with its import
        (0.7, 1.9, 0.5, True, Verdict.STARTING),  # four at a time
        (1.4, 1.9, 0.0, True, Verdict.STARTING),
        (1.4, 1.9, 0.0, False, Verdict.DEGRADED),
        (0.7, 1.9, 0.0, False, Verdict.SPINNING),
        (1.8, 1.9, 0.0, True, Verdict.PARALLEL),
    ],
)
def test_processes_that_start_anew_for_each_trial_are_told_from_those_that_spin(
    speedup: float,
    utilisation: float,
    wait_share: float,
    is_starting_each: bool,  # noqa: FBT001 - pytest passes it by name
    verdict: Verdict,
) -> None:
    found = metrics(overlap=2.0, speedup=speedup, utilisation=utilisation)
    judgement = judge(found, workers=2, cores=2, wait_share=wait_share, is_starting_each=is_starting_each)
    assert judgement.verdict is verdict


@pytest.mark.parametrize(
    ("speedup", "utilisation", "wait_share", "verdict"),
    [
        (0.98, 1.0, 0.0, Verdict.SEQUENTIAL),
        (0.23, 1.2, 0.5, Verdict.OVERSUBSCRIBED),
        (0.9, 1.9, 0.0, Verdict.SPINNING),
        (0.5, 0.5, 0.0, Verdict.DEGRADED),
    ],
)
def test_one_worker_is_told_of_waste_only(
    speedup: float, utilisation: float, wait_share: float, verdict: Verdict
) -> None:
    found = metrics(overlap=1.0, speedup=speedup, utilisation=utilisation, workers=1)
    assert judge(found, workers=1, cores=2, wait_share=wait_share).verdict is verdict


@given(st.floats(0.0, 128.0), st.floats(0.01, 128.0), st.floats(0.01, 128.0), st.floats(0.0, 1.0), st.integers(1, 128))
def test_praise_is_earned_and_waste_never_praised(
    overlap: float, speedup: float, utilisation: float, wait_share: float, workers: int
) -> None:
    found = metrics(overlap=overlap, speedup=speedup, utilisation=utilisation, workers=workers)
    verdict = judge(found, workers=workers, cores=64, wait_share=wait_share).verdict
    if verdict is Verdict.PARALLEL:
        assert speedup >= 0.7 * min(workers, 64)
        assert utilisation / speedup <= 1.2 * 1.000001
    if verdict in {Verdict.SPINNING, Verdict.OVERSUBSCRIBED}:
        assert utilisation / speedup > 1.5 * 0.999999
    if verdict is Verdict.CONVOYED:
        assert wait_share <= 0.2
        assert speedup < 1.2
        assert overlap >= 0.8 * workers


@given(st.floats(0.01, 2.0), st.floats(1.0, 1.9))
def test_more_speed_at_the_same_cost_is_never_a_worse_verdict(speedup: float, factor: float) -> None:
    """For two workers on two cores that waste nothing, the order is convoyed, degraded, parallel."""
    order = [Verdict.CONVOYED, Verdict.DEGRADED, Verdict.PARALLEL]
    slow, fast = (
        judge(metrics(overlap=2.0, speedup=s, utilisation=s), workers=2, cores=2, wait_share=0.0).verdict
        for s in (speedup, min(2.0, speedup * factor))
    )
    assert order.index(slow) <= order.index(fast)


def test_a_run_that_did_not_finish_is_told_from_one_that_hangs() -> None:
    busy, idle = steady(1.0, 30.0), steady(1.0, 15.0) + tuple((t, 3.0, 2.0, 0.0, 1e6) for t in (20.0, 25.0, 30.0))
    assert judge_outcome("finished", None, busy) is None
    for samples, verdict in ((busy, Verdict.UNFINISHED), (idle, Verdict.HUNG), ((), Verdict.HUNG)):
        judgement = judge_outcome("deadline", None, samples)
        assert judgement is not None
        assert judgement.verdict is verdict
    assert cores_at_the_end(busy) == pytest.approx(1.0)


def test_reasons_are_passed_on() -> None:
    judgement = judge_outcome("skipped", "Ray is not installed", ())
    assert judgement is not None
    assert (judgement.verdict, judgement.because) == (Verdict.SKIPPED, "Ray is not installed")
    failed = judge_outcome("failed", None, ())
    assert failed is not None
    assert failed.verdict is Verdict.FAILED


def test_another_result_is_named_and_a_missing_one_is_not_another() -> None:
    trials = (trial(0, 0, 1), trial(1, 0, 1, result_hash="other"), trial(2, 0, 1, error="no", result_hash=""))
    assert differing(trials, {0: "hash 0", 1: "hash 1", 2: "hash 2"}) == (1,)
