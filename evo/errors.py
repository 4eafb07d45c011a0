"""Errors that a user can meet, each with its exit code, and words of their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class AtollError(Exception):
    """Any failure that Atoll explains in one line instead of a traceback."""

    exit_code = 1


class ConfigError(AtollError):
    """A setting is unknown, malformed, out of range, or contradicts another."""

    exit_code = 2


class PoolMismatchError(AtollError):
    """The pool was written for another task, seed, genome or format."""

    exit_code = 3


class OwnerConflictError(AtollError):
    """Another living process owns this island."""

    exit_code = 4


class FencedError(AtollError):
    """A newer process took this island over while this one was running."""

    exit_code = 5


class ResumeError(AtollError):
    """A checkpoint cannot be continued: other settings, another version, or damaged."""

    exit_code = 6


class StorageError(AtollError):
    """The file system refused: missing, unwritable or full."""

    exit_code = 7


class TaskError(AtollError):
    """A task or an algorithm broke its contract: wrong shape, type or number; or its device failed."""

    exit_code = 8


class DamagedFileError(AtollError):
    """A file is cut short, changed, malformed or not ours."""

    exit_code = 9

    def __init__(self, message: str, *, byte: int | None = None) -> None:
        """Say what is wrong, and from which byte of the file on as far as that is known."""
        super().__init__(message)
        self.byte = byte


class LockstepTimeoutError(AtollError):
    """In lockstep, a member's publication did not come in time."""

    exit_code = 10


class ReplayError(AtollError):
    """A replay differs from its recording, or a champion scores something else than was recorded."""

    exit_code = 11


class NoMemoryError(AtollError):
    """There was not enough memory."""

    exit_code = 13


SIGNALS = 128
"""A process that signal n ended has this exit code + n."""
EXIT_CODES = {
    0: "finished, or nothing left to do",
    1: "unexpected failure (a bug: please report it)",
    ConfigError.exit_code: "a setting is unknown, malformed, out of range, or contradicts another",
    PoolMismatchError.exit_code: "the pool was written for another task, seed, genome or format",
    OwnerConflictError.exit_code: "another living process owns this island",
    FencedError.exit_code: "a newer process took this island over while this one was running",
    ResumeError.exit_code: "a checkpoint cannot be continued: other settings, another version, or damaged",
    StorageError.exit_code: "the file system refused: missing, unwritable or full",
    TaskError.exit_code: "a task or an algorithm broke its contract: wrong shape, type or number; or its device failed",
    DamagedFileError.exit_code: "a file is cut short, changed, malformed or not ours",
    LockstepTimeoutError.exit_code: "in lockstep, a member's publication did not come in time",
    ReplayError.exit_code: "a replay differs from its recording, or a champion scores something else than was recorded",
    NoMemoryError.exit_code: "there was not enough memory",
    129: "stopped because its terminal closed; nothing is lost, the same command goes on",
    130: "stopped by Ctrl-C; nothing is lost, the same command goes on",
    141: "its reader went away (a closed pipe)",
    143: "stopped by SIGTERM; nothing is lost, the same command goes on",
}


def worst(codes: Iterable[int]) -> int:
    """Return the exit code of several: an error before a signal, a signal before 0, and of two the higher one."""
    return max(codes, key=lambda code: (0 < code < SIGNALS, code), default=0)


def no_memory(error: MemoryError) -> NoMemoryError:
    """Explain a lack of memory."""
    why = f" ({error})" if str(error) else ""
    return NoMemoryError(f"not enough memory{why}; free some, or make do with fewer individuals or genes")


def count(n: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}{'es' if noun.endswith('s') else 's'}"


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ', did you mean ...?' if a known word is close, else nothing."""
    import difflib  # noqa: PLC0415 - only a mistake needs it

    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def printable(text: str) -> str:
    """Return a text that may quote a stranger as a terminal can show it."""
    return "".join(character if character.isprintable() else "?" for character in text)
