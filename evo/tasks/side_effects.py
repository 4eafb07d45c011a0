"""Side effects of a user's code on its process: what is undone after each call, and what `tasks check` tells of."""

from __future__ import annotations

import contextlib
import locale
import os
import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evo.stopping import STOP_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIVATE_MASK = 0o077


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Undo what would change how an island computes or writes: NumPy's handling of float errors, and the umask."""
    mask = os.umask(PRIVATE_MASK)
    os.umask(mask)
    try:
        with np.errstate():
            yield
    finally:
        os.umask(mask)


@dataclass(frozen=True)
class ProcessState:
    """What code can change in its process without a word; None where that cannot be read.

    Attributes:
        directory: The working directory.
        handlers: Who handles each stop signal.
        locale: How numbers and words are written.
        random: The state of Python's own random numbers.
        numpy_random: The state of NumPy's global random numbers.
    """

    directory: str | None
    handlers: tuple[Any, ...]
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
        locale=words,
        random=hash(random.getstate()),
        numpy_random=hash(str(legacy)),
    )


def changes(before: ProcessState, after: ProcessState) -> list[str]:
    """Say what was changed, and what that means for an island."""
    said = {
        "directory": f"changes the working directory to {after.directory} (an island's own files stay where they are)",
        "handlers": "handles Ctrl-C or SIGTERM itself (an island takes the signal back)",
        "locale": f"changes the locale to {after.locale} (an island's files are the same in each)",
        "random": "uses the global state of random, which each process begins elsewhere, unless it is seeded first",
        "numpy_random": "uses the global state of numpy.random, which each process begins elsewhere, unless it is "
        "seeded first",
    }
    return [words for name, words in said.items() if getattr(before, name) != getattr(after, name)]
