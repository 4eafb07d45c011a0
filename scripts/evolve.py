"""One island, from its settings to its end: join the pool, own the island, resume, evolve."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import filelock

from evo import atomic, checkpoint, runlog
from evo.errors import OwnerConflictError
from evo.island import evolve
from evo.keeper import FileKeeper, recorded_settings
from evo.memory import keep_freed_memory
from evo.paths import SharedPaths, archive_name, parse_generation
from evo.stopping import StopSignal
from evo.tasks.loader import load_task
from evo.tasks.task import build_of, task_identity
from migration import archive, epochs, locks, pool
from migration.batch import Publisher
from migration.exchange import DirectoryExchange
from migration.ledger import Ledger
from migration.untrusted import list_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evo.checkpoint import Checkpoint
    from evo.config import IslandConfig
    from evo.generation import State
    from evo.paths import IslandPaths
    from evo.runlog import Record
    from evo.tasks.task import Task
    from migration.pool import Pool

SIGNAL_EXIT_CODE = 128


class Display(Protocol):
    """Who watches an island."""

    def say(self, text: str) -> None:
        """Show one line."""
        ...

    def generation(self, record: Record) -> None:
        """Show a line of the island's log."""
        ...

    def migration(self, text: str) -> None:
        """Show an event of the island's ledger."""
        ...


@dataclass(frozen=True)
class _Start:
    """What a start found: the problem, the pool, and where to go on from."""

    config: IslandConfig
    task: Task
    pool: Pool
    resumed: Checkpoint | None

    @property
    def generation(self) -> int:
        return self.resumed.state.generation if self.resumed else 0


def run_island(config: IslandConfig, *, root: Path, is_fresh: bool, display: Display) -> int:
    """Evolve one island in this process.

    Args:
        config: What to compute.
        root: The shared directory.
        is_fresh: Archive what the island has and start again.
        display: Who watches.

    Returns:
        The exit code: 0, or 128 plus the number of the signal that ended the run early.

    Raises:
        AtollError: What the user has to know.
    """
    keep_freed_memory()
    shared = SharedPaths(root)
    paths = shared.island(config.island)
    task = _load_task(config, config.backend)
    joined = pool.join(shared, seed=config.seed, task=task_identity(task))
    with _owned(paths, joined), StopSignal() as stop:
        pool.check_current(shared, joined)
        _clear_leftovers(paths)
        after = _last_epoch(shared, paths)
        if is_fresh:
            archived = archive.put_island_away(shared, paths, epoch=after)
            if archived:
                display.say(f"archived the former {config.island} to {archived}")
        resumed = _resume(paths, config, task)
        if resumed and resumed.backend != task.backend:
            task = _load_task(config, resumed.backend)
        start = _Start(config, task, joined, resumed)
        if start.resumed and start.generation >= config.generations and _is_over(paths, start.generation):
            display.say(
                f"{config.island} is already at generation {start.generation}; use -g {2 * start.generation} to go on, "
                f"or --fresh to archive it and start again"
            )
            return 0
        state = _evolve(start, shared, paths, after=after, stop=stop, display=display)
        return _farewell(state, config, paths, stop=stop, display=display)


def _load_task(config: IslandConfig, backend: str) -> Task:
    return load_task(config.task, dict(config.options), backend=backend, threads=config.threads)


@contextlib.contextmanager
def _owned(paths: IslandPaths, joined: Pool) -> Iterator[None]:
    lock = locks.owner_lock(paths.owner_lock, joined.lock_class)
    with atomic.storage_errors("lock the island"):
        try:
            lock.acquire()
        except filelock.Timeout as error:  # an OSError too, so it is told apart first
            raise OwnerConflictError(
                f"island {paths.name} is already run by {_holder(paths)}; "
                f"choose another name, or stop that process first"
            ) from error
    try:
        yield
    finally:
        lock.release()


def _holder(paths: IslandPaths) -> str:
    epoch = epochs.latest(paths)
    if epoch is None or epochs.is_alive(epoch) is False:
        return "another process that is just starting, or archiving it"
    return epochs.describe(epoch)


def _clear_leftovers(paths: IslandPaths) -> None:
    with atomic.storage_errors("clear what an earlier start left"):
        for place in (paths.home, paths.checkpoints, paths.inboxes, paths.outbox, paths.epochs):
            atomic.clear_leftovers(place)


def _last_epoch(shared: SharedPaths, paths: IslandPaths) -> int:
    """Return the highest epoch known here, also when a crash left an island archived by half, or archived and no more.

    Raises:
        StorageError: The file system refused.
    """
    with atomic.storage_errors("look for earlier starts"):
        start = runlog.read_last(paths.log).get("start", {})
        archived = [parse_generation(name, archive_name(paths.name)) for name in list_names(shared.archive)]
        known = [start.get("epoch", 0), epochs.latest_number(paths), *archived]
    return max(number for number in known if isinstance(number, int))


def _is_over(paths: IslandPaths, generation: int) -> bool:
    """Say whether a generation's line, which is written after all else, is in the log: a killed run may lack it."""
    last = runlog.read_last(paths.log).get("generation", {}).get("generation")
    return isinstance(last, int) and last >= generation


def _resume(paths: IslandPaths, config: IslandConfig, task: Task) -> Checkpoint | None:
    with atomic.storage_errors("read the checkpoint"):
        newest = checkpoint.load_newest(paths)
    if newest is not None:
        checkpoint.check_settings(newest, recorded_settings(config, task))
    return newest


def _evolve(
    start: _Start, shared: SharedPaths, paths: IslandPaths, *, after: int, stop: StopSignal, display: Display
) -> State:
    config, task = start.config, start.task
    with atomic.storage_errors("claim the island"):
        epoch = epochs.claim(
            paths,
            after=after,
            generation=start.generation,
            target=config.generations,
            population=config.population,
            task=task.name,
        )
    _greet(start, display)
    record: dict[str, Any] = {"epoch": epoch.number, "generation": start.generation}
    keeper = FileKeeper(
        paths,
        config=config,
        task=task,
        settings=recorded_settings(config, task),
        observe=display.generation,
    )
    keeper.start(
        {**record, "host": epoch.host, "pid": epoch.pid, "run_id": start.pool.run_id, "started_s": epoch.started_s}
    )
    ledger = Ledger(paths, observe=display.migration)
    ledger.start(record)
    exchange = DirectoryExchange(
        shared,
        paths,
        publisher=Publisher(start.pool.run_id, config.island, epoch.number, epoch.nonce, task.spec),
        epoch=epoch,
        lock_class=start.pool.lock_class,
        migration=config.migration,
        ledger=ledger,
    )
    resumed = start.resumed.state if start.resumed else None
    return evolve(config, task, exchange=exchange, keeper=keeper, resumed=resumed, is_stopping=stop)


def _greet(start: _Start, display: Display) -> None:
    config, task = start.config, start.task
    options = " ".join(f"{name}={value}" for name, value in task.options.items())
    why = f"chosen by --backend{' auto' if config.backend == 'auto' else ''}"
    why = "; ".join(filter(None, [why, build_of(task)]))
    begin = f"resuming at generation {start.generation}" if start.resumed else "starting"
    display.say(f"{config.island}: {begin}, {config.population} individuals to generation {config.generations}")
    display.say(f"task {task.name} ({options}), {task.spec.size} genes, evaluator {task.backend} ({why})")
    if config.migration.is_off:
        display.say("MIGRATION IS OFF (--topology none): this island neither publishes nor imports")


def _farewell(state: State, config: IslandConfig, paths: IslandPaths, *, stop: StopSignal, display: Display) -> int:
    display.say(f"champion {state.champion.fitness:.6g} of generation {state.champion.generation}: {paths.champion}")
    if state.generation >= config.generations:
        display.say(f"{config.island} is done at generation {state.generation}")
        return 0
    display.say(f"{config.island} stopped at generation {state.generation}; the same command goes on from there")
    return SIGNAL_EXIT_CODE + stop.received
