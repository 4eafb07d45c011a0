"""Recorder of an island's run: checkpoints, moments, its champion and its log, in its private folder or in memory."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from msgspec.structs import replace

from atoll.evo import ancestry, atomic, checkpoint, diversity, moments, runlog
from atoll.evo.checkpoint import Checkpoint
from atoll.evo.records import Generation, Time, to_json
from atoll.evo.tasks.task import build_of, is_deterministic, task_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import State
    from atoll.evo.paths import IslandPaths
    from atoll.evo.records import Record, Start
    from atoll.evo.tasks.task import Task


class Recorder(Protocol):
    """The record that an island leaves behind, as it asks for it."""

    def checkpoint(self, state: State) -> None:
        """Make sure that a restart continues from here."""
        ...

    def champion(self, state: State) -> None:
        """Keep the best individual so far."""
        ...

    def log(self, state: State, *, evaluate_s: float) -> None:
        """Note one finished generation."""
        ...


@dataclass(frozen=True)
class MemoryRecorder:
    """Keeps no file: shows each finished generation to an observer, and is run again if it is cut short."""

    observe: Callable[[State], object] = lambda _: None

    def checkpoint(self, state: State) -> None:
        """Keep nothing."""

    def champion(self, state: State) -> None:
        """Keep nothing: the last state has it."""

    def log(self, state: State, *, evaluate_s: float) -> None:  # noqa: ARG002 - how long it took is not kept
        """Show the generation."""
        self.observe(state)


@dataclass(frozen=True)
class FileRecorder:
    """Keeps checkpoints, moments, the champion and `log.jsonl` in an island's private folder.

    Every method raises StorageError where the file system refuses; older checkpoints are untouched then.
    """

    paths: IslandPaths
    _: KW_ONLY
    config: IslandConfig
    task: Task
    settings: Mapping[str, Any]  # as log and checkpoints record config and task
    observe: Callable[[Record], None]  # called with each line of the log
    check_owner: Callable[[], None] = lambda: None  # before each write; raises where another process owns the folder

    def start(self, start: Start) -> None:
        """Begin an epoch in the log: what `start` says of the process, and the settings."""
        with atomic.storage_errors("begin the log"):
            atomic.make_directory(self.paths.home)
            atomic.truncate_torn_line(self.paths.log)
        backend, build = self.task.backend, build_of(self.task)
        self._append(replace(start, settings=dict(self.settings), backend=backend, build=build))

    def checkpoint(self, state: State) -> None:
        """Write the checkpoint, and before it, so that no restart can miss them, the moments of the population."""
        kept = Checkpoint(state, self.settings, self.task.backend)
        if self._is_planned(state):
            self._moments(state)
        with atomic.storage_errors("write the checkpoint"):
            checkpoint.save(self.paths, kept, before_commit=self.check_owner)

    def champion(self, state: State) -> None:
        """Write the champion's file."""
        with atomic.storage_errors("write the champion"):
            checkpoint.save_champion(
                self.paths.champion,
                state.champion,
                island=self.config.island,
                task=task_identity(self.task),
                before_commit=self.check_owner,
            )

    def log(self, state: State, *, evaluate_s: float) -> None:
        """Append the generation's line. Times stand in a field of their own, so equal runs log equal lines."""
        ordered = np.sort(state.fitness).astype(np.float64)
        record = Generation(
            generation=state.generation,
            best=float(ordered[-1]),
            median=float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2,
            mean=float(ordered.mean()),
            worst=float(ordered[0]),
            champion=state.champion.fitness,
            diversity=diversity.gene_deviation(state.population, self.task.spec),
            population=len(ordered) if len(ordered) != self.config.population else None,
            distinct=diversity.distinct(state.population.genes),
            ancestry=ancestry.shares(state.population),
            **asdict(state.counts),
            time=Time(unix_s=time.time(), evaluate_s=evaluate_s, scored=state.scored or 0),
        )
        self._append(record)

    def _is_planned(self, state: State) -> bool:
        """Say whether a run has a checkpoint here wherever it is stopped, and whichever generation is its last."""
        config, schedule = self.config, state.schedule
        is_due = config.migration.is_due(state.generation, last=schedule.last, multiplier=schedule.multiplier)
        return is_due or (state.generation > 0 and state.generation % config.checkpoint_every == 0)

    def _moments(self, state: State) -> None:
        found = diversity.moments(state.population.genes, self.task.spec)
        with atomic.storage_errors("write the moments of the population"):
            moments.save(self.paths, state.generation, found, before_commit=self.check_owner)

    def _append(self, record: Record) -> None:
        self.check_owner()
        with atomic.storage_errors("append to the log"):
            runlog.append(self.paths.log, to_json(record))
        self.observe(record)


def recorded_settings(config: IslandConfig, task: Task) -> dict[str, Any]:
    """Return the settings as log and checkpoint record them, with every option of the task.

    What only a noisy task asks for is not recorded of another: it decides nothing there.
    """
    settings = {**config.settings(), "options": dict(task.options)}
    if is_deterministic(task):
        settings.pop("champion_episodes", None)
    return settings
