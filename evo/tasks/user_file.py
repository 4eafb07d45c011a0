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
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from evo.config import suggest
from evo.errors import ConfigError
from evo.tasks.interface import Target, defaults_of, evaluation_of, has_evaluate, is_target, spec_of
from evo.tasks.mistakes import mistakes
from evo.tasks.options import USER_FILE, check_value, parse_options
from evo.tasks.user_task import UserTask

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NAME = 256
WANTED = "a class, a function, or an object that can be called or has a method evaluate"


def load_user_task(task: str, given: Mapping[str, str]) -> UserTask:
    """Build a task from a user's file.

    Args:
        task: What `--task` says: path/to/file.py:NAME.
        given: The pairs of `-o`.

    Raises:
        ConfigError: There is no such file or name, or an option is unknown or malformed.
        TaskError: The file cannot be run, or what is named in it is no task.
    """
    path, _, wanted = (task, "", "") if task.endswith(".py") else task.rpartition(":")
    source = _read(task, path)
    with mistakes(path, task):
        module = _run(path, source)
    target = _find(module, path, wanted)
    with mistakes(path, task):
        defaults = defaults_of(target)
    options = defaults | parse_options(task, given, defaults)
    for name, value in options.items():
        check_value(name, value)
    with mistakes(path, task):
        made = target(**options) if inspect.isclass(target) else target
        spec = spec_of(made, module, wanted)
        evaluation = evaluation_of(made, target, options)
    name = _identity(path, wanted)
    digest = hashlib.sha256(source).hexdigest()
    return UserTask(task, path=path, name=name, options=options, spec=spec, evaluation=evaluation, source_sha256=digest)


def _read(task: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a path with a zero byte is no path
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"--task {task}: cannot read {path}: {why}; it takes {USER_FILE}") from error


def _run(path: str, source: bytes) -> ModuleType:
    """Run exactly the bytes whose hash identifies them; a cached compilation could be of others."""
    folder = str(Path(path).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # last: what lies beside the file can be imported, but hides nothing of ours
    module = ModuleType(f"atoll_task_{hashlib.sha256(source).hexdigest()[:12]}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses look for their module there
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the file is a program
    return module


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
