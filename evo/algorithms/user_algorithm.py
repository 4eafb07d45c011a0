"""A user's own algorithm: `--algorithm path/to/file.py:NAME` names a class in a file, or an object that it made.

    class Climber:
        def start(self, state, spec):
            return {"step": 0.1}

        def breed(self, state, memory, spec, *, streams):
            ...
            return children, {"step": memory["step"] * 0.9}

A class is made without arguments. Children are a `Population`, or an array of genes alone: then every gene counts as
the island's own. It is handed copies, and what it returns is checked and copied, so that nothing but its memory goes
from one call to the next by way of the arguments. The file is trusted and run.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo import arrayfile, user_code
from atoll.evo.ancestry import of_founders
from atoll.evo.errors import TaskError
from atoll.evo.genome import Floats, GenomeSpec, Population
from atoll.evo.user_code import code_errors, describe_error, function_name, undone

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

    from atoll.evo.generation import Memory, State
    from atoll.evo.genome import Ancestry
    from atoll.evo.rng import Streams

START, BREED = "start", "breed"
FORMS = {START: "(self, state, spec)", BREED: "(self, state, memory, spec, *, streams)"}
ARGUMENTS: dict[str, tuple[tuple[None, ...], dict[str, None]]] = {
    START: ((None, None), {}),
    BREED: ((None, None, None), {"streams": None}),
}
LEAST = 2
"""A population is two or more."""
MAX_ARRAYS = 64
MAX_NAME = 64
DTYPES = tuple(np.dtype(dtype) for dtype in arrayfile.DTYPES.values())


def load_user_algorithm(named: str, *, least: int = LEAST, directory: Path | None = None) -> UserAlgorithm:
    """Load an algorithm from a user's file.

    Args:
        named: What `--algorithm` says.
        least: It may breed no fewer.
        directory: Where that was said, since a task may have changed the working directory.

    Raises:
        ConfigError: There is no such file or name.
        TaskError: The file cannot be run, or what is named in it is no algorithm.
    """
    path, _ = user_code.split(named)
    source = user_code.read(named, ROLE, directory=directory)
    with code_errors(path, ROLE.hint(named)), undone():
        module = user_code.run(path, source, directory=directory)
    target = user_code.find(module, named, ROLE)
    with code_errors(path, ROLE.hint(named)), undone():
        made = user_code.made(target, module, ROLE)
        for method in FORMS:
            _check_method(made, method, function_name(target))
    return UserAlgorithm(named, path, made, hashlib.sha256(source).hexdigest(), least)


def _check_method(made: object, name: str, owner: str) -> None:
    method = getattr(made, name, None)
    if not callable(method):
        raise TaskError(f"{owner} has no method {name}{FORMS[name]}")
    arguments, named = ARGUMENTS[name]
    try:
        inspect.signature(method).bind(*arguments, **named)
    except TypeError as error:
        raise TaskError(f"{owner}.{name} must take {FORMS[name]}; {error}") from error


def _breeds(value: object) -> bool:
    """Say whether a class or an object has a method `breed`, or whatever is called so, without asking it."""
    return not inspect.ismodule(value) and inspect.getattr_static(value, BREED, None) is not None


ROLE = user_code.Role(
    flag="--algorithm",
    command="algorithms",
    noun="class",
    wanted="a class, or an object that has the methods start and breed",
    is_one=lambda value: inspect.isclass(value) or _breeds(value),
    is_worth_naming=_breeds,
)


@dataclass(frozen=True, eq=False)
class UserAlgorithm:
    """Implements `atoll.evo.algorithms.algorithm.Algorithm` by a user's object; TaskError wherever that fails."""

    named: str  # what `--algorithm` says
    path: str  # its file, as the user wrote it
    made: Any
    source_sha256: str
    least: int = LEAST  # children

    @property
    def build(self) -> str:
        """The source's hash, which the log records at each start."""
        return f"source {self.source_sha256[:12]}"

    def start(self, state: State, spec: GenomeSpec) -> Memory:
        """Return what it wants to remember of the founders."""
        with self._errors(state), undone():
            returned = self.made.start(copied(state), GenomeSpec(spec.segments))
        return checked_memory(returned, self._place(self.made.start))

    def breed(self, state: State, memory: Memory, spec: GenomeSpec, *, streams: Streams) -> tuple[Population, Memory]:
        """Return its children, [n, D], and what it wants to remember."""
        with self._errors(state), undone():
            returned = self.made.breed(copied(state), copied_memory(memory), GenomeSpec(spec.segments), streams=streams)
        place = self._place(self.made.breed)
        children, remembered = checked_pair(returned, place)
        return checked_children(children, state, spec, place, least=self.least), checked_memory(remembered, place)

    def _errors(self, state: State) -> AbstractContextManager[None]:
        return code_errors(self.path, ROLE.hint(self.named), at=f" (generation {state.generation})")

    def _place(self, method: Callable[..., Any]) -> str:
        return user_code.place_of_function(method, self.path)


def copied(state: State) -> State:
    """Return a state that may be changed without harm to the island."""
    return replace(
        state,
        population=_copied_population(state.population),
        fitness=state.fitness.copy(),
        champion=replace(state.champion, individual=_copied_population(state.champion.individual)),
        memory=copied_memory(state.memory),
    )


def copied_memory(memory: Memory) -> dict[str, NDArray[Any]]:
    """Return a memory that may be changed, in the order of the names: a checkpoint keeps no other."""
    return {name: memory[name].copy() for name in sorted(memory)}


def _copied_population(population: Population) -> Population:
    return replace(population, genes=population.genes.copy(), ancestry=population.ancestry.copy())


def checked_pair(returned: Any, place: str) -> tuple[Any, Any]:  # noqa: ANN401 - a user may return anything
    """Return children and memory, as they were returned together; TaskError if they were not."""
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TaskError(f"{place} must return two, as in 'return children, memory'; got {_kind(returned)}")
    return returned


def checked_memory(returned: Any, place: str) -> Memory:  # noqa: ANN401 - a user may return anything
    """Return copies of the arrays that an algorithm wants to remember; `place` is where it said so.

    Raises:
        TaskError: A checkpoint could not keep them.
    """
    if not isinstance(returned, Mapping):
        raise TaskError(f"{place} must return its memory as a dict of arrays, {{}} for none; got {_kind(returned)}")
    if len(returned) > MAX_ARRAYS:
        raise TaskError(f"{place} may remember {MAX_ARRAYS} arrays, got {len(returned)}; put some of them into one")
    for name in returned:
        if not isinstance(name, str) or not name.isidentifier() or len(name) > MAX_NAME:
            raise TaskError(
                f"{place} must name what it remembers as variables are named, in {MAX_NAME} letters; got {name!r:.99}"
            )
    return {name: _remembered(name, returned[name], place) for name in sorted(returned)}


def _remembered(name: str, value: Any, place: str) -> NDArray[Any]:  # noqa: ANN401 - a user may return anything
    array = _as_array(value, f"{place} must remember arrays, and {name!r} is none")
    if array.dtype not in DTYPES or array.ndim > arrayfile.MAX_RANK:
        known = ", ".join(str(dtype) for dtype in DTYPES)
        raise TaskError(
            f"{place} may remember arrays of {known} with at most {arrayfile.MAX_RANK} dimensions; {name!r} is "
            f"{_kind(array)}"
        )
    return np.array(array, order="C")


def checked_children(returned: Any, state: State, spec: GenomeSpec, place: str, *, least: int = LEAST) -> Population:  # noqa: ANN401
    """Return copies of the children of `state` that an algorithm bred, [n, D]; `place` is where it did.

    Genes alone, without ancestry, count as the island's own.

    Raises:
        TaskError: They are no population of such genes.
    """
    islands = state.population.islands
    genes = _checked_genes(returned.genes if isinstance(returned, Population) else returned, spec, place)
    if len(genes) < least:
        raise TaskError(f"{place} must return {least} children or more (--migrants and one), got {len(genes)}")
    if not isinstance(returned, Population):
        return Population(genes, of_founders(genes.shape), islands)
    if returned.islands != islands:
        raise TaskError(f"{place} must return a Population with state.population.islands, got {returned.islands!r:.99}")
    return Population(genes, _checked_ancestry(returned.ancestry, genes.shape, len(islands), place), islands)


def _checked_genes(returned: Any, spec: GenomeSpec, place: str) -> Floats:  # noqa: ANN401 - a user may return anything
    """Return children as float32, [n, D]; numbers of any type are welcome."""
    wanted = f"{place} must return children [n, {spec.size}], a row of genes each"
    numbers = _as_array(returned, wanted)
    if numbers.ndim != 2 or numbers.shape[1] != spec.size or numbers.dtype.kind not in "fiub":
        raise TaskError(f"{wanted}; got {_kind(numbers if numbers.ndim else returned)}")
    with np.errstate(over="ignore"):
        genes = np.array(numbers, dtype=np.float32, order="C")
    wrong = np.argwhere(~spec.is_allowed(genes))
    if len(wrong):
        child, gene = wrong[0]
        whole, number = ("", "genes") if spec.is_real[gene] else (" and whole", "np.round(genes)")
        raise TaskError(
            f"{place} must keep genes within their bounds: gene {gene} of child {child} of {len(genes)} is "
            f"{numbers[child, gene]:g}, it may be {spec.low[gene]:g} to {spec.high[gene]:g}{whole}; "
            f"np.clip({number}, spec.low, spec.high) is"
        )
    return genes


def _checked_ancestry(returned: Any, shape: tuple[int, ...], n: int, place: str) -> Ancestry:  # noqa: ANN401
    ancestry = np.asarray(returned)
    if ancestry.shape != shape or ancestry.dtype != np.uint16 or (ancestry >= n).any():
        raise TaskError(
            f"{place} must return ancestry as uint16 of shape {shape} with numbers below {n}, that of the parents; "
            f"got {_kind(ancestry)}"
        )
    return np.array(ancestry, order="C")


def _as_array(value: Any, wanted: str) -> NDArray[Any]:  # noqa: ANN401 - a user may return anything
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, tensors elsewhere than in memory
        raise TaskError(f"{wanted}; {describe_error(error)}") from error


def _kind(value: object) -> str:
    """Say what a value is, in few words and one line."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    size = f" of {len(value)}" if isinstance(value, tuple | list | dict) else ""
    return "None" if value is None else f"a {type(value).__name__}{size}"
