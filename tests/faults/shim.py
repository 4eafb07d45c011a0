"""Faults from a library that is loaded before all others: see `shim.cpp`."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.evo import compiler
from tests.faults.injection import ACKNOWLEDGED, MESSAGE_BYTES, Call, Ending, Rule, do, text_of

if TYPE_CHECKING:
    from tests.faults.operations import Operation

SOURCE = Path(__file__).with_name("shim.cpp")
COUNTERS = ("rename", "link", "fired")
PLACE = MESSAGE_BYTES - 4 * len(COUNTERS)
LATE = "late "


class Shim:
    """Reports a rename or link that was done as failed; this process must have been started with the library."""

    def calls(self, operation: Operation, root: Path) -> list[Call]:
        """Do it undisturbed, and return its renames and links."""
        ending, counts = self._run(operation, root, Rule("", 0, LATE + "EIO"))
        assert ending.code == ACKNOWLEDGED, ending.said
        return [Call(name, n, name) for name in COUNTERS[:2] for n in range(1, counts[name] + 1)]

    def run(self, operation: Operation, root: Path, rules: list[Rule]) -> Ending:
        """Do it with one rule."""
        return self._run(operation, root, *rules)[0]

    def _run(self, operation: Operation, root: Path, rule: Rule) -> tuple[Ending, dict[str, int]]:
        message = mmap.mmap(-1, MESSAGE_BYTES)
        numbers = (ctypes.c_int * len(COUNTERS)).from_buffer(message, PLACE)
        code = getattr(errno, rule.fault.removeprefix(LATE))
        child = os.fork()
        if not child:
            arm = ctypes.CDLL(None).shim_arm
            do(operation, root, message, arm=lambda: arm(rule.name.encode(), rule.nth, code, numbers))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        counts = dict(zip(COUNTERS, numbers, strict=True))
        return Ending(status, text_of(message).split("\0")[0], counts["fired"]), counts


def build(place: Path) -> Path:
    """Compile the library."""
    library = place / "shim.so"
    command = [str(compiler.find()), "-shared", "-fPIC", "-O1", "-w", str(SOURCE), "-o", str(library), "-ldl"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return library


def environment(library: Path, **settings: object) -> dict[str, str]:
    """Return the environment of a process that loads the library."""
    return {**os.environ, "LD_PRELOAD": str(library), **{name: str(value) for name, value in settings.items()}}


def why_not_shim() -> str | None:
    """Say why no library can be loaded before all others; None where it can."""
    return None if compiler.find() else "no C++ compiler is installed"
