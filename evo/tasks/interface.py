"""What a user's class, function or object says of itself: its options, its genome layout, how it evaluates.

What it leaves out or says wrongly is raised as a TaskError, to which `mistakes` adds the file.
"""

from __future__ import annotations

import inspect
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any

from atoll.evo.errors import TaskError
from atoll.evo.genome import GenomeSpec, Segment
from atoll.evo.tasks.user_task import EPISODE, Evaluate, OneByOne

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from atoll.evo.tasks.task import OptionValue

MAX_SEGMENTS = 4096
EVALUATE = "evaluate"

Target = Any
"""A class, a function, or an object that can be called or has a method `evaluate`."""


def is_target(value: object) -> bool:
    """Say whether a value may be a task, without asking it, since it may answer with an error."""
    return callable(value) or (has_evaluate(value) and not inspect.ismodule(value))


def defaults_of(target: Target) -> dict[str, OptionValue]:
    """Return the options with their defaults: keyword arguments that are a number, a word or a truth.

    Raises:
        TaskError: An argument has no default, or a function takes no genome.
    """
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
    return not inspect.isclass(target) and has_evaluate(target) and callable(target.evaluate)


def has_evaluate(value: object) -> bool:
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


def spec_of(made: object, module: ModuleType, name: str) -> GenomeSpec:
    """Return the genome layout: `spec` or `bounds`, of the object or else of its module.

    Raises:
        TaskError: There is neither, or it is none.
    """
    for place in (made, module):
        names = dir(place)  # not hasattr, which hides the mistakes of a property
        spec = place.spec if "spec" in names else spec_of_bounds(place.bounds) if "bounds" in names else None  # type: ignore[attr-defined]
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


def spec_of_bounds(bounds: Any) -> GenomeSpec:  # noqa: ANN401 - a user may write anything
    """Return the layout of genes with these bounds; neighbours with equal ones make one segment.

    Raises:
        TaskError: They are no pairs of numbers.
        ConfigError: There are none, or a pair is no range.
    """
    try:
        pairs = [(float(low), float(high)) for low, high in bounds]
    except (TypeError, ValueError) as error:
        raise TaskError(f"bounds must be a list with a pair (low, high) for each gene; {error}") from error
    runs = [(pair, len(list(run))) for pair, run in groupby(pairs)]
    starts = accumulate((n for _, n in runs), initial=0)
    return GenomeSpec(tuple(Segment(f"x{start}", n, *pair) for start, (pair, n) in zip(starts, runs, strict=False)))


def evaluation_of(made: Any, target: Target, options: Mapping[str, OptionValue]) -> Evaluate:  # noqa: ANN401
    """Return what evaluates a population: the object's method, or the function genome by genome.

    Raises:
        TaskError: There is no such method, or it takes something else.
    """
    if not inspect.isclass(target) and not _is_made(target):
        takes_episode = EPISODE in [each.name for each in _parameters(target)]
        return OneByOne(target, options, takes_episode=takes_episode)
    evaluate: Evaluate | None = getattr(made, EVALUATE, None)
    if not callable(evaluate):
        raise TaskError(f"class {target.__name__} has no method evaluate(self, genes, episode)")
    try:
        inspect.signature(evaluate).bind(None, None)
    except TypeError as error:
        raise TaskError(f"{_name_of(target)}.evaluate must take (self, genes, episode); {error}") from error
    return evaluate
