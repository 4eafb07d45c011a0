"""Side effects of a user's code on its process: what is undone after each call, and what `tasks check` tells of."""

from __future__ import annotations

import contextlib
import locale
import os
import random
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.signals import STOP_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIVATE_MASK = 0o077
STANDARD_ERROR = 2
CAME_BACK = (
    "error: a process that the task forked came back from it{why}, where it would be a second island, and was ended; "
    "end such a process with os._exit(0)"
)


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Undo what would change how an island computes or writes: NumPy's float errors, the umask, a forked second island.

    A process that the code inside forks, and that comes back from it, would live the same island a second time, in the
    same files. It ends here: silently if it calls `sys.exit`, as in any program.
    """
    process = os.getpid()
    mask = os.umask(PRIVATE_MASK)
    os.umask(mask)
    try:
        with np.errstate():
            yield
    finally:
        if os.getpid() != process:
            _end(sys.exc_info()[1])
        os.umask(mask)


def _end(error: BaseException | None) -> None:
    """End a forked child at once, with the code or the words of `sys.exit`: exit handlers are the island's to call."""
    why = f" ({type(error).__name__}: {error})" if error else ""
    code = error.code if isinstance(error, SystemExit) else CAME_BACK.format(why=why)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    if isinstance(code, int | None):
        os._exit(code or 0)
    with contextlib.suppress(OSError):
        os.write(STANDARD_ERROR, f"{code}\n".encode(errors="replace"))
    os._exit(1)


@dataclass(frozen=True)
class ProcessState:
    """State of a process that code in it can change without a word; None where it cannot be read.

    Attributes:
        directory: The working directory.
        handlers: Who handles each stop signal.
        blocked: Which stop signals are kept from it.
        locale: How numbers and words are written.
        random: The state of Python's own random numbers.
        numpy_random: The state of NumPy's global random numbers.
    """

    directory: str | None
    handlers: tuple[Any, ...]
    blocked: frozenset[int]
    locale: str | None
    random: int
    numpy_random: int


def process_state() -> ProcessState:
    """Return the state that this process is in."""
    directory = words = None
    with contextlib.suppress(OSError):
        directory = os.getcwd()  # noqa: PTH109 - a name to compare
    with contextlib.suppress(locale.Error):
        words = locale.setlocale(locale.LC_ALL)
    legacy = np.random.get_state()  # noqa: NPY002 - the global state is what others use, not we
    return ProcessState(
        directory=directory,
        handlers=tuple(signal.getsignal(number) for number in STOP_SIGNALS),
        blocked=frozenset(STOP_SIGNALS) & signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        locale=words,
        random=hash(random.getstate()),
        numpy_random=hash(str(legacy)),
    )


def changes(before: ProcessState, after: ProcessState) -> list[str]:
    """Say what was changed, and what that means for an island."""
    said = {
        "directory": f"changes the working directory to {after.directory} (an island's own files stay where they are)",
        "handlers": "handles Ctrl-C or SIGTERM itself (an island takes the signal back)",
        "blocked": "blocks Ctrl-C or SIGTERM (an island lets it through again)",
        "locale": f"changes the locale to {after.locale} (an island's files are the same in each)",
        "random": "uses the global state of random, which each process begins elsewhere, unless it is seeded first",
        "numpy_random": "uses the global state of numpy.random, which each process begins elsewhere, unless it is "
        "seeded first",
    }
    return [words for name, words in said.items() if getattr(before, name) != getattr(after, name)]
