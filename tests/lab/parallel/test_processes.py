from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from atoll.scripts.lab.parallel import run
from atoll.scripts.processes import proc
from atoll.scripts.processes.proc import MARKER, Tree
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDING = """
import subprocess, sys, time
child = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)"]
print(subprocess.Popen(child, start_new_session=True).pid, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def mark() -> Iterator[str]:
    value = run.new_mark()
    yield value
    run.end_marked(value)


def start(mark: str) -> tuple[subprocess.Popen[str], int]:
    """A process with a child in a session of its own, which takes no hint."""
    parent = subprocess.Popen(
        [sys.executable, "-c", HIDING],
        env={**os.environ, MARKER: mark},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with parent.stdout as output:
        return parent, int(output.readline())


@pytest.mark.slow
def test_a_whole_tree_is_ended_with_those_that_left_its_session(mark):
    parent, child = start(mark)
    tree = Tree(parent.pid)
    assert run.end_all(tree) == []
    assert parent.wait() == -9
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie", "the child's end")


@pytest.mark.slow
def test_who_outlives_the_first_process_is_still_of_its_tree(mark):
    parent, child = start(mark)
    tree = Tree(parent.pid)
    tree.look()
    parent.kill()
    parent.wait()
    assert [process.pid for process in run.wait_for_end(tree, 0.1)] == [child]
    assert run.end_all(tree) == []


@pytest.mark.slow
def test_what_a_dead_harness_left_is_found_by_its_mark_and_nobody_else_is_touched(mark):
    parent, child = start(mark)
    parent.kill()
    parent.wait()
    other = run.new_mark()
    stranger, grandchild = start(other)
    assert [process.pid for process in run.marked(mark)] == [child]
    assert run.end_marked(mark) == 1
    assert run.marked(mark) == []
    assert {process.pid for process in run.marked(other)} == {stranger.pid, grandchild}
    run.end_marked(other)
    stranger.wait()


@pytest.mark.slow
def test_a_number_that_was_given_to_somebody_else_is_spared(mark):
    parent, _ = start(mark)
    earlier = replace(proc.read_process(parent.pid), started=1)
    run._kill([earlier])
    with pytest.raises(subprocess.TimeoutExpired):
        parent.wait(0.3)
    run.end_all(Tree(parent.pid))
    assert parent.wait() == -9


def test_marks_are_never_the_same():
    assert len({run.new_mark() for _ in range(100)}) == 100
