from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.doctor.diagnosis import MOST_PROCESSES, Condition, diagnose, explain, teams
from tests.scripts.doctor.made_observations import observation, process, thread

TURNING = {"voluntary": 1500}
WAITING = {"wait_s": 5.0, "runnable_share": 1.0}

CASES = {
    "a process that sleeps": (process(thread("main", 0.0), thread("OpenMP", 0.0)), Condition.ASLEEP),
    "one island": (process(thread("main", 0.99)), Condition.SEQUENTIAL),
    "NumPy with its pool": (process(thread("main", 0.95), thread("OpenBLAS", 0.9)), Condition.PARALLEL),
    "two Python threads in PyTorch": (
        process(thread("main", 0.0), thread("Python", 0.67, **TURNING), thread("Python", 0.68, **TURNING)),
        Condition.CONVOYED,
    ),
    "the same beside others' work": (
        process(thread("main", 0.0), *[thread("Python", 0.5, wait_s=4.9, **TURNING) for _ in range(2)]),
        Condition.CONVOYED,
    ),
    "two Python threads outside of the lock, beside others' work": (
        process(thread("main", 0.0), *[thread("Python", 0.5, wait_s=4.9) for _ in range(2)]),
        Condition.CROWDED_OUT,
    ),
    "two Python threads outside of the lock": (
        process(thread("main", 0.0), thread("Python", 0.95), thread("Python", 0.95)),
        Condition.PARALLEL,
    ),
    "a pool of processes with teams": (
        process(*[thread(maker, 0.5, **WAITING) for maker in ("main", "OpenMP", "main", "OpenMP")]),
        Condition.OVERSUBSCRIBED,
    ),
    "one island beside others' work": (process(thread("main", 0.5, **WAITING)), Condition.CROWDED_OUT),
    "two that meet at a barrier": (process(thread("main", 0.5), thread("OpenMP", 0.4)), Condition.PARTLY_PARALLEL),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case_gets_its_word(case: str) -> None:
    seen, condition = CASES[case]
    assert diagnose(observation(seen)).condition is condition


def test_processes_side_by_side_are_counted() -> None:
    found = diagnose(observation(process(thread("main", 0.97), pid=1), process(thread("main", 0.96), pid=2)))
    assert (found.condition, found.working_threads, found.working_processes) == (Condition.PARALLEL, 2, 2)


def test_threads_that_wait_for_files_are_no_convoy() -> None:
    reading = [thread("Python", 0.1, voluntary=4000) for _ in range(4)]
    assert diagnose(observation(process(thread("main", 0.0), *reading))).convoys == ()


def test_a_program_without_python_has_no_convoy() -> None:
    seen = process(thread("main", 0.67, **TURNING), thread("raylet", 0.67, **TURNING))
    assert diagnose(observation(seen)).convoys == ()


@given(
    st.lists(
        st.builds(
            thread,
            st.sampled_from(["main", "Python", "OpenMP", None]),
            st.floats(0, 1),
            wait_s=st.floats(0, 10),
            voluntary=st.integers(0, 5000),
        ),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 40),
)
def test_idle_threads_change_nothing(threads, idle: int) -> None:
    """A pool that sleeps is harmless, however many there are."""
    pool = [thread("OpenBLAS", 0.0) for _ in range(idle)]
    assert diagnose(observation(process(*threads, *pool))) == diagnose(observation(process(*threads)))


@given(st.integers(1, 6), st.integers(2, 64), st.booleans())
def test_teams_are_found_again(masters: int, size: int, is_named: bool) -> None:  # noqa: FBT001 - hypothesis'
    """As many teams as Python threads besides the main one; the size is in the environment, or nowhere."""
    python = [thread("Python", 0.1) for _ in range(masters)]
    workers = [thread("OpenMP", 0.1) for _ in range(masters * (size - 1))]
    variables = {"OMP_NUM_THREADS": str(size)} if is_named else {}
    found = teams(process(thread("main", 0.0), *python, *workers, variables=variables), cores=1000)
    assert found == (masters, size)


def test_without_workers_there_is_no_team() -> None:
    assert teams(process(thread("main", 1.0), thread("Python", 1.0)), cores=2) is None
    assert teams(process(thread("main", 1.0), thread("OpenMP", 1.0)), cores=2) == (1, 2)


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
