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

import hashlib
import inspect
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, groupby
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo import user_code
from atoll.evo.errors import ConfigError, TaskError
from atoll.evo.genome import Floats, GenomeSpec, Segment
from atoll.evo.tasks.task import check_value, episode_name, parse_options
from atoll.evo.user_code import code_errors, describe_error, function_name, undone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from atoll.evo.tasks.task import OptionValue

Target = Any
"""A class, a function, or an object that can be called or has a method `evaluate`."""
Evaluate = Callable[[Floats, int], Any]
"""A user's evaluation: genes [P, D] and an episode to P numbers of any kind."""

EVALUATE = "evaluate"
EPISODE = "episode"
"""The argument of a function that is given the generation."""
MAX_NAME = 256
MAX_SEGMENTS = 4096


def load_user_task(task: str, given: Mapping[str, str], *, is_stopping: Callable[[], bool] = lambda: False) -> UserTask:
    """Build a task from a user's file.

    Raises:
        ConfigError: There is no such file or name, or an option is unknown or malformed.
        TaskError: The file cannot be run, or what is named in it is no task.
    """
    path, wanted = user_code.split(task)
    source = user_code.read(task, ROLE)
    hint = ROLE.hint(task)
    with code_errors(path, hint), undone():
        module = user_code.run(path, source)
    target = user_code.find(module, task, ROLE)
    with code_errors(path, hint):
        defaults = _defaults_of(target)
    options = defaults | parse_options(task, given, defaults)
    for name, value in options.items():
        check_value(name, value)
    with code_errors(path, hint), undone():
        made = user_code.made(target, module, ROLE, **options)
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
        module=user_code.import_name(module),
        is_stopping=is_stopping,
    )


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


ROLE = user_code.Role(
    flag="--task",
    command="tasks",
    noun="class or function",
    wanted="a class, a function, or an object that can be called or has a method evaluate",
    is_one=_is_target,
    is_worth_naming=_is_worth_naming,
)


def _defaults_of(target: Target) -> dict[str, OptionValue]:
    """Return the options with their defaults: keyword arguments that are a number, a word or a truth."""
    if _is_made(target):
        return {}
    parameters = _parameters(target)
    if not inspect.isclass(target):
        if not parameters:
            raise TaskError(f"{function_name(target)} must take the genes of one genome, it takes nothing")
        parameters = parameters[1:]
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    named = [each for each in parameters if each.kind not in variable and each.name != EPISODE]
    for each in named:
        if each.default is each.empty or each.kind is each.POSITIONAL_ONLY:
            raise TaskError(
                f"{function_name(target)} needs a default for its argument {each.name!r}, as in {each.name}=1; that "
                f"makes it an option, -o {each.name}=2"
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
        raise TaskError(f"{function_name(target)}.evaluate must take (self, genes, episode); {error}") from error
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
            raise user_code.explained(error, self.path, ROLE.hint(self.task), at=at) from error
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
        return user_code.place_of_function(self.evaluation, self.path)
