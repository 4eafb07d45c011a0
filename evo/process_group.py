"""A process group for the children of a task: signals of the terminal pass them by, and they end with the island.

A terminal sends Ctrl-C to every process of its foreground group, and `timeout` and the jobs of a shell do the like. An
island answers such a signal by finishing its generation, and for that it may need its children: the workers of a pool,
a simulator. So these get a group of their own, whether they are forked or started as a program.

A guard is in that group too. It waits for the end of a pipe that the island alone holds open. However the island ends,
the guard then ends whatever is left of the group, itself included.

A terminal stops whoever reads from it, or sets it, from a group that is not in its foreground, and nobody would ever
let such a child go on. So these two signals are ignored: it fails to read, and is let do the rest.
"""

from __future__ import annotations

import _posixsubprocess
import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic
from atoll.evo.config import is_built_in
from atoll.evo.stopping import first_in_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import StrOrBytesPath

GUARD = 'exec 3<&0 </dev/null; cd /; { trap "" HUP INT TERM; read -r line <&3; kill -KILL 0; } &'
"""It outlives the shell that starts it, so the island does not see it as a child and `os.wait` never waits for it."""
SESSION_ARGUMENT, GROUP_ARGUMENT = 15, 16
"""The places of "a session of its own" and of the process group among the arguments of `_posixsubprocess.fork_exec`,
which starts every program: those of `subprocess`, and the workers of multiprocessing and loky that are not forked."""
STOPPED_BY_TERMINAL = (signal.SIGTTIN, signal.SIGTTOU)
INHERITED = -1
"""The process group of a program for which nobody chose one."""


def separate_children() -> int:
    """Start every later child process in a process group of its own, for as long as this process lives.

    Who starts a program in another group or session by its own choice is left to it.

    Returns:
        The group.

    Raises:
        OSError: No shell can be started.
    """
    waiting, alive = os.pipe()
    with subprocess.Popen(  # noqa: S603 - the shell that every system has, and a command of our own
        ["/bin/sh", "-c", GUARD], stdin=waiting, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    ) as shell:
        os.close(waiting)
    group, held = shell.pid, [alive]
    for number in STOPPED_BY_TERMINAL:
        signal.signal(number, signal.SIG_IGN)  # every child inherits it
    first_in_child(lambda: _join(group, held))
    fork_exec = _within(group, held, _posixsubprocess.fork_exec)
    _posixsubprocess.fork_exec = fork_exec
    subprocess._fork_exec = fork_exec  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way to them all
    subprocess._USE_POSIX_SPAWN = False  # type: ignore[misc]  # noqa: SLF001 - documented; it goes past `fork_exec`
    os.system = _system
    return group


def separate_children_of(task: str) -> None:
    """Separate the children of a task as `--task` names it; the built-in ones start none.

    Raises:
        StorageError: No shell can be started.
    """
    if not is_built_in(task):
        with atomic.storage_errors("start the processes of a task in a group of their own"):
            separate_children()


def _join(group: int, held: list[int]) -> None:
    """Let a forked child enter the group, and leave to the island alone to hold the guard's pipe open.

    What the child forks itself is where the child is, and has files of its own under the number of the pipe.
    """
    if not held:
        return
    with contextlib.suppress(OSError):  # somebody ended the guard: then there is no such group any more
        os.setpgid(0, group)
    with contextlib.suppress(OSError):
        os.close(held.pop())  # last: while this is open here, the guard is there, though the island may not be


def _within(group: int, held: list[int], fork_exec: Callable[..., int]) -> Callable[..., int]:
    """Return `fork_exec` for programs that start in a group; those of a forked child start where the child is."""

    def start(*arguments: Any) -> int:  # noqa: ANN401 - whatever the library hands over
        is_chosen = arguments[SESSION_ARGUMENT] or arguments[GROUP_ARGUMENT] != INHERITED
        if held and not is_chosen and _is_there(group):
            arguments = (*arguments[:GROUP_ARGUMENT], group, *arguments[GROUP_ARGUMENT + 1 :])
        return fork_exec(*arguments)

    return start


def _system(command: StrOrBytesPath) -> int:
    """Do what `os.system` does, whose programs the C library starts, where nobody can choose their group."""
    code = subprocess.call(command, shell=True)  # noqa: S602 - it is what a task asked for
    return -code if code < 0 else code << 8


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # on some systems, where the guard of another account is all that is left
        return False
    return True
