"""Faults at the kernel's door, by strace.

It takes hold of the deed's process while that is stopped, before its first call: what it counts then is the deed and
nothing else, in one thread.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.injection import ACKNOWLEDGED, KILL, MESSAGE_BYTES, Call, Ending, Rule, do, text_of

if TYPE_CHECKING:
    from tests.faults.operations import Operation

ANY_TRACER = ctypes.c_ulong(-1).value
PR_SET_PTRACER = 0x59616D61
EVERYTHING = "%file,%desc"
MEMORY = {"mmap", "munmap", "mprotect", "madvise"}
KINDS = {"=": "retval=", "+": "delay_enter="}


class Strace:
    """By ptrace, at the kernel's door."""

    def calls(self, operation: Operation, root: Path) -> list[Call]:
        ending, log = self._run(operation, root, EVERYTHING, [])
        assert ending.code == ACKNOWLEDGED, ending.said
        counts: Counter[str] = Counter()
        found = []
        for line in log.splitlines():
            match = re.match(r"(\w+)\(", line)
            if match:
                counts[match[1]] += 1
                if str(root) in line and match[1] not in MEMORY:
                    found.append(Call(match[1], counts[match[1]], line))
        return found

    def run(self, operation: Operation, root: Path, rules: list[Rule]) -> Ending:
        names = ",".join(rule.name for rule in rules)
        return self._run(operation, root, names, [f"inject={_spelled(rule)}" for rule in rules])[0]

    def _run(self, operation: Operation, root: Path, names: str, rules: list[str]) -> tuple[Ending, str]:
        message = mmap.mmap(-1, MESSAGE_BYTES)
        child = os.fork()
        if not child:
            do(operation, root, message, arm=_wait_to_be_traced)
        os.waitpid(child, os.WUNTRACED)
        path = Path(f"{root}.strace")
        traced = ["-e", f"trace={names}", *(part for rule in rules for part in ("-e", rule))]
        command = ["strace", "-y", "-s0", "-o", str(path), "-p", str(child), *traced]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            first = tracer.stderr.readline()
            os.kill(child, signal.SIGCONT if "attached" in first else signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            rest = tracer.stderr.read()
        assert "attached" in first, first + rest
        log = path.read_text(errors="replace")
        path.unlink()
        fired = log.count("(INJECTED)") + log.count("(DELAYED)") + log.count("+++ killed by SIGKILL")
        return Ending(code, text_of(message), fired), log


def _spelled(rule: Rule) -> str:
    fault = f"error={rule.fault}"
    if rule.fault == KILL:
        fault = "signal=KILL"
    elif rule.fault[0] in KINDS:
        fault = KINDS[rule.fault[0]] + rule.fault[1:]
    return f"{rule.name}:{fault}:when={rule.nth}{'+' * rule.is_lasting}"


def _wait_to_be_traced() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(ANY_TRACER), 0, 0, 0)  # for kernels with Yama
    os.kill(os.getpid(), signal.SIGSTOP)


def why_not_strace() -> str | None:
    """Say why nothing can be traced here; None where it can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    done = subprocess.run(["strace", "-o", os.devnull, "true"], check=False, capture_output=True, text=True)
    return None if done.returncode == 0 else f"ptrace is not permitted here: {done.stderr.strip()}"
