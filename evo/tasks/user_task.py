"""A user's evaluation as a task: what it is given, what it may return, and where its mistakes are."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.errors import TaskError
from atoll.evo.genome import Floats, GenomeSpec
from atoll.evo.tasks.mistakes import more, place, what
from atoll.evo.tasks.side_effects import undone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.tasks.task import OptionValue

EPISODE = "episode"
"""The argument of a function that is given the generation."""

Evaluate = Callable[[Floats, int], Any]
"""A user's evaluation: genes [P, D] and an episode to P numbers of any kind."""


class OneByOne:
    """Evaluates a population with a function of one genome."""

    def __init__(
        self, function: Callable[..., Any], options: Mapping[str, OptionValue], *, takes_episode: bool
    ) -> None:
        self.__wrapped__ = function  # so that its line is known
        self._options = options
        self._takes_episode = takes_episode

    def __call__(self, genes: Floats, episode: int) -> list[Any]:
        """Return what the function returns for each genome."""
        named = {**self._options, EPISODE: episode} if self._takes_episode else self._options
        return [self.__wrapped__(genome, **named) for genome in genes]


class UserTask:
    """A task whose evaluation stands in a user's file.

    It is given a copy of the genomes, so that what it does to them harms nobody. Numbers of any type are welcome, in an
    array or a list, if there is one per genome; they are kept as float32.

    Args:
        task: What `--task` says.
        path: Its file, as the user wrote it.
        name: What it is called in the pool, wherever the file lies.
        options: Every option and its value.
        spec: The genome layout.
        evaluation: The user's own.
        source_sha256: Hash of the file.
        module: The name that other processes import its module by; empty if they cannot.
        is_stopping: Whether the process was told to stop: then nobody asks which genome an evaluation failed for.
    """

    backend = "python"

    def __init__(
        self,
        task: str,
        *,
        path: str,
        name: str,
        options: Mapping[str, OptionValue],
        spec: GenomeSpec,
        evaluation: Evaluate,
        source_sha256: str,
        module: str = "",
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = name
        self.path = path
        self.options = options
        self.spec = spec
        self.source_sha256 = source_sha256
        self.module = module
        self.build = f"source {source_sha256[:12]}"
        self._task = task
        self._is_stopping = is_stopping
        self.evaluation = evaluation

    def evaluate(self, genes: Floats, episode: int) -> Floats:
        """Score genomes, float32 [P].

        Raises:
            TaskError: The user's evaluation raised something, or returned anything but a finite number per genome.
        """
        try:
            returned = self._returned(genes, episode)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # asyncio's CancelledError for example is no Exception
            who = self._who_fails(genes, episode)
            at = f"generation {episode}, {who}"
            raise TaskError(f"{place(error, self.path)}: {what(error)} ({at}){more(self._task)}") from error
        return self._finite(self._numbers(returned, len(genes)), episode)

    def _returned(self, genes: Floats, episode: int) -> Any:  # noqa: ANN401 - a user may return anything
        with undone():
            return self.evaluation(genes.copy(), episode)

    def _who_fails(self, genes: Floats, episode: int) -> str:
        """Say which genome fails by itself too; halving finds it at the price of one more evaluation of all."""
        low, high = 0, len(genes)
        while high - low > 1:
            if self._is_stopping():
                return f"one of {len(genes)}"
            middle = (low + high) // 2
            low, high = (low, middle) if self._fails(genes[low:middle], episode) else (middle, high)
        alone = self._fails(genes[low:high], episode)
        return f"individual {low} of {len(genes)}" if alone else f"all {len(genes)} together, but none of them alone"

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
            raise TaskError(f"{self._where()} must return {self._wanted(n)}; {what(error)}") from error
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
                f"{self._where()} must return finite float32 numbers, got {numbers[bad[0]]:g} (generation {episode}, "
                f"individual {bad[0]} of {len(fitness)}; {len(bad)} in all); score a failure with a low number instead"
            )
        return fitness

    def _wanted(self, n: int) -> str:
        return "a number" if isinstance(self.evaluation, OneByOne) else f"{n} numbers, one per genome"

    def _where(self) -> str:
        code = getattr(inspect.unwrap(self.evaluation), "__code__", None)
        return f"{self.path}, line {code.co_firstlineno}: {code.co_name}" if code else f"{self.path}: evaluate"
