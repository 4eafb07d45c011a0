"""A user's own task: `--task path/to/file.py:NAME` names a class, a function or an object in a file.

    class Points:                                 bounds = [(-5.0, 5.0)] * 10
        bounds = [(0.0, 1.0)] * 20
                                                  def valley(x):          # x: the genes of one genome
        def evaluate(self, genes, episode):           return -sum(x * x)
            return genes.sum(axis=1)

`bounds` (a pair per gene) or `spec` (a GenomeSpec) stands in the class, or beside the function or class in the file.
Keyword arguments with defaults, of the class or the function, are its options. An object that has a method `evaluate`
is what a class makes, and has no options; one that can be called is taken as a function. The file is trusted and run.

Whatever it leaves out, says wrongly or raises becomes one line that names the file, instead of a traceback.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import linecache
import os
import reprlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from itertools import accumulate, groupby
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.errors import ConfigError, TaskError, suggest
from atoll.evo.genome import Floats, GenomeSpec, Segment
from atoll.evo.tasks.task import USER_FILE, check_value, episode_name, parse_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from atoll.evo.tasks.task import OptionValue

Target = Any
"""A class, a function, or an object that can be called or has a method `evaluate`."""
Evaluate = Callable[[Floats, int], Any]
"""A user's evaluation: genes [P, D] and an episode to P numbers of any kind."""

WANTED = "a class, a function, or an object that can be called or has a method evaluate"
EVALUATE = "evaluate"
EPISODE = "episode"
"""The argument of a function that is given the generation."""
KEPT = "__atoll_task__"
"""Where a module keeps its task: an executor that is dropped shortly before its process ends, ends in a traceback."""
PRIVATE = "atoll_task_"
"""How the module of a file is called that `import` would not find by the name of the file."""
OURS = "atoll"
"""Our package, which hides a user's of the same name."""
FORMER = ("evo", "migration", "scripts")
"""Parts of it that could once be imported without it."""
MAX_NAME = 256
MAX_SEGMENTS = 4096
MAX_LENGTH = 400
PRIVATE_MASK = 0o077
STANDARD_ERROR = 2
CAME_BACK = (
    "error: a process that the task forked came back from it{why}, where it would be a second island, and was ended; "
    "end such a process with os._exit(0)"
)


def load_user_task(task: str, given: Mapping[str, str], *, is_stopping: Callable[[], bool] = lambda: False) -> UserTask:
    """Build a task from a user's file.

    Raises:
        ConfigError: There is no such file or name, or an option is unknown or malformed.
        TaskError: The file cannot be run, or what is named in it is no task.
    """
    path, _, wanted = (task, "", "") if task.endswith(".py") else task.rpartition(":")
    source = _read(task, path)
    with task_errors(path, task), undone():
        module = _run(path, source)
    target = _find(module, path, wanted)
    with task_errors(path, task):
        defaults = _defaults_of(target)
    options = defaults | parse_options(task, given, defaults)
    for name, value in options.items():
        check_value(name, value)
    with task_errors(path, task), undone():
        made = module.__dict__[KEPT] = target(**options) if inspect.isclass(target) else target
        spec = _spec_of(made, module, wanted)
        evaluation = _evaluation_of(made, target, options)
    return UserTask(
        task,
        path=path,
        name=_identity(path, wanted),
        options=options,
        spec=spec,
        evaluation=evaluation,
        source_sha256=hashlib.sha256(source).hexdigest(),
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
    if _is_target(target):
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
    return _has_evaluate(value) if inspect.isclass(value) else _is_target(value)


def _identity(path: str, wanted: str) -> str:
    name = f"{Path(path).name}:{wanted}"
    if len(name) > MAX_NAME or not name.isprintable():
        raise ConfigError(f"the name of a task may have {MAX_NAME} printable characters, got {name!r}")
    return name


def _is_target(value: object) -> bool:
    """Say whether a value may be a task, without asking it, since it may answer with an error."""
    return callable(value) or (_has_evaluate(value) and not inspect.ismodule(value))


def _defaults_of(target: Target) -> dict[str, OptionValue]:
    """Return the options with their defaults: keyword arguments that are a number, a word or a truth."""
    if _is_made(target):
        return {}
    parameters = _parameters(target)
    if not inspect.isclass(target):
        if not parameters:
            raise TaskError(f"{_name_of(target)} must take the genes of one genome, it takes nothing")
        parameters = parameters[1:]
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    named = [each for each in parameters if each.kind not in variable and each.name != EPISODE]
    for each in named:
        if each.default is each.empty or each.kind is each.POSITIONAL_ONLY:
            raise TaskError(
                f"{_name_of(target)} needs a default for its argument {each.name!r}, as in {each.name}=1; that makes "
                f"it an option, -o {each.name}=2"
            )
    return {each.name: each.default for each in named if isinstance(each.default, int | float | str)}


def _is_made(target: Target) -> bool:
    """Say whether a target is an object with a method `evaluate`, as a class would make it."""
    return not inspect.isclass(target) and _has_evaluate(target) and callable(target.evaluate)


def _has_evaluate(value: object) -> bool:
    """Say whether a class or an object has a method `evaluate`, or whatever is called so, without asking it."""
    return inspect.getattr_static(value, EVALUATE, None) is not None


def _parameters(target: Target) -> list[inspect.Parameter]:
    """Return what a target takes; what Python cannot tell of a compiled one is taken to be a genome and no more."""
    try:
        return list(inspect.signature(target).parameters.values())
    except ValueError:
        return [inspect.Parameter("genes", inspect.Parameter.POSITIONAL_ONLY)]


def _name_of(target: Target) -> str:
    return str(getattr(target, "__name__", type(target).__name__))


def _spec_of(made: object, module: ModuleType, name: str) -> GenomeSpec:
    """Return the genome layout: `spec` or `bounds`, of the object or else of its module."""
    for place in (made, module):
        names = dir(place)  # not hasattr, which hides the mistakes of a property
        spec = place.spec if "spec" in names else _spec_of_bounds(place.bounds) if "bounds" in names else None  # type: ignore[attr-defined]
        if spec is None:
            continue
        if not isinstance(spec, GenomeSpec):
            raise TaskError(f"spec must be a GenomeSpec (from atoll.evo.genome), got {type(spec).__name__}")
        if len(spec.segments) > MAX_SEGMENTS:
            raise TaskError(
                f"a genome may have {MAX_SEGMENTS} stretches of genes with different bounds, got {len(spec.segments)}; "
                f"scale genes in evaluate instead"
            )
        return spec
    raise TaskError(
        f"{name} does not say what a genome is; write bounds = [(low, high), ...], a pair for each gene, or "
        f"spec = GenomeSpec(...), into the class or beside the function"
    )


def _spec_of_bounds(bounds: Any) -> GenomeSpec:  # noqa: ANN401 - a user may write anything
    """Return the layout of genes with these bounds; neighbours with equal ones make one segment."""
    try:
        pairs = [(float(low), float(high)) for low, high in bounds]
    except (TypeError, ValueError) as error:
        raise TaskError(f"bounds must be a list with a pair (low, high) for each gene; {error}") from error
    runs = [(pair, len(list(run))) for pair, run in groupby(pairs)]
    starts = accumulate((n for _, n in runs), initial=0)
    return GenomeSpec(tuple(Segment(f"x{start}", n, *pair) for start, (pair, n) in zip(starts, runs, strict=False)))


def _evaluation_of(made: Any, target: Target, options: Mapping[str, OptionValue]) -> Evaluate:  # noqa: ANN401
    """Return what evaluates a population: the object's method, or the function genome by genome."""
    if not inspect.isclass(target) and not _is_made(target):
        return OneByOne(target, options)
    evaluate: Evaluate | None = getattr(made, EVALUATE, None)
    if not callable(evaluate):
        raise TaskError(f"class {target.__name__} has no method evaluate(self, genes, episode)")
    try:
        inspect.signature(evaluate).bind(None, None)
    except TypeError as error:
        raise TaskError(f"{_name_of(target)}.evaluate must take (self, genes, episode); {error}") from error
    return evaluate


class OneByOne:
    """Evaluates a population with a function of one genome."""

    def __init__(self, function: Callable[..., Any], options: Mapping[str, OptionValue]) -> None:
        self.__wrapped__ = function  # so that its line is known
        self._options = options
        self.takes_episode = EPISODE in [each.name for each in _parameters(function)]

    def __call__(self, genes: Floats, episode: int) -> list[Any]:
        """Return what the function returns for each genome."""
        named = {**self._options, EPISODE: episode} if self.takes_episode else self._options
        return [self.__wrapped__(genome, **named) for genome in genes]


@dataclass(frozen=True, eq=False)
class UserTask:
    """Adapts a user's evaluation to the `Task` protocol.

    It is given a copy of the genomes, so that what it does to them harms nobody. Numbers of any type are welcome, in an
    array or a list, if there is one per genome; they are kept as float32.
    """

    backend = "python"

    task: str  # what `--task` says
    path: str  # its file, as the user wrote it
    name: str  # in the pool, wherever the file lies
    options: Mapping[str, OptionValue]
    spec: GenomeSpec
    evaluation: Evaluate
    source_sha256: str
    module: str = ""  # the name that other processes import its module by; empty if they cannot
    is_stopping: Callable[[], bool] = lambda: False  # then nobody asks which genome an evaluation failed for

    @property
    def build(self) -> str:
        """The source's hash, which the log records beside the backend."""
        return f"source {self.source_sha256[:12]}"

    @property
    def is_deterministic(self) -> bool:
        """True for a function that takes no episode, and for a class or an object that says so by this attribute."""
        if isinstance(self.evaluation, OneByOne):
            return not self.evaluation.takes_episode
        return getattr(getattr(self.evaluation, "__self__", None), "is_deterministic", False) is True

    def evaluate(self, genes: Floats, episode: int) -> Floats:
        """Score genomes, float32 [P]; TaskError if the user's evaluation raises, or returns no finite number each."""
        try:
            returned = self._returned(genes, episode)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # asyncio's CancelledError for example is no Exception
            at = f" ({episode_name(episode)}, {self._who_fails(genes, episode)})"
            raise _explained(error, self.path, self.task, at=at) from error
        return self._finite(self._numbers(returned, len(genes)), episode)

    def _returned(self, genes: Floats, episode: int) -> Any:  # noqa: ANN401 - a user may return anything
        with undone():
            return self.evaluation(genes.copy(), episode)

    def _who_fails(self, genes: Floats, episode: int) -> str:
        """Say which genome fails by itself too; halving finds it at the price of one more evaluation of all."""
        low, high = 0, len(genes)
        while high - low > 1:
            if self.is_stopping():
                return f"one of {len(genes)}"
            middle = (low + high) // 2
            low, high = (low, middle) if self._fails(genes[low:middle], episode) else (middle, high)
        alone = self._fails(genes[low:high], episode)
        return f"genome {low} of {len(genes)}" if alone else f"all {len(genes)} together, but none of them alone"

    def _fails(self, genes: Floats, episode: int) -> bool:
        try:
            self._returned(genes, episode)
        except KeyboardInterrupt:
            raise
        except BaseException:
            return True
        return False

    def _numbers(self, returned: Any, n: int) -> np.ndarray[Any, Any]:  # noqa: ANN401 - a user may return anything
        try:
            numbers = np.asarray(returned)
        except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, tensors elsewhere than in memory
            raise TaskError(f"{self._where()} must return {self._wanted(n)}; {describe_error(error)}") from error
        if numbers.shape != (n,) or numbers.dtype.kind not in "fiub":
            if isinstance(self.evaluation, OneByOne):
                returned = next((each for each in returned if not isinstance(each, Real)), returned)
            is_array = isinstance(returned, np.ndarray)
            got = f"{returned.dtype} of shape {returned.shape}" if is_array else reprlib.repr(returned)
            raise TaskError(f"{self._where()} must return {self._wanted(n)}, got {got}")
        return numbers

    def _finite(self, numbers: np.ndarray[Any, Any], episode: int) -> Floats:
        with np.errstate(over="ignore"):
            fitness = numbers.astype(np.float32)
        bad = np.flatnonzero(~np.isfinite(fitness))
        if len(bad):
            raise TaskError(
                f"{self._where()} must return finite float32 numbers, got {numbers[bad[0]]:g} "
                f"({episode_name(episode)}, genome {bad[0]} of {len(fitness)}; {len(bad)} in all); score a failure "
                f"with a low number instead"
            )
        return fitness

    def _wanted(self, n: int) -> str:
        return "a number" if isinstance(self.evaluation, OneByOne) else f"{n} numbers, one per genome"

    def _where(self) -> str:
        code = getattr(inspect.unwrap(self.evaluation), "__code__", None)
        return f"{self.path}, line {code.co_firstlineno}: {code.co_name}" if code else f"{self.path}: evaluate"


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
def task_errors(path: str, task: str) -> Iterator[None]:
    """Turn whatever a user's file raises, `sys.exit` included, into a TaskError of one line that names the file."""
    try:
        yield
    except TaskError as error:
        raise TaskError(f"{path}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # asyncio's CancelledError for example is no Exception
        raise _explained(error, path, task) from error


def _explained(error: BaseException, path: str, task: str, *, at: str = "") -> TaskError:
    return TaskError(f"{place_of(error, path)}: {describe_error(error)}{at}{check_hint(task)}")


def place_of(error: BaseException, path: str) -> str:
    """Return the file, and the line of it that the error passed last."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{path}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f"{path}, line {frames[-1].lineno}, in {frames[-1].name}" if frames else path


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


def check_hint(task: str) -> str:
    """Return who tells more."""
    return f"; 'python cli.py tasks check {task}' shows the traceback"


def traceback_from(error: BaseException, path: str) -> str:
    """Return the traceback from the user's own first line on; nothing if the error was not theirs."""
    cause = error.__cause__ or error
    told = traceback.TracebackException.from_exception(cause, compact=True)
    own = [i for i, frame in enumerate(told.stack) if frame.filename == path]
    if not own and not isinstance(cause, SyntaxError):
        return ""
    told.stack = traceback.StackSummary.from_list(list(told.stack)[own[0] :] if own else [])
    return "".join(told.format(chain=False)).rstrip()
