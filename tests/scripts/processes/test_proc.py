from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.processes import proc
from atoll.scripts.processes.proc import Process, Thread
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
