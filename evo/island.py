"""The shell around the generation page: it loops, listens to signals, and keeps the files of one island.

The order of effects is what makes a kill harmless. At a migration the checkpoint comes before the publication and the
import after it, through an inbox that is written before it is used; so a restart from any checkpoint repeats exactly
what the dead process did after it.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from evo import ancestry, atomic, checkpoint, diversity, generation, runlog
from evo.checkpoint import Checkpoint
from evo.rng import streams
from evo.tasks.task import build_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType, TracebackType

    from evo.config import IslandConfig
    from evo.generation import State
    from evo.genome import Floats, Indices, Migrants
    from evo.paths import IslandPaths
    from evo.rng import Streams
    from evo.runlog import Record
    from evo.tasks.task import Task


class Arrivals(Protocol):
    """What one import brought.

    Attributes:
        migrants: The genomes, possibly none.
        refused: How many batches or genomes were turned away.
    """

    @property
    def migrants(self) -> Migrants: ...  # noqa: D102

    @property
    def refused(self) -> int: ...  # noqa: D102


A = TypeVar("A", bound="Arrivals")


class Exchange(Protocol[A]):
    """The one thing an island asks of the archipelago: take these, and what have you got for me?"""

    def emigrants(self, fitness: Floats) -> Indices:
        """Choose who leaves, by their fitness [P], before anything is imported."""
        ...

    def publish(self, generation: int, emigrants: Migrants) -> int:
        """Offer genomes to the others; return how many are on offer now. Again with the same ones: no effect."""
        ...

    def collect(self, generation: int, *, known: tuple[str, ...], streams: Streams) -> A:
        """Take others' genomes; asked again for the same generation, return the same ones.

        Args:
            generation: When.
            known: The islands that genes here descend from already.
            streams: The island's randomness at this generation.
        """
        ...

    def displaced(self, fitness: Floats, n: int) -> Indices:
        """Choose the places of `n` immigrants, by the fitness [P] of those who hold them."""
        ...

    def settle(self, generation: int, arrivals: A, fitness: Floats, displaced: Indices) -> None:
        """Note what became of the immigrants: what they scored here [n], whose places they took [n]."""
        ...

    def beat(self, generation: int) -> None:
        """Show that the island lives.

        Raises:
            FencedError: A newer process owns it.
        """
        ...


class Keeper(Protocol):
    """What an island leaves behind."""

    def checkpoint(self, state: State) -> None:
        """Make sure that a restart continues from here."""
        ...

    def champion(self, state: State) -> None:
        """Keep the best individual so far."""
        ...

    def log(self, state: State, *, evaluate_s: float) -> None:
        """Note one finished generation."""
        ...


def evolve(
    config: IslandConfig,
    task: Task,
    *,
    exchange: Exchange[A] | None,
    keeper: Keeper,
    resumed: State | None,
    is_stopping: Callable[[], bool],
    clock: Callable[[], float] = time.perf_counter,
) -> State:
    """Live from the founders, or from where a checkpoint left off, to `config.generations` or until told to stop.

    Args:
        config: What to compute.
        task: The problem.
        exchange: The others; None for an island that is alone by construction.
        keeper: Where checkpoints and the log go.
        resumed: The state of the newest checkpoint.
        is_stopping: Asked once a generation; True ends the run after a checkpoint.
        clock: Seconds from anywhere; only differences are logged.

    Returns:
        The last state, immigrants included.
    """
    started_s = clock()
    state = resumed or _found(config, task)
    while True:
        evaluated, evaluate_s = state, clock() - started_s
        is_last = state.generation >= config.generations
        is_migrating = exchange is not None and config.migration.is_due(state.generation)
        is_kept = is_last or is_migrating or (state.generation > 0 and state.generation % config.checkpoint_every == 0)
        if is_kept:
            keeper.checkpoint(evaluated)
        if exchange is not None and is_migrating:
            state = _migrate(config, task, state, exchange=exchange)
        is_stopped = not is_last and is_stopping()
        if is_stopped and not is_kept:
            keeper.checkpoint(evaluated)
        if is_kept or is_stopped:
            keeper.champion(state)
        keeper.log(state, evaluate_s=evaluate_s)  # last of what is kept: a generation that has its line is complete
        if exchange is not None:
            exchange.beat(state.generation)
        if is_last or is_stopped:
            return state
        randomness = streams(config.seed, config.island, state.generation)
        children = generation.breed(state, task.spec, breeding=config.breeding, streams=randomness)
        started_s = clock()
        state = generation.assess(task, children, generation=state.generation + 1, before=state)


def _found(config: IslandConfig, task: Task) -> State:
    randomness = streams(config.seed, config.island, 0)
    founders = generation.found(task.spec, config.population, island=config.island, streams=randomness)
    return generation.assess(task, founders, generation=0, before=None)


def _migrate(config: IslandConfig, task: Task, state: State, *, exchange: Exchange[A]) -> State:
    g = state.generation
    leaving = generation.emigrants(state, exchange.emigrants(state.fitness), island=config.island)
    exported = exchange.publish(g, leaving)
    arrivals = exchange.collect(g, known=state.population.islands, streams=streams(config.seed, config.island, g))
    immigrants = arrivals.migrants.population
    counts = replace(
        state.counts, exports=state.counts.exports + exported, refused=state.counts.refused + arrivals.refused
    )
    state = replace(state, counts=counts)
    if not len(immigrants):
        return state
    fitness = generation.score(task, immigrants, generation=g)
    displaced = exchange.displaced(state.fitness, len(immigrants))
    exchange.settle(g, arrivals, fitness, displaced)
    return generation.absorb(state, immigrants, fitness, displaced=displaced)


class FileKeeper:
    """Keeps checkpoints, the champion and `log.jsonl` in an island's private folder."""

    def __init__(
        self,
        paths: IslandPaths,
        *,
        config: IslandConfig,
        task: Task,
        settings: Mapping[str, Any],
        observe: Callable[[Record], None],
    ) -> None:
        self._paths = paths
        self._config = config
        self._task = task
        self._settings = settings
        self._observe = observe

    def start(self, record: Record) -> None:
        """Begin an epoch in the log: what `record` says of the process, and the settings.

        Raises:
            StorageError: The file system refused.
        """
        with atomic.storage_errors("begin the log"):
            atomic.make_directory(self._paths.home)
            atomic.mend_tail(self._paths.log)
        computed_by = {"backend": self._task.backend, "build": build_of(self._task)}
        self._append({"kind": "start", **record, "settings": dict(self._settings), **computed_by})

    def checkpoint(self, state: State) -> None:
        """Write the checkpoint.

        Raises:
            StorageError: The file system refused; the older checkpoint is untouched.
        """
        with atomic.storage_errors("write the checkpoint"):
            checkpoint.save(self._paths, Checkpoint(state, self._settings, self._task.backend))

    def champion(self, state: State) -> None:
        """Write the champion's file.

        Raises:
            StorageError: The file system refused.
        """
        with atomic.storage_errors("write the champion"):
            checkpoint.save_champion(
                self._paths.champion, state.champion, island=self._config.island, task=task_identity(self._task)
            )

    def log(self, state: State, *, evaluate_s: float) -> None:
        """Append the generation's line. Times stand in a field of their own, so equal runs log equal lines."""
        fitness = state.fitness.astype(np.float64)
        record: Record = {
            "kind": "generation",
            "generation": state.generation,
            "best": float(fitness.max()),
            "median": float(np.median(fitness)),
            "mean": float(fitness.mean()),
            "worst": float(fitness.min()),
            "champion": state.champion.fitness,
            "diversity": diversity.gene_deviation(state.population, self._task.spec),
            "ancestry": ancestry.shares(state.population),
            "evaluations": state.counts.evaluations,
            "exports": state.counts.exports,
            "imports": state.counts.imports,
            "refused": state.counts.refused,
            "time": {"unix_s": time.time(), "evaluate_s": evaluate_s},
        }
        self._append(record)

    def _append(self, record: Record) -> None:
        with atomic.storage_errors("append to the log"):
            runlog.append(self._paths.log, record)
        self._observe(record)


def task_identity(task: Task) -> dict[str, Any]:
    """Return what makes two tasks the same problem, and a genome readable."""
    segments = [[s.name, s.size, s.low, s.high, s.kind.value, s.scale] for s in task.spec.segments]
    return {"name": task.name, "options": dict(task.options), "genome_sha256": task.spec.sha256, "segments": segments}


def recorded_settings(config: IslandConfig, task: Task) -> dict[str, Any]:
    """Return the settings as log and checkpoint record them, with every option of the task."""
    return {**config.settings(), "options": dict(task.options)}


@dataclass
class StopSignal:
    """SIGINT, SIGTERM and SIGHUP ask for an orderly end; the second one is not caught and ends at once.

    A signal that the parent process set to be ignored (nohup, a shell's background job) stays ignored.

    Attributes:
        received: The signal's number, or 0.
    """

    received: int = 0

    def __enter__(self) -> StopSignal:
        heard = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._receive) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Say whether a signal has come."""
        return self.received != 0

    def _receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signal module's form
        self.received = number
        for heard in self._before:
            signal.signal(heard, signal.SIG_DFL)


_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
