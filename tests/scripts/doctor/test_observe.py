from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from atoll.evo.errors import ConfigError
from atoll.scripts.doctor.observe import Observation, _Record, check, observe
from atoll.scripts.processes import proc
from atoll.scripts.processes.proc import Tree
from tests.processes import wait_until

MANY = 9
THREADS = """
import os, sys, threading
done = threading.Event()
def wait():
    while not done.wait(0.01): pass
threads = [threading.Thread(target=wait) for _ in range(3)]
[t.start() for t in threads]
child = os.fork()
if not child:
    sys.stdin.read()
    os._exit(0)
print("ready", flush=True)
sys.stdin.read()
done.set()
os.waitpid(child, 0)
"""


def look(script: str, **environment: str) -> tuple[Observation, int]:
    """Look at a script, from when it is ready, until its threads have slept a few times; then let it end."""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment}
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        check(child.pid)
        slept: list[int] = []

        def is_over(_: float) -> bool:
            slept.append(sum(thread.voluntary for thread in proc.read_threads(child.pid)))
            return len(slept) > 1 and slept[-2] - slept[0] > MANY  # both of what was before this look and after one

        seen = observe(child.pid, is_over=is_over)
        child.communicate()
        return seen, child.pid


def test_a_tree_is_seen_with_its_threads_and_its_environment() -> None:
    seen, pid = look(THREADS, OMP_NUM_THREADS="3", OMP_WAIT_POLICY="PASSIVE")
    first, second = seen.processes
    assert (seen.looks >= 3, seen.has_ended) == (True, False)
    assert (first.pid, first.peak_threads, second.peak_threads) == (pid, 4, 1)
    assert sorted(str(thread.maker) for thread in first.threads) == ["Python", "Python", "Python", "main"]
    assert sum(thread.voluntary for thread in first.threads) > MANY
    assert first.libraries is not None
    assert "Python" in first.libraries
    assert first.variables is not None
    assert first.variables["OMP_NUM_THREADS"] == "3"
    assert first.variables["OMP_WAIT_POLICY"] == "PASSIVE"
    assert first.command.startswith(sys.executable)


def test_a_thread_that_began_meanwhile_did_all_it_did_meanwhile() -> None:
    record = _Record(Tree(os.getpid()))
    record.look()
    has_slept, done = threading.Event(), threading.Event()
    naps: list[int] = []

    def work() -> None:
        for _ in range(60):
            time.sleep(0.0001)
        own = threading.get_native_id()
        naps.extend(each.voluntary for each in proc.read_threads(os.getpid()) if each.tid == own)
        has_slept.set()
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    has_slept.wait()
    record.look()
    done.set()
    thread.join()
    [seen] = [each for each in record.observation(1.0).processes if each.pid == os.getpid()]
    [its] = [each for each in seen.threads if each.tid == thread.native_id]
    assert its.voluntary >= naps[0] > 0


def test_however_long_a_look_takes_there_are_two() -> None:
    assert observe(os.getpid(), is_over=lambda _: True).looks == 2


def test_an_end_ends_the_look() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        end = child.stdin.close
        seen = observe(child.pid, is_over=lambda _: bool(end()))
        assert seen.has_ended
        assert seen.looks >= 2


def test_who_is_gone_cannot_be_looked_at() -> None:
    child = subprocess.Popen(["true"])
    wait_until(lambda: _refusal(child.pid).endswith("to notice"), "it to be a zombie")
    child.wait()
    assert "no such process" in _refusal(child.pid)
    with pytest.raises(ConfigError, match="ended before"):
        observe(child.pid, is_over=lambda _: False)


def _refusal(pid: int) -> str:
    try:
        check(pid)
    except ConfigError as error:
        return str(error)
    return ""
