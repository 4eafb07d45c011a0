from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.processes import makers, proc
from atoll.scripts.processes.makers import Region, Regions, count, in_order, label, libraries, outermost, parse_regions
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAPS = b"""\
1000-3000 r--p 00000000 fe:00 5   /usr/bin/python3.11
3000-5000 r-xp 00001000 fe:00 5   /usr/bin/python3.11
7000-9000 rw-p 00000000 00:00 0
a000-c000 r-xp 00001000 fe:00 6   /lib/libgomp.so.1 (deleted)
c000-d000 r-xp 00001000 fe:00 7   /lib/x86_64-linux-gnu/libc.so.6
d000-e000 rw-p 00000000 00:00 0   [stack]
e000-f000 r-xp 00000000 00:00 0   [vdso]
"""


def test_regions_are_read_with_what_they_are_for() -> None:
    regions = parse_regions(MAPS)
    assert regions.at(0x3000) == Region(0x3000, 0x5000, is_code=True, is_stack=False, name="python3.11")
    stacks = [region.start for region in regions.all if region.is_stack]
    assert stacks == [0x7000, 0xD000]
    assert libraries(regions) == ("Python", "OpenMP")


@given(st.integers(0, 0x10000))
def test_every_address_is_in_the_one_region_that_spans_it(address: int) -> None:
    regions = parse_regions(MAPS)
    spanning = [region for region in regions.all if region.start <= address < region.end]
    assert regions.at(address) == (spanning[0] if spanning else None)


inner = st.lists(st.integers(0, 0xFFFF))
data = st.lists(st.integers(0, 0x2FFF) | st.integers(0xC000, 0x20000))


@given(inner, st.sampled_from([(0x4000, "Python"), (0xB008, "OpenMP")]), data)
def test_the_outermost_code_counts_and_carriers_do_not(
    words: list[int], call: tuple[int, str], later: list[int]
) -> None:
    address, maker = call
    assert outermost([*words, address, *later], parse_regions(MAPS)) == maker


def test_no_code_no_maker() -> None:
    assert outermost([0x1000, 0xC500, 0xE100], parse_regions(MAPS)) is None
    assert outermost([0x4000], Regions([])) is None


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("libgomp-98b21ff3.so.1", "OpenMP"),
        ("libiomp5.so", "OpenMP"),
        ("libscipy_openblas64_-32a4b2a6.so", "OpenBLAS"),
        ("libtorch_cpu.so", "PyTorch"),
        ("libc10.so", "PyTorch"),
        ("libpython3.11.so.1.0", "Python"),
        ("python3.13", "Python"),
        ("raylet", "raylet"),
        ("libarrow.so.2300", "libarrow.so.2300"),
    ],
)
def test_libraries_have_the_names_people_use(name: str, known: str) -> None:
    assert label(name) == known


def test_makers_are_counted_in_order() -> None:
    assert list(count(["OpenMP", None, "raylet", "main", "OpenMP", "Python"]).items()) == [
        *(("main", 1), ("Python", 1), ("raylet", 1), ("OpenMP", 2), ("unseen", 1))
    ]
    assert in_order([]) == []


@pytest.fixture
def threads() -> Iterator[Callable[[Callable[[], object]], int]]:
    """Start Python threads that do something again and again until the test ends; return the number of each."""
    done = threading.Event()
    started: list[threading.Thread] = []

    def start(work: Callable[[], object]) -> int:
        def repeat() -> None:
            while not done.is_set():
                work()

        thread = threading.Thread(target=repeat)
        thread.start()
        started.append(thread)
        return thread.native_id or 0

    yield start
    done.set()
    for thread in started:
        thread.join()


def test_python_threads_are_known_asleep_or_running(threads: Callable[[Callable[[], object]], int]) -> None:
    asleep, running = threads(lambda: threading.Event().wait(0.2)), threads(lambda: sum(range(1000)))
    pid = os.getpid()
    assert makers.find(pid, [pid, asleep]) == {pid: "main", asleep: "Python"}
    if platform.machine() == "x86_64":
        assert makers.find(pid, [running]) == {running: "Python"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the C library's record is known on x86-64 only")
def test_the_record_of_a_thread_is_found_without_its_stack_pointer(
    threads: Callable[[Callable[[], object]], int],
) -> None:
    tids = {threads(lambda: threading.Event().wait(0.2)) for _ in range(3)}
    regions = parse_regions(proc.read(f"/proc/{os.getpid()}/maps") or b"")
    with open("/proc/self/mem", "rb", buffering=0) as memory:  # noqa: PTH123
        assert makers._records(tids, regions, memory).keys() == tids


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the C library's record is known on x86-64 only")
def test_another_layout_of_the_c_librarys_record_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a new C library may change: the doctor says so, and names the library."""
    assert makers.check() is None
    monkeypatch.setattr(makers, "TID_OFFSET", makers.TID_OFFSET + 16)
    said = makers.check()
    assert said is not None
    assert "record is not found in glibc" in said
    assert "expected the thread's number at 0x2e0" in said


POOL = "import numpy as np, sys; a = np.ones((400, 400)); a @ a; print('ready', flush=True); sys.stdin.read()"


def test_the_pool_of_numpy_is_its_own() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core: numpy starts one thread anyway")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    command = [sys.executable, "-c", POOL]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        child.stdout.readline()
        tids = {thread.tid for thread in proc.read_threads(child.pid)}
        wait_until(lambda: len(makers.find(child.pid, tids)) == 2, "both threads to be known")
        assert sorted(makers.find(child.pid, tids).values()) == ["OpenBLAS", "main"]
        child.communicate()


def test_nothing_is_known_of_who_is_gone() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    assert makers.find(pid, [pid]) == {}
