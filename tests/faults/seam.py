"""Faults at Python's own functions, in the process itself.

This is what is left where nothing may be traced; and here another process's doing can fall between any two calls.
"""

from __future__ import annotations

import errno
import fcntl
import io
import mmap
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.injection import ACKNOWLEDGED, KILL, MESSAGE_BYTES, NUMBER_BYTES, Call, Ending, Rule, do, say, text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.operations import Operation

OS = (
    *("open", "close", "read", "write", "fsync", "ftruncate", "pread", "stat", "fstat", "lstat", "scandir", "listdir"),
    *("mkdir", "rename", "replace", "link", "unlink", "remove", "rmdir"),
)
FUNCTIONS = (*((os, name) for name in OS), (io, "open"), (fcntl, "flock"))
NUMBER = slice(MESSAGE_BYTES - NUMBER_BYTES, MESSAGE_BYTES)


class Seam:
    """Wraps every function by which Python touches files.

    Args:
        meanwhile: What the fault `!` does before the call goes on: another process's doing, at this very moment.
    """

    def __init__(self, meanwhile: Callable[[Path], None] = lambda root: None) -> None:  # noqa: ARG005
        self._meanwhile = meanwhile

    def calls(self, operation: Operation, root: Path) -> list[Call]:
        """Do it undisturbed, and return all its calls."""
        ending = self.run(operation, root, [])
        assert ending.code == ACKNOWLEDGED, ending.said
        counts: Counter[str] = Counter()
        found = []
        for name in ending.said.split("\n")[:-1]:
            counts[name] += 1
            found.append(Call(name, counts[name], name))
        return found

    def run(self, operation: Operation, root: Path, rules: list[Rule]) -> Ending:
        """Do it with these rules."""
        message = mmap.mmap(-1, MESSAGE_BYTES)
        child = os.fork()
        if not child:
            do(operation, root, message, arm=lambda: self._intercept(root, rules, message))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return Ending(code, text_of(message), int.from_bytes(message[NUMBER], "little"))

    def _intercept(self, root: Path, rules: list[Rule], message: mmap.mmap) -> None:
        counts: Counter[str] = Counter()
        is_traced = not rules

        def meet(name: str) -> str:
            """Count a call; return what it is to answer instead of being done, if anything."""
            counts[name] += 1
            if is_traced:
                say(message, f"{name}\n")
            struck = [rule for rule in rules if rule.name == name and _strikes(rule, counts[name])]
            for rule in struck:
                message[NUMBER] = (int.from_bytes(message[NUMBER], "little") + 1).to_bytes(NUMBER_BYTES, "little")
                if rule.fault == KILL:
                    os.kill(os.getpid(), signal.SIGKILL)
                elif rule.fault == "!":
                    rules.clear()
                    self._meanwhile(root)
                elif rule.fault.startswith("="):
                    return rule.fault[1:]
                else:
                    raise OSError(getattr(errno, rule.fault), os.strerror(getattr(errno, rule.fault)))
            return ""

        for module, name in FUNCTIONS:
            setattr(module, name, _wrapped(getattr(module, name), name, meet))


def _strikes(rule: Rule, n: int) -> bool:
    return n == rule.nth or (rule.is_lasting and n > rule.nth)


def _wrapped(function: Callable[..., object], name: str, meet: Callable[[str], str]) -> Callable[..., object]:
    def call(*arguments: object, **named: object) -> object:
        answer = meet(name)
        return int(answer) if answer else function(*arguments, **named)

    return call
