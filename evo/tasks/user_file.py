"""`--task path/to/file.py:NAME`: a class, a function or an object in a user's own file becomes a task.

    class Points:                                 bounds = [(-5.0, 5.0)] * 10
        bounds = [(0.0, 1.0)] * 20
                                                  def valley(x):          # x: the genes of one genome
        def evaluate(self, genes, episode):           return -sum(x * x)
            return genes.sum(axis=1)

`bounds` (a pair per gene) or `spec` (a GenomeSpec) stands in the class, or beside the function or class in the file.
Keyword arguments with defaults, of the class or the function, are its options. An object that has a method `evaluate`
is what a class makes, and has no options; one that can be called is taken as a function. The file is trusted and run.
"""

from __future__ import annotations

import hashlib
import inspect
import linecache
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.evo.config import suggest
from atoll.evo.errors import ConfigError
from atoll.evo.tasks.interface import Target, defaults_of, evaluation_of, has_evaluate, is_target, spec_of
from atoll.evo.tasks.mistakes import mistakes
from atoll.evo.tasks.options import USER_FILE, check_value, parse_options
from atoll.evo.tasks.side_effects import undone
from atoll.evo.tasks.user_task import UserTask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

MAX_NAME = 256
KEPT = "__atoll_task__"
"""Where a module keeps its task: an executor that is dropped shortly before its process ends, ends in a traceback."""
PRIVATE = "atoll_task_"
"""How the module of a file is called that `import` would not find by the name of the file."""
WANTED = "a class, a function, or an object that can be called or has a method evaluate"


def load_user_task(task: str, given: Mapping[str, str], *, is_stopping: Callable[[], bool] = lambda: False) -> UserTask:
    """Build a task from a user's file.

    Args:
        task: What `--task` says: path/to/file.py:NAME.
        given: The pairs of `-o`.
        is_stopping: Whether the process was told to stop.

    Raises:
        ConfigError: There is no such file or name, or an option is unknown or malformed.
        TaskError: The file cannot be run, or what is named in it is no task.
    """
    path, _, wanted = (task, "", "") if task.endswith(".py") else task.rpartition(":")
    source = _read(task, path)
    with mistakes(path, task), undone():
        module = _run(path, source)
    target = _find(module, path, wanted)
    with mistakes(path, task):
        defaults = defaults_of(target)
    options = defaults | parse_options(task, given, defaults)
    for name, value in options.items():
        check_value(name, value)
    with mistakes(path, task), undone():
        made = module.__dict__[KEPT] = target(**options) if inspect.isclass(target) else target
        spec = spec_of(made, module, wanted)
        evaluation = evaluation_of(made, target, options)
    name = _identity(path, wanted)
    digest = hashlib.sha256(source).hexdigest()
    return UserTask(
        task,
        path=path,
        name=name,
        options=options,
        spec=spec,
        evaluation=evaluation,
        source_sha256=digest,
        module="" if module.__name__.startswith(PRIVATE) else module.__name__,
        is_stopping=is_stopping,
    )


def _read(task: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a path with a zero byte is no path
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"--task {task}: cannot read {path}: {why}; it takes {USER_FILE}") from error


def _run(path: str, source: bytes) -> ModuleType:
    """Run exactly the bytes whose hash identifies them; a cached compilation could be of others."""
    file = Path(path).resolve()  # absolute: the program may change the working directory
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))  # last: what lies beside the file can be imported, but hides nothing of ours
    name = file.stem if _is_importable(file) else f"{PRIVATE}{hashlib.sha256(source).hexdigest()[:12]}"
    module = module_from_spec(ModuleSpec(name, None, origin=str(file)))
    module.__file__ = str(file)
    sys.modules[name] = module  # dataclasses and pickle look for their module there
    linecache.cache[path] = (len(source), None, source.decode(errors="replace").splitlines(keepends=True), path)
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the file is a program
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


def _find(module: ModuleType, path: str, wanted: str) -> Target:
    names = vars(module)
    target = getattr(module, wanted, None) if wanted else None
    if is_target(target):
        return target
    own = [name for name, value in names.items() if getattr(value, "__module__", None) == module.__name__]
    known = [name for name in own if not name.startswith("_") and _is_worth_naming(names[name])]
    defined = f"it defines {', '.join(known)}" if known else "it defines none"
    if not wanted:
        raise ConfigError(f"--task {path}: name a class or a function, as in {path}:{(*known, 'NAME')[0]}; {defined}")
    if wanted in names:
        raise ConfigError(f"{path}: {wanted!r} is a {type(names[wanted]).__name__}; name {WANTED}; {defined}")
    raise ConfigError(f"{path} has no class or function {wanted!r}{suggest(wanted, known)}; {defined}")


def _is_worth_naming(value: object) -> bool:
    return has_evaluate(value) if inspect.isclass(value) else is_target(value)


def _identity(path: str, wanted: str) -> str:
    name = f"{Path(path).name}:{wanted}"
    if len(name) > MAX_NAME or not name.isprintable():
        raise ConfigError(f"the name of a task may have {MAX_NAME} printable characters, got {name!r}")
    return name
