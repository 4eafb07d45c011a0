"""Resume an island: what its earlier starts left, and the checkpoint to go on from; its caller owns the island.

A file system that refuses is a `StorageError` in all of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic, checkpoint, compiler, runlog
from atoll.evo.algorithms.choice import reason, settled
from atoll.evo.config import ASYNC, AUTO, LOCKSTEP, as_started
from atoll.evo.errors import AtollError, ResumeError
from atoll.evo.paths import archive_name, parse_generation
from atoll.evo.recorder import recorded_settings
from atoll.evo.records import Generation, of_kind
from atoll.evo.settings import flag_name, option_name
from atoll.evo.tasks.loader import load_task, recorded_options
from atoll.migration.exchange import lockstep
from atoll.migration.pool import epochs, identity
from atoll.migration.pool.bounded_io import generations_in, list_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from atoll.evo import records
    from atoll.evo.algorithms.user_algorithm import UserAlgorithm
    from atoll.evo.checkpoint import Checkpoint
    from atoll.evo.config import IslandConfig
    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.evo.tasks.task import Task
    from atoll.migration.pool.access import OpenPool
    from atoll.scripts.run.recording import Recording

    Load = Callable[[IslandConfig, str], Task]
    """What loads the task of an island, on a backend."""


@dataclass(frozen=True)
class Start:
    """The start of an island: all that decides how it goes on.

    Attributes:
        settings: What log and checkpoint record.
        after: The highest epoch before this start.
        resumed: The checkpoint to go on from.
        superseded: The checkpoints after it, where what they hold is lived again.
        is_over: Nothing is left to compute or to publish.
    """

    config: IslandConfig
    task: Task
    pool: OpenPool
    recording: Recording | None
    settings: Mapping[str, Any]
    after: int
    resumed: Checkpoint | None
    superseded: tuple[int, ...]
    is_over: bool

    @property
    def paths(self) -> IslandPaths:
        """The island's files."""
        return self.pool.shared.island(self.config.island)

    @property
    def generation(self) -> int:
        """The generation that it goes on from."""
        return self.resumed.state.generation if self.resumed else 0


def read_starts(paths: IslandPaths) -> list[records.Start]:
    """Return what an island logged of its earlier starts, oldest first."""
    with atomic.storage_errors("look for earlier starts"):
        return runlog.read_starts(paths.log)


def last_epoch(shared: SharedPaths, paths: IslandPaths, starts: Sequence[records.Start]) -> int:
    """Return the highest epoch known here, also when a crash left the island archived by half, or wholly."""
    with atomic.storage_errors("look for earlier starts"):
        logged = [start.epoch for start in starts]
        archived = [parse_generation(name, archive_name(paths.name)) for name in list_names(shared.archive)]
        known = [*logged, epochs.latest_number(paths), *archived]
    return max(number for number in known if isinstance(number, int))


def warn_of_another_run(
    pool: OpenPool, paths: IslandPaths, starts: Sequence[records.Start], *, say: Callable[[str], None]
) -> None:
    """Say where the two halves of an island do not belong together: what is private goes on all the same."""
    run_id = (starts[-1].run_id if starts else None) or pool.identity.run_id
    with atomic.storage_errors("look for earlier starts"):
        is_published = epochs.latest_number(paths) > 0
    if run_id != pool.identity.run_id:
        say(f"warning: {paths.home} is of another run than {paths.outbox.parent}; {paths.name} goes on from it here")
    elif starts and not is_published:
        say(f"warning: what {paths.name} had published is not in the pool any more; it goes on without")


def warn_of_another_algorithm(
    config: IslandConfig, own: UserAlgorithm | None, starts: Sequence[records.Start], *, say: Callable[[str], None]
) -> None:
    """Say where a user's algorithm is another source than at the last start: the island is not repeated exactly."""
    before = starts[-1].algorithm if starts else None
    if own and before and own.build != before:
        say(
            f"warning: {config.algorithm} is not the file that {config.island} was started with ({before}, now "
            f"{own.build}); it goes on with what is there now"
        )


def find_start(
    config: IslandConfig,
    task: Task,
    pool: OpenPool,
    *,
    recording: Recording | None,
    after: int,
    load: Load,
    say: Callable[[str], None],
) -> Start:
    """Find the checkpoint to go on from; `after` is the highest epoch before this start."""
    paths = pool.shared.island(config.island)
    superseded: tuple[int, ...] = ()
    with atomic.storage_errors("read the checkpoint"):
        resumed = checkpoint.load_newest(paths)
        settings = _settings(config, task, recording)
        if resumed is not None:
            checkpoint.check_settings(resumed, settings)
        lost = _first_lost(config, pool, paths)
        if resumed and lost is not None and lost < resumed.state.generation:
            resumed = checkpoint.load_newest(paths, at_most=lost)
            from_here = resumed.state.generation if resumed else -1
            superseded = tuple(each for each in checkpoint.kept(paths) if each > from_here)
            say(f"gen-{lost} of {config.island} is not in the pool any more; going back to where it is made again")
    if resumed and resumed.backend != task.backend:
        task = load(config, resumed.backend)
    generation = resumed.state.generation if resumed else 0
    is_over = lost is None and generation >= config.generations and has_logged(paths, generation)
    if config.migration.mode == ASYNC and not (is_over or config.migration.is_off):
        _check_published(paths, resumed)
    return Start(config, task, pool, recording, settings, after, resumed, superseded, is_over)


def with_options_of_then(
    config: IslandConfig, shared: SharedPaths, recording: Recording | None, *, say: Callable[[str], None]
) -> IslandConfig:
    """Return the config with the options that its pool or recording was started without, as they were, and say so.

    An option's default is for pools that begin; who repeats a command in an older pool means the problem of that pool.
    """
    recorded = recording.settings["options"] if recording else _options_of_pool(shared, config.task)
    if recorded is None:
        return config
    given = dict(config.options)
    spelled = recorded_options(config.task, recorded)
    as_then = {name: text for name, text in spelled.items() if name not in recorded and name not in given}
    for name, text in as_then.items():
        say(f"{config.island} goes on with {option_name(name)}={text}, as it was before one could choose")
    return replace(config, options=tuple(sorted({**given, **as_then}.items())))


def _options_of_pool(shared: SharedPaths, task: str) -> Mapping[str, Any] | None:
    """Return the options that a pool was started with, if it is one of that task."""
    there = identity.read(shared)
    return there.task["options"] if there and there.task["name"] == task else None


def settle(
    config: IslandConfig, task: Task, shared: SharedPaths, *, is_fresh: bool, say: Callable[[str], None]
) -> IslandConfig:
    """Return the config with what it left open: as the island was started, or as it suits the task, and say so."""
    with atomic.storage_errors("read the checkpoint"):
        resumed = None if is_fresh else checkpoint.load_newest(shared.island(config.island))
    if resumed is not None:
        return _as_started(config, task, resumed, say=say)
    chosen = settled(config, task.spec)
    if config.algorithm == AUTO:
        say(f"{config.island}: algorithm {chosen.algorithm}, {reason(task.spec)}; --algorithm chooses another")
    return chosen


def _as_started(config: IslandConfig, task: Task, resumed: Checkpoint, *, say: Callable[[str], None]) -> IslandConfig:
    """Return the config that an island goes on with, and say which defaults are those of its start."""
    recorded = resumed.settings
    started = settled(as_started(config, recorded), task.spec, recorded=recorded)
    now = settled(config, task.spec, recorded=recorded).settings()
    for name, value in started.settings().items():
        if value != now.get(name):
            say(f"{config.island} goes on with {flag_name(name)} {value}, which was the default when it was started")
    return started


def load_for(
    config: IslandConfig, backend: str, *, say: Callable[[str], None], is_stopping: Callable[[], bool] = lambda: False
) -> Task:
    """Load an island's task, and say so where a compiler is waited for.

    Raises:
        ConfigError: The task, an option or the backend cannot be had.
    """
    listener = _Listener(say)
    compiler.LOG.addHandler(listener)
    try:
        return load_task(
            config.task,
            dict(config.options),
            backend=backend,
            threads=config.threads,
            device=config.device,
            is_stopping=is_stopping,
        )
    finally:
        compiler.LOG.removeHandler(listener)


def load_once(*, say: Callable[[str], None], is_stopping: Callable[[], bool]) -> Load:
    """Return what loads tasks as `load_for` does, each once: who shares a task can share its evaluations."""
    loaded: dict[tuple[object, ...], Task | AtollError] = {}

    def load(config: IslandConfig, backend: str) -> Task:
        key = config.task, config.options, backend, config.threads, config.device
        if key not in loaded:
            try:
                loaded[key] = load_for(config, backend, say=say, is_stopping=is_stopping)
            except AtollError as error:
                loaded[key] = error
        found = loaded[key]
        if isinstance(found, AtollError):
            raise found
        return found

    return load


class _Listener(logging.Handler):
    """Passes on what is logged."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(record.getMessage())


def clear_leftovers(paths: IslandPaths) -> None:
    """Remove what a killed process left half written; for who owns the island by its epoch, not by a lock alone."""
    with atomic.storage_errors("clear what an earlier start left"):
        for place in (paths.home, paths.checkpoints, paths.inboxes, paths.all_moments, paths.outbox, paths.epochs):
            atomic.clear_leftovers(place)


def has_logged(paths: IslandPaths, generation: int) -> bool:
    """Say whether a generation's line, which is written after all else, is in the log: a killed run may lack it."""
    with atomic.storage_errors("read the log"):
        last = of_kind(runlog.read_last(paths.log).get("generation"), Generation)
    return last is not None and last.generation >= generation


def _check_published(paths: IslandPaths, resumed: Checkpoint | None) -> None:
    """Refuse a start whose publications would have names that an earlier life took, so that nobody would get them.

    A checkpoint comes before its publication. So whatever is published beyond it was published by an island of which
    something private has been lost since, or put back from a copy. It is lived again as it was if all that it imported
    is there still.

    Raises:
        ResumeError: It is so.
    """
    generation = resumed.state.generation if resumed else 0
    with atomic.storage_errors("look for what was published"):
        published = generations_in(paths.outbox)
        newest = max(published, default=0)
        between = [each for each in published if generation <= each < newest]
        is_lived_again = resumed is not None and all(paths.inbox(each).exists() for each in between)
    if newest > generation and not is_lived_again:
        left = f"no more than generation {generation}" if resumed else "nothing"
        raise ResumeError(
            f"{paths.name} published up to generation {newest} in an earlier life, of which {left} is left in "
            f"{paths.home}; nobody would get what it publishes again: --fresh puts that away and starts again"
        )


def _settings(config: IslandConfig, task: Task, recording: Recording | None) -> dict[str, Any]:
    if recording is None:
        return recorded_settings(config, task)
    chosen = {} if config.backend == recording.backend else {"backend": config.backend}
    return {**recording.settings, **chosen}


def _first_lost(config: IslandConfig, pool: OpenPool, paths: IslandPaths) -> int | None:
    """In lockstep, return the first generation that must be published again, up to the newest checkpoint."""
    kept = checkpoint.kept(paths)
    if config.migration.mode != LOCKSTEP or not kept:
        return None
    every = config.migration.migrate_every
    return lockstep.first_lost(pool, paths.name, range(every, kept[-1] + 1, every))
