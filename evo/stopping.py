"""How an island is asked to stop: by the signals that terminals, launchers and batch systems send."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHOW_CURSOR = "\r\x1b[K\x1b[?25h"
"""Begins a line of its own on a terminal; after a second signal nobody could show the cursor again."""
STANDARD_ERROR = 2


class StopSignal:
    """SIGINT, SIGTERM and SIGHUP ask for an orderly end; the second one is not caught and ends at once.

    A signal that the parent process set to be ignored (nohup, a shell's background job) stays ignored. A forked child
    does not hear them: it has the handlers that a new process has.

    Attributes:
        received: The signal's number, or 0.
        answer: What is said at once when the first one comes, on standard error; nothing if it is empty.
    """

    def __init__(self) -> None:
        self.received = 0
        self.answer: Callable[[], str] = str
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        heard = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._receive) for number in heard}
        _listening.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _listening.remove(self)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Say whether a signal has come; if not, take the signals back from what else handles or blocks them."""
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


def first_in_child(act: Callable[[], None]) -> None:
    """Let every child that is forked from now on act before a stop signal can reach it."""
    _first_in_child.append(act)


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


os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_forget)
