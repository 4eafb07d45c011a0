"""Stop signals of terminals, launchers and batch systems: an island hears them, and its children do not.

A terminal sends Ctrl-C to every process of its foreground group. An island answers by finishing its generation, and for
that it may need its children: the workers of a pool, a simulator. So the children of a task get a process group of
their own. A guard in that group waits for the end of a pipe that the island alone holds open: however the island ends,
the guard then ends whatever is left of the group, itself included.

A terminal stops whoever reads from it, or sets it, from a group that is not in its foreground, and nobody would ever
let such a child go on. So these two signals are ignored: it fails to read, and is let do the rest.
"""

from __future__ import annotations

import _posixsubprocess
import contextlib
import os
import select
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from atoll.evo.config import is_built_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from _typeshed import StrOrBytesPath

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHOW_CURSOR = "\r\x1b[K\x1b[?25h"
"""Begins a line of its own on a terminal; after a second signal nobody could show the cursor again."""
STANDARD_ERROR = 2
GUARD = 'exec 3<&0 </dev/null; cd /; { trap "" HUP INT TERM; read -r line <&3; kill -KILL 0; } &'
"""It outlives the shell that starts it, so the island does not see it as a child and `os.wait` never waits for it."""
SESSION_ARGUMENT, GROUP_ARGUMENT = 15, 16
"""The places of "a session of its own" and of the process group among the arguments of `_posixsubprocess.fork_exec`,
which starts every program: those of `subprocess`, and the workers of multiprocessing and loky that are not forked."""
STOPPED_BY_TERMINAL = (signal.SIGTTIN, signal.SIGTTOU)
INHERITED = -1
"""The process group of a program for which nobody chose one."""


class StopSignal:
    """SIGINT, SIGTERM and SIGHUP ask for an orderly end; the second one is not caught and ends at once.

    A signal that the parent process set to be ignored (nohup, a shell's background job) stays ignored. A forked child
    does not hear them: it has the handlers that a new process has.

    Args:
        told: The end of a pipe through which a process that got a signal tells others its number; its end, which is
            that process's, means SIGTERM.
    """

    def __init__(self, told: int | None = None) -> None:
        self.received = 0  # the signal's number
        self._told = told
        self.answer: Callable[[], str] = str  # said at once when the first one comes, unless it is empty
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        heard = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._receive) for number in heard}
        _listening.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _listening.remove(self)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Say whether a signal has come; if not, take the signals back from what else handles or blocks them."""
        if self._told is not None and not self.received and _is_readable(self._told):
            self._receive(next(iter(os.read(self._told, 1)), signal.SIGTERM), None)
        for number in self._before if not self.received else ():
            if signal.getsignal(number) != self._receive:
                signal.signal(number, self._receive)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._before)
        return self.received != 0

    def forget(self) -> None:
        """In a forked child, hear no more: what is meant for the parent is not for its children.

        Of what has come since it was forked only SIGTERM may be for the child alone; a terminal sends to both.
        """
        for number in self._before:
            if number != signal.SIGTERM:
                signal.signal(number, signal.SIG_IGN)
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def _receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signal module's form
        self.received = number
        for heard in self._before:
            signal.signal(heard, signal.SIG_DFL)
        with contextlib.suppress(Exception):  # whoever asks is in the middle of something else
            _say(self.answer())


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, so that what was begun is left in order: a terminal gets its cursor back."""
    is_heard = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    before = signal.signal(signal.SIGINT, signal.default_int_handler) if is_heard else signal.SIG_IGN
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def separate_children() -> int:
    """Start every later child process in a process group of its own, for as long as this process lives; return it.

    Who starts a program in another group or session by its own choice is left to it.
    """
    waiting, alive = os.pipe()
    with subprocess.Popen(  # noqa: S603 - the shell that every system has, and a command of our own
        ["/bin/sh", "-c", GUARD], stdin=waiting, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    ) as shell:
        os.close(waiting)
    group, held = shell.pid, [alive]
    for number in STOPPED_BY_TERMINAL:
        signal.signal(number, signal.SIG_IGN)  # every child inherits it
    _first_in_child.append(lambda: _join(group, held))
    fork_exec = _within(group, held, _posixsubprocess.fork_exec)
    _posixsubprocess.fork_exec = fork_exec
    subprocess._fork_exec = fork_exec  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way to them all
    subprocess._USE_POSIX_SPAWN = False  # type: ignore[misc]  # noqa: SLF001 - documented; it goes past `fork_exec`
    os.system = _system
    return group


def separate_children_of(*named: str) -> None:
    """Separate the children of a task and an algorithm, as their flags name them; the built-in ones start none."""
    if not all(map(is_built_in, named)):
        from atoll.evo import atomic  # noqa: PLC0415 - whoever hears signals need not be able to write files

        with atomic.storage_errors("start the processes of a task in a group of their own"):
            separate_children()


_listening: list[StopSignal] = []
"""Signals belong to a process, and so does who hears them."""
_first_in_child: list[Callable[[], None]] = []
_masks = threading.local()
"""What each thread had blocked before it began to fork."""


def _hold() -> None:
    """Block the stop signals while a process forks: one that the child gets before it has forgotten would be lost."""
    _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def _let_go() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.before)


def _forget() -> None:
    while _listening:
        _listening.pop().forget()
    for act in _first_in_child:
        act()
    _let_go()


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _say(text: str) -> None:
    """Write a line by one system call: the signal may have come in the middle of a print, which cannot be entered.

    Whoever has stopped reading misses it: nobody waits for them in order to stop.
    """
    poll = select.poll()
    poll.register(STANDARD_ERROR, select.POLLOUT)
    with contextlib.suppress(OSError):
        if text and poll.poll(0):
            begin = SHOW_CURSOR if os.isatty(STANDARD_ERROR) else ""
            os.write(STANDARD_ERROR, f"{begin}{text}\n".encode(errors="replace"))


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
    except (ProcessLookupError, PermissionError):  # on some systems, where another account's guard is all that is left
        return False
    return True


os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_forget)
