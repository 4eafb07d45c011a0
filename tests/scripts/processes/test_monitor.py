from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.processes.monitor import WORKING_CORES, Monitor, Sample, Sums, Usage, Waits, n_working, pause_s, thin
from atoll.scripts.processes.proc import Thread
from tests.processes import wait_until
from tests.scripts.processes.test_proc import process

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = """
import threading
done = threading.Event()
threads = [threading.Thread(target=done.wait) for _ in range(7)]
[t.start() for t in threads]
input()
done.set()
[t.join() for t in threads]
"""
BURNED_S = (0.4, 0.2, 0.4, 0.6)
"""Of the first process and of its children."""
PROCESSES = f"""
import os, signal, time
def burn(seconds):
    while time.process_time() < seconds: pass
first, *others = {BURNED_S}
children = []
for burned_s in others:
    if not (pid := os.fork()):
        burn(burned_s)
        signal.pause()
    children.append(pid)
burn(first)
input()
for pid in children:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
input()
"""
STRAYS = """
import subprocess
for _ in range(2): subprocess.Popen(["sleep", "6000"], start_new_session=True)
input()
"""


def watch(script: str, *sights: Callable[[Monitor], bool]) -> tuple[Usage, float]:
    """Let a script go on by a line as soon as the monitor has seen each of these.

    Return what the monitor says, and the processor time by the kernel's own account of the ended tree.
    """
    command = [sys.executable, "-c", script]
    root = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    monitor = Monitor(root.pid, hz=20.0)
    monitor.start()
    assert root.stdin is not None
    for sight in sights:
        wait_until(lambda: bool(monitor._watched._samples) and sight(monitor), "the monitor to see it")  # noqa: B023
        root.stdin.write(b"\n")
        root.stdin.flush()
    _, status, used = os.wait4(root.pid, 0)
    root.stdin.close()
    root.returncode = os.waitstatus_to_exitcode(status)
    assert root.returncode == 0
    return monitor.stop(), used.ru_utime + used.ru_stime


def seen(monitor: Monitor) -> Usage:
    """Return what it would say if it stopped now."""
    return monitor._watched.usage()


@pytest.mark.slow
def test_threads_are_counted_at_their_peak() -> None:
    usage, _ = watch(THREADS, lambda monitor: seen(monitor).peak_threads == 8 and seen(monitor).voluntary_switches > 7)
    assert (usage.peak_threads, usage.peak_threads_of_one, usage.peak_processes) == (8, 8, 1)
    assert usage.voluntary_switches >= 7
    assert usage.stray_processes == 0
    assert 0 < usage.peak_uss_bytes <= usage.peak_pss_bytes


@pytest.mark.slow
def test_processor_time_of_ended_processes_is_kept() -> None:
    usage, used_s = watch(
        PROCESSES,
        lambda monitor: seen(monitor).cpu_s > 0.9 * sum(BURNED_S) and seen(monitor).run_s > 0.6,
        lambda monitor: len(monitor.living()) == 1,
    )
    assert usage.cpu_s == pytest.approx(used_s, abs=0.15)
    assert usage.cpu_s > 0.9 * sum(BURNED_S)
    assert usage.run_s > 0.6
    assert usage.peak_processes == 4
    first, *others = usage.samples
    watched_s = others[-1][0] - first[0]
    assert usage.working_processes >= sum(0.9 * burned_s > WORKING_CORES * watched_s for burned_s in BURNED_S)
    assert first[3] == 0.0
    assert [row[0] for row in usage.samples] == sorted(row[0] for row in usage.samples)
    assert len(others) < 200


@pytest.mark.slow
def test_what_outlives_the_first_process_is_a_stray_and_named() -> None:
    root = subprocess.Popen([sys.executable, "-c", STRAYS], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    monitor = Monitor(root.pid)
    monitor.start()
    wait_until(lambda: len(monitor.living()) == 3, "both children")
    root.communicate(b"\n")
    usage = monitor.stop()
    assert usage.stray_processes == 2
    assert {each.name for each in monitor.living()} == {"sleep"}
    for each in monitor.living():
        os.kill(each.pid, 9)


def test_it_watches_what_runs_already_and_stops_before_that_does() -> None:
    with subprocess.Popen(["sleep", "6000"]) as root:
        monitor = Monitor(root.pid)
        monitor.start()
        usage = monitor.stop()
        assert (usage.peak_processes, usage.stray_processes, usage.working_processes) == (1, 0, 0)
        root.kill()


def test_there_must_be_such_a_process() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        Monitor(pid)


def test_its_fields_are_those_of_a_row() -> None:
    """The contract with the rows of the comparison, by name and order."""
    assert [field.name for field in fields(Usage)] == [
        *("cpu_s", "peak_threads", "peak_threads_of_one", "peak_processes", "working_processes"),
        *("peak_pss_bytes", "peak_uss_bytes", "run_s", "wait_s", "voluntary_switches", "involuntary_switches"),
        *("stray_processes", "samples"),
    ]


@given(st.floats(0, 10), st.floats(0.001, 1), st.floats(0.01, 1), st.floats(0, 10))
def test_looking_costs_its_share_unless_that_is_too_seldom(
    cost_s: float, share: float, at_least_s: float, more_s: float
) -> None:
    pause = pause_s(cost_s, share=share, at_least_s=at_least_s, at_most_s=at_least_s + more_s)
    assert at_least_s <= pause <= at_least_s + more_s
    assert cost_s / pause <= share * 1.000001 or pause == at_least_s + more_s


def test_a_process_works_above_a_twentieth_of_a_core() -> None:
    assert n_working([process(1, own_s=0.49), process(2, own_s=0.51)], 10.0) == 1


lives = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 5), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6
)


@given(lives)
def test_a_thread_counts_once_with_its_last_figures(born_lived_run_wait: list[tuple[int, int, int, int]]) -> None:
    """Thread i is born at one look, lives for some, and runs and waits so much between two."""
    waits = Waits()
    for look in range(12):
        threads = [
            Thread(i, "t", "S", run * (look - born), wait * (look - born), look, 2 * look)
            for i, (born, lived, run, wait) in enumerate(born_lived_run_wait)
            if born <= look < born + lived
        ]
        waits.add({1: threads})
    assert waits.sums.run_s == sum(run * (lived - 1) for _, lived, run, _ in born_lived_run_wait)
    assert waits.sums.wait_s == sum(wait * (lived - 1) for _, lived, _, wait in born_lived_run_wait)
    assert waits.sums.involuntary == 2 * waits.sums.voluntary


def test_a_number_that_is_given_again_is_another_thread() -> None:
    waits = Waits()
    waits.add({1: [Thread(5, "a", "S", 3.0, 1.0, 4, 2)]})
    waits.add({1: [Thread(5, "b", "S", 0.5, 0.0, 1, 0)]})
    assert waits.sums == Sums(3.5, 1.0, 5, 2)


steps = st.tuples(st.integers(1, 30), st.integers(0, 400), st.integers(0, 9), st.integers(0, 50), st.integers(0, 2**33))


@st.composite
def histories(draw: st.DrawFn) -> list[Sample]:
    found = draw(st.lists(steps, min_size=draw(st.sampled_from([1, 25])), max_size=60))
    times = accumulate(step[0] / 10 for step in found)
    cpu = accumulate(step[3] / 10 for step in found)
    return [Sample(t, n, p, c, b) for t, c, (_, n, p, _, b) in zip(times, cpu, found, strict=True)]


@given(histories(), st.integers(1, 12) | st.integers(13, 70))
def test_thinning_keeps_the_processor_time_the_span_and_the_peaks(samples: list[Sample], limit: int) -> None:
    rows = thin(samples, limit)
    assert len(rows) == min(limit, len(samples))
    if limit > 1:
        used = sum(after[3] * (after[0] - before[0]) for before, after in pairwise(rows))
        assert used == pytest.approx(samples[-1].cpu_s - samples[0].cpu_s)
        assert (rows[0][0], rows[-1][0]) == (samples[0].t_s, samples[-1].t_s)
        assert max(row[1] for row in rows) == max(sample.threads for sample in samples)
        assert max(row[2] for row in rows) == max(sample.processes for sample in samples)
        assert max(row[4] for row in rows) == max(sample.pss_bytes for sample in samples)


def test_nothing_stays_nothing() -> None:
    assert thin([], 5) == ()
