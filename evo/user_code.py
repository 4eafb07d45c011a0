"""A user's own code: `path/to/file.py:NAME` names something in a Python file, which is trusted and run.

Whatever it raises becomes one line that names the file, instead of a traceback.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import linecache
import os
import sys
import traceback
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.config import USER_FILE
from atoll.evo.errors import ConfigError, TaskError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

PRIVATE = "atoll_own_"
"""How the module of a file is called that `import` would not find by the name of the file."""
RUN_AS = "__atoll_run_as__"
"""Where a module keeps which file it is, as it was named, and the hash of the source that was run."""
OURS = "atoll"
"""Our package, which hides a user's of the same name."""
FORMER = ("evo", "migration", "scripts")
"""Parts of it that could once be imported without it."""
MAX_LENGTH = 400
PRIVATE_MASK = 0o077
STANDARD_ERROR = 2
CAME_BACK = (
    "error: a process that the user's code forked came back from it{why}, where it would be a second island, and was "
    "ended; end such a process with os._exit(0)"
)


@dataclass(frozen=True)
class Role:
    """What a user's code is to Atoll, such as its task, and the words for it.

    Attributes:
        flag: It names the code.
        command: Its `check` tries the code.
        noun: What may be named, in a few words.
        wanted: The same in full.
        is_one: Whether a value may be it.
        is_worth_naming: Whether a value is likely to be meant for it.
    """

    flag: str
    command: str
    noun: str
    wanted: str
    is_one: Callable[[object], bool]
    is_worth_naming: Callable[[object], bool]

    def hint(self, named: str) -> str:
        """Return who tells more of what is named so."""
        return f"; 'python cli.py {self.command} check {named}' shows the traceback"


def split(named: str) -> tuple[str, str]:
    """Return the file, and the name of something in it, of `path/to/file.py:NAME`; the latter may be missing."""
    path, _, name = (named, "", "") if named.endswith(".py") else named.rpartition(":")
    return path, name


def read(named: str, role: Role, *, directory: Path | None = None) -> bytes:
    """Return the source of a user's file; ConfigError if it cannot be read.

    `directory` is where it was named, if that is not the working directory any more.
    """
    path, _ = split(named)
    try:
        return (directory or Path()).joinpath(path).read_bytes()
    except (OSError, ValueError) as error:  # a path with a zero byte is no path
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{role.flag} {named}: cannot read {path}: {why}; it takes {USER_FILE}") from error


def run(path: str, source: bytes, *, directory: Path | None = None) -> ModuleType:
    """Run exactly the bytes whose hash identifies them; a cached compilation could be of others.

    A task and an algorithm of one file are of one module, in which other processes find the functions of both.
    """
    file = (directory or Path()).joinpath(path).resolve()  # absolute: the program may change the working directory
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))  # last: what lies beside the file can be imported, but hides nothing of ours
    digest = hashlib.sha256(source).hexdigest()
    name = file.stem if _is_importable(file) else f"{PRIVATE}{digest[:12]}"
    identity = (path, str(file), digest)
    if getattr(sys.modules.get(name), "__dict__", {}).get(RUN_AS) == identity:
        return sys.modules[name]
    module = module_from_spec(ModuleSpec(name, None, origin=str(file)))
    module.__file__ = str(file)
    sys.modules[name] = module  # dataclasses and pickle look for their module there
    linecache.cache[path] = (len(source), None, source.decode(errors="replace").splitlines(keepends=True), path)
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the file is a program
    module.__dict__[RUN_AS] = identity
    return module


def _is_importable(file: Path) -> bool:
    """Say whether `import` finds this file by its name: then other processes find the task's functions in it too.

    Processes that are not forked (spawn, forkserver, loky) import the module of every function that they are sent.
    """
    if file.stem in sys.modules:
        return getattr(sys.modules[file.stem], "__file__", None) == str(file)
    try:
        found = find_spec(file.stem) if file.stem.isidentifier() else None
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None and Path(found.origin).resolve() == file


def import_name(module: ModuleType) -> str:
    """Return the name by which other processes import a module; empty if they cannot."""
    return "" if module.__name__.startswith(PRIVATE) else module.__name__


def find(module: ModuleType, named: str, role: Role) -> Any:  # noqa: ANN401 - a user may name anything
    """Return what is named in a module.

    Raises:
        ConfigError: There is no such name, or what it names cannot have that role.
    """
    path, wanted = split(named)
    names = vars(module)
    target = getattr(module, wanted, None) if wanted else None
    if role.is_one(target):
        return target
    own = [name for name, value in names.items() if getattr(value, "__module__", None) == module.__name__]
    known = [name for name in own if not name.startswith("_") and role.is_worth_naming(names[name])]
    defined = f"it defines {', '.join(known)}" if known else "it defines none"
    if not wanted:
        example = f"{path}:{(*known, 'NAME')[0]}"
        raise ConfigError(f"{role.flag} {path}: name a {role.noun}, as in {example}; {defined}")
    if wanted in names:
        kind = type(names[wanted]).__name__
        raise ConfigError(f"{path}: {wanted!r} is a {kind}; name {role.wanted}; {defined}")
    raise ConfigError(f"{path} has no {role.noun} {wanted!r}{suggest(wanted, known)}; {defined}")


def made(target: Any, module: ModuleType, role: Role, **options: Any) -> Any:  # noqa: ANN401 - whatever a class makes
    """Return what a class makes, or what is no class as it is.

    The module keeps it: an executor that is dropped shortly before its process ends, ends in a traceback.
    """
    one = module.__dict__[f"__atoll_{role.command}__"] = target(**options) if inspect.isclass(target) else target
    return one


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


@contextlib.contextmanager
def code_errors(path: str, hint: str, *, at: str = "") -> Iterator[None]:
    """Turn whatever a user's file raises, `sys.exit` included, into a TaskError of one line that names the file.

    `at` says when it was, and `hint` who tells more.
    """
    try:
        yield
    except TaskError as error:
        raise TaskError(f"{path}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # asyncio's CancelledError for example is no Exception
        raise explained(error, path, hint, at=at) from error


def explained(error: BaseException, path: str, hint: str, *, at: str = "") -> TaskError:
    """Return the error of one line that tells what a user's file raised, and in which line of it."""
    return TaskError(f"{place_of(error, path)}: {describe_error(error)}{at}{hint}")


def place_of(error: BaseException, path: str) -> str:
    """Return the file, and the line of it that the error passed last."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{path}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f"{path}, line {frames[-1].lineno}, in {frames[-1].name}" if frames else path


def place_of_function(function: Callable[..., Any], path: str) -> str:
    """Return the file, and the line of it where a function begins; without the line of what has none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{path}, line {code.co_firstlineno}: {code.co_name}" if code else f"{path}: {function_name(function)}"


def function_name(function: object) -> str:
    """Return what a class, a function or an object that can be called is called."""
    return str(getattr(function, "__name__", type(function).__name__))


def describe_error(error: BaseException) -> str:
    """Return the kind of an error and its message in one line."""
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    text = f"{type(error).__name__}: {' '.join(message.split())}".removesuffix(": ")
    if isinstance(error, SystemExit):
        text = f"it ends the process ({text})"
    note = own_package_note(_module_of(error))
    if isinstance(error, ModuleNotFoundError):
        note = note or " (install it into the environment of this program)"
    text += note
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}..."


def own_package_note(module: str) -> str:
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


def traceback_from(error: BaseException, path: str) -> str:
    """Return the traceback from the user's own first line on; nothing if the error was not theirs."""
    cause = error.__cause__ or error
    told = traceback.TracebackException.from_exception(cause, compact=True)
    own = [i for i, frame in enumerate(told.stack) if frame.filename == path]
    if not own and not isinstance(cause, SyntaxError):
        return ""
    told.stack = traceback.StackSummary.from_list(list(told.stack)[own[0] :] if own else [])
    return "".join(told.format(chain=False)).rstrip()
