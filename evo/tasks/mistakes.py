"""What a mistake in a user's file was, and where: one line instead of a traceback."""

from __future__ import annotations

import contextlib
import inspect
import traceback
from typing import TYPE_CHECKING

from atoll.evo.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LENGTH = 400
OURS = "atoll"
"""Our package, which hides a user's of the same name."""
FORMER = ("evo", "migration", "scripts")
"""Parts of it that could once be imported without it."""


@contextlib.contextmanager
def mistakes(path: str, task: str) -> Iterator[None]:
    """Turn whatever a user's file raises, and what is said of it, into one line that names the file.

    Raises:
        TaskError: It raised something, `sys.exit` included.
    """
    try:
        yield
    except TaskError as error:
        raise TaskError(f"{path}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # asyncio's CancelledError for example is no Exception
        raise TaskError(f"{place(error, path)}: {what(error)}{more(task)}") from error


def place(error: BaseException, path: str) -> str:
    """Return the file, and the line of it that the error passed last."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{path}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f"{path}, line {frames[-1].lineno}, in {frames[-1].name}" if frames else path


def what(error: BaseException) -> str:
    """Return the kind of an error and its message in one line."""
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    text = f"{type(error).__name__}: {' '.join(message.split())}".removesuffix(": ")
    if isinstance(error, SystemExit):
        text = f"it ends the process ({text})"
    note = whose(_module_of(error))
    if isinstance(error, ModuleNotFoundError):
        note = note or " (install it into the environment of this program)"
    text += note
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}..."


def whose(module: str) -> str:
    """Return a note if a module that was looked for in vain has the name of a package of ours, else nothing."""
    package = module.partition(".")[0]
    if package in FORMER:
        return f" (if Atoll's own is meant, it is imported as {OURS}.{package})"
    if package != OURS:
        return ""
    return f" ({package} is Atoll's own package here; rename yours, or import it under another name)"


def _module_of(error: BaseException) -> str:
    """Return which module is not there, or which package of ours lacks what was wanted of it; empty if none."""
    if isinstance(error, ModuleNotFoundError):
        return error.name or ""
    lacking = error.name if isinstance(error, ImportError) else ""
    if isinstance(error, AttributeError) and inspect.ismodule(error.obj):
        lacking = error.obj.__name__
    return lacking if lacking == OURS else ""


def more(task: str) -> str:
    """Return who tells more."""
    return f"; 'python cli.py tasks check {task}' shows the traceback"


def frames(error: BaseException, path: str) -> str:
    """Return the traceback from the user's own first line on; nothing if the error was not theirs."""
    cause = error.__cause__ or error
    told = traceback.TracebackException.from_exception(cause, compact=True)
    own = [i for i, frame in enumerate(told.stack) if frame.filename == path]
    if not own and not isinstance(cause, SyntaxError):
        return ""
    told.stack = traceback.StackSummary.from_list(list(told.stack)[own[0] :] if own else [])
    return "".join(told.format(chain=False)).rstrip()
