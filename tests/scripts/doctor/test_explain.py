from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.scripts.doctor.diagnosis import MOST_PROCESSES, explain
from tests.scripts.doctor.made_observations import observation, process, thread
from tests.scripts.doctor.test_diagnosis import CASES


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_is_last_and_a_warning_says_what_to_change(case: str) -> None:
    seen, condition = CASES[case]
    whole, one, verdict = explain(observation(seen))
    assert whole.topic == "seen"
    assert one.topic == "python 7"
    assert verdict.evidence.startswith(f"{condition}: ")
    assert verdict.verdict == "ok" or verdict.advice


def test_threads_are_told_by_their_makers_and_what_is_inferred_is_called_so() -> None:
    threads = [thread("main", 0.0), *[thread("Python", 0.5)] * 2, *[thread("OpenMP", 0.0)] * 6, thread(None, 0.0)]
    _, one, _ = explain(observation(process(*threads, variables={"OMP_NUM_THREADS": "4"})))
    assert "10 threads (1 main, 2 Python, 6 OpenMP, 1 unseen)" in one.evidence
    assert "OMP_NUM_THREADS=4" in one.evidence
    assert "2 teams of 4, one for each Python thread (inferred" in one.advice
    assert "sleep, which costs nothing" in one.advice
    assert "could not be seen" in one.advice


def test_a_pool_that_runs_is_not_called_asleep() -> None:
    _, one, _ = explain(observation(process(thread("main", 1.0), thread("OpenMP", 0.9))))
    assert "1 pool thread used 0.90 cores" in one.advice
    assert "sleep" not in one.advice


def test_what_may_not_be_read_is_told() -> None:
    seen = replace(process(thread("main", 1.0)), variables=None, libraries=None)
    _, one, _ = explain(observation(seen))
    assert "environment is not ours to read" in one.evidence


def test_of_many_processes_the_busiest_are_told_and_the_others_counted() -> None:
    many = [process(thread("main", 0.01 * n), pid=n) for n in range(1, 31)]
    findings = explain(observation(*many))
    assert [finding.topic for finding in findings[1:3]] == ["python 30", "python 29"]
    assert findings[MOST_PROCESSES + 1].evidence.startswith(f"{30 - MOST_PROCESSES} with {30 - MOST_PROCESSES} threads")


def test_a_command_of_several_lines_is_told_in_one() -> None:
    _, one, _ = explain(observation(replace(process(thread("main", 1.0)), command="/usr/bin/python -c a=1\nb=2")))
    assert one.evidence.endswith("; python -c a=1 b=2")
    _, none, _ = explain(observation(replace(process(thread("main", 1.0)), command="")))
    assert none.evidence.endswith("; no command line")
