from __future__ import annotations

import os
import subprocess
import sys
import threading
from itertools import permutations
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.processes import proc
from atoll.scripts.processes.proc import MARKER, Process, Thread, Tree, joining, total_cpu_s
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

counts = st.integers(0, 2**40)
names = st.text(st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]), min_size=1, max_size=15)


@given(names, st.sampled_from("RSDTZ"), st.lists(counts, min_size=18, max_size=40))
def test_a_name_may_hold_brackets_and_spaces(name: str, state: str, numbers: list[int]) -> None:
    line = f"17 ({name}) {state} {' '.join(map(str, numbers))} 0 0\n".encode()
    found = proc.parse_process(line.ljust(1))
    assert (found.pid, found.name, found.state) == (17, name, state)
    assert (found.parent, found.session) == (numbers[0], numbers[2])
    if len(numbers) >= 19:
        assert found.started == numbers[18]
    assert found.own_s * proc.TICKS_PER_S == pytest.approx(numbers[10] + numbers[11])
    assert found.waited_s * proc.TICKS_PER_S == pytest.approx(numbers[12] + numbers[13])


@given(names.filter(lambda name: name == name.strip() and ":\t" not in name), counts, counts, counts, counts)
def test_a_thread_is_read_from_its_two_files(name: str, run: int, wait: int, by_itself: int, by_force: int) -> None:
    status = f"Name:\t{name}\nState:\tS (sleeping)\nvoluntary_ctxt_switches:\t{by_itself}\n"
    status += f"nonvoluntary_ctxt_switches:\t{by_force}\n"
    if len(name.splitlines()) == 1:
        found = proc.parse_thread(3, status.encode(), f"{run} {wait} 12\n".encode())
        assert found == Thread(3, name, "S", run / 1e9, wait / 1e9, by_itself, by_force)


@pytest.fixture
def sleeper() -> Iterator[threading.Thread]:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield thread
    done.set()
    thread.join()


def test_this_process_is_seen_as_it_is(sleeper: threading.Thread) -> None:
    found = proc.read_process(os.getpid())
    assert isinstance(found, Process)
    assert (found.parent, found.session) == (os.getppid(), os.getsid(0))
    assert found.is_alive
    threads = {thread.tid: thread for thread in proc.read_threads(os.getpid())}
    assert len(threads) == found.threads
    assert sleeper.native_id in threads
    wait_until(lambda: _state(sleeper.native_id) == "S", "the thread to fall asleep")
    pss_bytes, uss_bytes = proc.read_memory(os.getpid())
    assert 0 < uss_bytes <= pss_bytes
    assert (proc.read_environment(os.getpid()) or {})["PATH"]


def _state(tid: int | None) -> str:
    return next(thread.state for thread in proc.read_threads(os.getpid()) if thread.tid == tid)


def test_what_is_gone_is_none() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    assert proc.read_process(pid) is None
    assert proc.read_threads(pid) == []
    assert proc.read_memory(pid) == (0, 0)
    assert proc.read_environment(pid) is None


def process(pid: int, parent: int = 1, session: int = 1, own_s: float = 0.0, waited_s: float = 0.0) -> Process:
    return Process(pid, "p", "S", parent, session, 1, own_s, waited_s, started=pid)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_all_descendants_join_whatever_the_order(parents: list[int], random) -> None:
    """Process i + 100 has parents[i] + 100 as its parent if that is older, else a stranger."""
    new = {i + 100: process(i + 100, parent=p + 100 if p < i else 7) for i, p in enumerate(parents)}
    of_root = {100}
    for pid in sorted(new):
        if new[pid].parent in of_root:
            of_root.add(pid)
    shuffled = list(new)
    random.shuffle(shuffled)
    assert joining({pid: new[pid] for pid in shuffled}, {100}, ()) == of_root


def test_a_session_counts_only_if_its_leader_is_a_member() -> None:
    new = {11: process(11, session=10), 12: process(12, session=5)}
    assert joining(new, {10}, ()) == {11}


def test_the_mark_makes_a_member_and_so_its_children() -> None:
    new = {11: process(11), 12: process(12, parent=11), 13: process(13)}
    assert joining(new, {10}, {11}) == {11, 12}


seconds = st.integers(0, 1000).map(float)


@given(st.lists(st.tuples(seconds, seconds, st.sampled_from(["unseen", "seen", "alive"])), max_size=8), seconds)
def test_nobody_is_counted_twice_and_nothing_waited_for_is_lost(
    children: list[tuple[float, float, str]], own_s: float
) -> None:
    """Each child used first + then; one that ended was last seen, if at all, after `first`."""
    truth = own_s + sum(first + then for first, then, _ in children)
    ended = [process(i, 99, own_s=first) for i, (first, _, fate) in enumerate(children) if fate == "seen"]
    alive = [process(i, 99, own_s=a + b) for i, (a, b, fate) in enumerate(children) if fate == "alive"]
    waited_s = sum(first + then for first, then, fate in children if fate != "alive")
    parent = process(99, own_s=own_s, waited_s=waited_s)
    assert total_cpu_s([parent, *alive], ended) == truth
    grandparent = process(98, waited_s=own_s + waited_s)
    assert total_cpu_s([grandparent, *alive], [process(99, 98, own_s=own_s, waited_s=waited_s), *ended]) == truth


def test_one_that_nobody_waited_for_counts_as_it_was_last_seen() -> None:
    orphan = process(5, parent=1, own_s=3.0)
    assert total_cpu_s([process(99, own_s=1.0, waited_s=2.0)], [orphan]) == 6.0
    assert all(total_cpu_s([], order) == 6.0 for order in permutations([orphan, process(6, own_s=3.0)]))


DAEMON = """
import os, subprocess, sys
mine = f"0.{os.getpid()}"
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "6000", mine])
    os._exit(0)
os.wait()
sys.stdin.read()
"""


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_daemon_of_its_own_session_is_found_by_the_mark(is_marked: bool) -> None:  # noqa: FBT001 - pytest's
    environment = {**os.environ, MARKER: f"test-{os.getpid()}"} if is_marked else dict(os.environ)
    with subprocess.Popen([sys.executable, "-c", DAEMON], stdin=subprocess.PIPE, env=environment) as root:
        tree = Tree(root.pid)
        try:
            wait_until(lambda: bool(_sleepers(root.pid)), "the daemon")
            daemons = _sleepers(root.pid)
            tree.look()
            found = {process.pid for process in tree.living}
            assert root.pid in found
            assert (daemons[0] in found) == is_marked
        finally:
            root.communicate(b"")
            for daemon in _sleepers(root.pid):
                os.kill(daemon, 9)


def _sleepers(root: int) -> list[int]:
    """Return the daemons that this root started, by their arguments."""
    argv = ["sleep", "6000", f"0.{root}"]
    return [process.pid for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == argv]


def test_whoever_was_seen_stays_known_when_its_parent_is_gone() -> None:
    script = "import subprocess; subprocess.Popen(['sleep', '6000'], start_new_session=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as root:
        tree = Tree(root.pid)
        wait_until(lambda: tree.look() or any(p.name == "sleep" for p in tree.living), "the child")
        root.communicate(b"\n")
        tree.look()
        assert not tree.has_root
        [child] = tree.living
        assert child.parent != root.pid
        os.kill(child.pid, 9)
        wait_until(lambda: tree.look() or not tree.living, "its end")
