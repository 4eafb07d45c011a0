from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.processes.monitor import Monitor, Usage, n_working, pause_s
from tests.processes import wait_until
from tests.scripts.processes.test_tree import process

WORK = """
import os, threading, time
def burn(seconds):
    while time.process_time() < seconds: pass
def sleep(): time.sleep(0.7)
"""
THREADS = f"""{WORK}
threads = [threading.Thread(target=sleep) for _ in range(7)]
[t.start() for t in threads]
[t.join() for t in threads]
"""
PROCESSES = f"""{WORK}
children = []
for i in range(3):
    if not (pid := os.fork()):
        burn(0.2 * (i + 1))
        os._exit(0)
    children.append(pid)
[os.waitpid(pid, 0) for pid in children]
burn(0.4)
"""
STRAYS = """
import subprocess
for _ in range(2): subprocess.Popen(["sleep", "60"], start_new_session=True)
input()
"""


def watch(script: str) -> tuple[Usage, float]:
    """Return what the monitor says, and the processor time by the kernel's own account of the ended tree."""
    root = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    monitor = Monitor(root.pid, hz=20.0)
    monitor.start()
    _, status, used = os.wait4(root.pid, 0)
    root.returncode = os.waitstatus_to_exitcode(status)
    assert root.returncode == 0
    return monitor.stop(), used.ru_utime + used.ru_stime


@pytest.mark.slow
def test_threads_are_counted_at_their_peak() -> None:
    usage, _ = watch(THREADS)
    assert (usage.peak_threads, usage.peak_threads_of_one, usage.peak_processes) == (8, 8, 1)
    assert usage.voluntary_switches >= 7
    assert usage.stray_processes == 0
    assert 0 < usage.peak_uss_bytes <= usage.peak_pss_bytes


@pytest.mark.slow
def test_processor_time_of_ended_processes_is_kept() -> None:
    usage, used_s = watch(PROCESSES)
    assert usage.cpu_s == pytest.approx(used_s, abs=0.15)
    assert usage.cpu_s > 1.5
    assert usage.run_s > 0.6
    assert usage.peak_processes == 4
    assert usage.working_processes >= 3
    first, *others = usage.samples
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
    with subprocess.Popen(["sleep", "60"]) as root:
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
