"""A process group for the children of a task: signals of the terminal pass them by, and they end with the island.

A terminal sends Ctrl-C to every process of its foreground group, and `timeout` and the jobs of a shell do the like. An
island answers such a signal by finishing its generation, and for that it may need its children: the workers of a pool,
a simulator. So these get a group of their own, whether they are forked or started as a program.

A guard is in that group too. It waits for the end of a pipe that the island alone holds open. However the island ends,
the guard then ends whatever is left of the group, itself included.
"""

from __future__ import annotations

import _posixsubprocess
import contextlib
import os
import subprocess
from typing import TYPE_CHECKING, Any

from evo.stopping import first_in_child

if TYPE_CHECKING:
    from collections.abc import Callable

GUARD = 'exec 3<&0 </dev/null; cd /; { trap "" HUP INT TERM; read -r line <&3; kill -KILL 0; } &'
"""It outlives the shell that starts it, so the island does not see it as a child and `os.wait` never waits for it."""
SESSION_ARGUMENT, GROUP_ARGUMENT = 15, 16
"""The places of "a session of its own" and of the process group among the arguments of `_posixsubprocess.fork_exec`,
which starts every program: those of `subprocess`, and the workers of multiprocessing and loky that are not forked."""
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
    group = shell.pid
    first_in_child(lambda: _join(group, alive))
    fork_exec = _within(group, _posixsubprocess.fork_exec)
    _posixsubprocess.fork_exec = fork_exec
    subprocess._fork_exec = fork_exec  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way to them all
    return group


def _join(group: int, alive: int) -> None:
    """Let a forked child enter the group, and leave to the island alone to hold the guard's pipe open."""
    with contextlib.suppress(OSError):  # somebody ended the guard: then there is no such group any more
        os.setpgid(0, group)
    with contextlib.suppress(
        OSError
    ):  # last: while this is open here, the guard is there, though the island may not be
        os.close(alive)


def _within(group: int, fork_exec: Callable[..., int]) -> Callable[..., int]:
    """Return `fork_exec` for programs that start in a group."""

    def start(*arguments: Any) -> int:  # noqa: ANN401 - whatever the library hands over
        is_chosen = arguments[SESSION_ARGUMENT] or arguments[GROUP_ARGUMENT] != INHERITED
        if not is_chosen and _is_there(group):
            arguments = (*arguments[:GROUP_ARGUMENT], group, *arguments[GROUP_ARGUMENT + 1 :])
        return fork_exec(*arguments)

    return start


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # on some systems, where the guard of another account is all that is left
        return False
    return True
