"""Makers of threads: the library whose code stands outermost on a thread's stack, since that called it first.

A sleeping thread's stack is found from its stack pointer, a running one's from the C library's own record of it, which
has its number and lies at the upper end of its stack. Reading another process's memory does not disturb it; the system
must allow it, as it does to debuggers.

Sources: proc(5) on `syscall`, `maps` and `mem`; glibc's nptl/descr.h and sysdeps/x86_64/nptl/tls.h.
"""

from __future__ import annotations

import bisect
import platform
import re
import struct
import threading
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

from atoll.scripts.processes import proc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

PYTHON, OPENMP, OPENBLAS, MKL, TORCH = "Python", "OpenMP", "OpenBLAS", "MKL", "PyTorch"
MAIN, UNSEEN = "main", "unseen"

KNOWN = (
    (re.compile(r"^(libpython|python)\d"), PYTHON),
    (re.compile(r"^lib(gomp|omp|iomp5)\b"), OPENMP),
    (re.compile(r"openblas"), OPENBLAS),
    (re.compile(r"^libmkl"), MKL),
    (re.compile(r"^lib(torch|c10)"), TORCH),
)
"""Libraries by the names of their files, and what people call them."""
CARRIERS = re.compile(r"^(libc|libpthread|ld-linux[^.]*|ld|libstdc\+\+|libc\+\+)[-.]|^\[")
"""What stands outside of the maker's code on any stack."""
POOLS = (OPENMP, OPENBLAS, MKL, TORCH)

STACK_BYTES = 1 << 16
"""How much of a stack is read at most, from its outer end."""
RECORD_BYTES = 1 << 12
"""A thread's record and what the C library keeps above it."""
TID_OFFSET = 0x2D0
"""Of the number in a thread's record, in glibc on x86-64; a record is known by its two pointers to itself."""


@dataclass(frozen=True, slots=True)
class Region:
    """Part of a process's memory.

    Attributes:
        end: The address after its last.
        is_stack: Whether it may be a thread's stack: written to, of no file.
        name: Of its file, without folders; empty if it has none.
    """

    start: int
    end: int
    is_code: bool
    is_stack: bool
    name: str


class Regions:
    """The memory of a process, by address."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self.all = regions
        self._starts = [region.start for region in regions]

    def at(self, address: int) -> Region | None:
        """Return what lies there."""
        index = bisect.bisect_right(self._starts, address) - 1
        return self.all[index] if index >= 0 and address < self.all[index].end else None


def parse_regions(text: bytes) -> Regions:
    """Read a `maps` file."""
    found = []
    for line in text.decode(errors="replace").splitlines():
        span, rights, _, _, _, *rest = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in span.split("-"))
        path = rest[0] if rest else ""
        is_stack = rights.startswith("rw") and (not path or path.startswith("[stack"))
        found.append(Region(start, end, "x" in rights, is_stack, PurePath(path).name))
    return Regions(found)


def libraries(regions: Regions) -> tuple[str, ...]:
    """Return which known libraries a process has loaded, as people call them."""
    loaded = {label(region.name) for region in regions.all if region.is_code}
    return tuple(known for _, known in KNOWN if known in loaded)


def find(pid: int, tids: Collection[int]) -> dict[int, str]:
    """Return who made each of these threads of a process, as far as it can be seen."""
    maps = proc.read(f"/proc/{pid}/maps")
    if maps is None:
        return {}
    main, others = {pid: MAIN} if pid in tids else {}, set(tids) - {pid}
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - unbuffered: it has holes
            return main | _find(pid, others, parse_regions(maps), memory)
    except OSError:
        return main


def check() -> str | None:
    """Say why the makers of running threads cannot be found on this system; None if they can.

    A thread of this process that runs has no stack pointer to be read, only the C library's record, whose layout is
    the library's own affair: so it is tried on a thread that is known to be Python's.
    """
    found: list[dict[int, str]] = []

    def look() -> None:
        tid = threading.get_native_id()
        regions = parse_regions(proc.read("/proc/self/maps") or b"")
        with open("/proc/self/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - as in `find`
            found.append(_find_running({tid}, regions, memory))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    if found and PYTHON in found[0].values():
        return None
    libc = " ".join(platform.libc_ver()).strip() or "the C library"
    return (
        f"a running thread's record is not found in {libc} on {platform.machine()}: expected the thread's number at "
        f"{TID_OFFSET:#x}; only the makers of sleeping threads are told"
    )


def _find(pid: int, tids: set[int], regions: Regions, memory: BinaryIO) -> dict[int, str]:
    found: dict[int, str] = {}
    for tid in tids:
        pointer = _stack_pointer(pid, tid)
        stack = regions.at(pointer)
        if stack and (maker := outermost(_words(memory, max(pointer, stack.end - STACK_BYTES), stack.end), regions)):
            found[tid] = maker
    return found | _find_running(tids - found.keys(), regions, memory)


def _find_running(tids: set[int], regions: Regions, memory: BinaryIO) -> dict[int, str]:
    """Return the makers of threads by the C library's record of each, which lies at the outer end of its stack."""
    found: dict[int, str] = {}
    for tid, address in _records(tids, regions, memory).items():
        stack = regions.at(address)
        start = max(address - STACK_BYTES, stack.start) if stack else address
        if maker := outermost(_words(memory, start, address + RECORD_BYTES), regions):
            found[tid] = maker
    return found


def outermost(words: Sequence[int], regions: Regions) -> str | None:
    """Return whose code the last word points to that points to any; carriers of others do not count."""
    for word in reversed(words):
        region = regions.at(word)
        if region and region.is_code and region.name and not CARRIERS.match(region.name):
            return label(region.name)
    return None


def label(name: str) -> str:
    """Return what people call a library or program, by the name of its file."""
    return next((known for pattern, known in KNOWN if pattern.search(name)), name)


def count(makers: Iterable[str | None]) -> dict[str, int]:
    """Return how many threads each maker made, in order; "unseen" where nobody knows who did."""
    known = [each or UNSEEN for each in makers]
    return {each: known.count(each) for each in in_order(known)}


def in_order(makers: Iterable[str]) -> list[str]:
    """Return each of the makers once: the main thread, then others, then pools, then the unseen."""
    return sorted(set(makers), key=lambda each: (each != MAIN, each == UNSEEN, each in POOLS, each))


def _stack_pointer(pid: int, tid: int) -> int:
    """Return where the stack of a sleeping thread is in use; 0 for a running one."""
    words = (proc.read(f"/proc/{pid}/task/{tid}/syscall") or b"").split()
    return int(words[-2], 16) if len(words) >= 3 else 0


def _records(tids: set[int], regions: Regions, memory: BinaryIO) -> dict[int, int]:
    """Return the address of the C library's record of each of these threads."""
    if not tids or platform.machine() != "x86_64":
        return {}
    found: dict[int, int] = {}
    for region in regions.all:
        if region.is_stack and region.end - region.start >= STACK_BYTES:
            start = region.end - 2 * RECORD_BYTES
            found |= {tid: at for tid, at in _numbers(_words(memory, start, region.end), start) if tid in tids}
    return found


def _numbers(words: Sequence[int], start: int) -> list[tuple[int, int]]:
    """Return the thread's number and the address of every record among these words."""
    last = len(words) - TID_OFFSET // 8
    at = [i for i in range(0, last, 2) if words[i] == words[i + 2] == start + 8 * i]
    return [(words[i + TID_OFFSET // 8] & 0xFFFFFFFF, start + 8 * i) for i in at]


def _words(memory: BinaryIO, start: int, end: int) -> tuple[int, ...]:
    try:
        memory.seek(start)
        data = memory.read(end - start)
    except (OSError, ValueError, OverflowError):
        return ()
    n = len(data) // 8
    return struct.unpack(f"<{n}Q", data[: 8 * n])
