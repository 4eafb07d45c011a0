"""The processes of a run: started in a session of their own under a mark that all inherit, and all ended by it."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from typing import TYPE_CHECKING

from atoll.scripts.processes import proc
from atoll.scripts.processes.tree import MARKER, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atoll.scripts.processes.proc import Process

END_LIMIT_S = 10.0
LOOK_S = 0.02


def new_mark() -> str:
    """Return a value for `MARKER` that nobody has had."""
    return secrets.token_hex(16)


def wait_for_end(tree: Tree, limit_s: float) -> list[Process]:
    """Wait until nobody of a tree lives, or not longer than this; return who does."""
    deadline_s = time.monotonic() + limit_s
    tree.look()
    while tree.living and time.monotonic() < deadline_s:
        time.sleep(LOOK_S)
        tree.look()
    return tree.living


def end(tree: Tree) -> list[Process]:
    """Kill everybody of a tree, those that they start meanwhile too; return whom even that did not end."""
    deadline_s = time.monotonic() + END_LIMIT_S
    tree.look()
    while tree.living and time.monotonic() < deadline_s:
        _kill(tree.living)
        time.sleep(LOOK_S)
        tree.look()
    return tree.living


def end_marked(mark: str) -> int:
    """Kill whoever has this mark, and return how many that were: what a harness that was itself killed left behind."""
    ended: set[int] = set()
    deadline_s = time.monotonic() + END_LIMIT_S
    while (found := marked(mark)) and time.monotonic() < deadline_s:
        _kill(found)
        ended |= {process.pid for process in found}
        time.sleep(LOOK_S)
    return len(ended)


def marked(mark: str) -> list[Process]:
    """Return who lives and has this mark."""
    pids = [pid for pid in proc.pids() if (proc.read_environment(pid) or {}).get(MARKER) == mark]
    found = [process for pid in pids if (process := proc.read_process(pid))]
    return [process for process in found if process.is_alive and process.pid != os.getpid()]


def _kill(processes: Iterable[Process]) -> None:
    for process in processes:
        now = proc.read_process(process.pid)
        if now is not None and now.started == process.started:  # a number may have been given to somebody else
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
