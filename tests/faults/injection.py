"""Faults in a process's own file system calls: what they are, and the process that meets them.

Each deed runs in a fork of a process that has a single thread and has imported everything, so that a case costs
hundredths of a second. It tells how it ended by its exit status and through memory that it shares with its parent: it
makes no call of its own that could meet a fault.
"""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tests.faults.world import World

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.operations import Operation

KILL = "SIGKILL"
MESSAGE_BYTES = 1 << 16
NUMBER_BYTES = 4
ACKNOWLEDGED, REFUSED, BUG = 0, 1, 2


@dataclass(frozen=True)
class Call:
    """One system call of a deed.

    Attributes:
        name: Of the system call.
        nth: Which one of that name, from 1.
        text: As it was traced, paths included.
    """

    name: str
    nth: int
    text: str


@dataclass(frozen=True)
class Rule:
    """What is to happen instead of a call.

    Attributes:
        name: Of the system call.
        nth: Which one of that name, from 1.
        fault: SIGKILL, the name of an error, `=N` (it returns N and does nothing) or `+S` (it waits S seconds first).
        is_lasting: This one and all later ones of that name.
    """

    name: str
    nth: int
    fault: str
    is_lasting: bool = False


@dataclass(frozen=True)
class Ending:
    """How a deed ended.

    Attributes:
        code: ACKNOWLEDGED, REFUSED, BUG, or the negative number of a signal.
        said: What it returned, or the traceback of a bug.
        fired: How often a rule struck.
    """

    code: int
    said: str
    fired: int

    @property
    def acknowledged(self) -> str | None:
        return self.said if self.code == ACKNOWLEDGED else None


class Injector(Protocol):
    """Runs a deed in a fork of this process."""

    def calls(self, operation: Operation, root: Path) -> list[Call]:
        """Do it undisturbed, and return its calls that touch a file below `root`."""
        ...

    def run(self, operation: Operation, root: Path, rules: list[Rule]) -> Ending:
        """Do it with these rules."""
        ...


def do(operation: Operation, root: Path, message: mmap.mmap, *, arm: Callable[[], None]) -> None:
    """Do it in this process, which ends with it."""
    code, said = BUG, ""
    try:
        deed = operation.ready(World(root))
        arm()
        said = deed()
        code = ACKNOWLEDGED
    except operation.refusals as error:
        code, said = REFUSED, repr(error)
    except BaseException:
        said = traceback.format_exc()
    finally:
        say(message, said)
        os._exit(code)


def say(message: mmap.mmap, text: str) -> None:
    """Add to what the parent will read."""
    message.write(text.encode(errors="replace")[: MESSAGE_BYTES - NUMBER_BYTES - 1 - message.tell()])


def text_of(message: mmap.mmap) -> str:
    """Return what a child said."""
    return message[: MESSAGE_BYTES - NUMBER_BYTES].rstrip(b"\0").decode(errors="replace")
