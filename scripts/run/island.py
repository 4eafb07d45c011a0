"""Run one island, from its settings to its end: load the task, join the pool, own the island, resume, evolve."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec.structs import replace

from atoll.evo import atomic, checkpoint, records
from atoll.evo.algorithms.choice import algorithm_of, own_algorithm_of
from atoll.evo.config import ASYNC, LOCKSTEP, REPLAY, is_user_file
from atoll.evo.errors import SIGNALS, StorageError, TaskError
from atoll.evo.island import steps
from atoll.evo.paths import SharedPaths
from atoll.evo.recorder import FileRecorder
from atoll.evo.resources import keep_freed_memory
from atoll.evo.tasks.task import build_of, task_identity
from atoll.evo.turns import take_turns
from atoll.migration.exchange.exchange import Journal
from atoll.migration.exchange.modes import directory_exchange
from atoll.migration.pool import access, epochs
from atoll.migration.pool import identity as pools
from atoll.migration.pool.access import OpenPool, Ownership
from atoll.migration.pool.batch import check_importable
from atoll.scripts.run import recording as recordings
from atoll.scripts.run import replay, resume
from atoll.scripts.run.memory_limits import check_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.algorithms.user_algorithm import UserAlgorithm
    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import State
    from atoll.evo.paths import IslandPaths
    from atoll.evo.records import Record
    from atoll.evo.signals import StopSignal
    from atoll.evo.tasks.task import Task
    from atoll.evo.turns import Life
    from atoll.scripts.run.recording import Recording
    from atoll.scripts.run.resume import Load, Start


class Display(Protocol):
    """The display of an island, for whoever watches it: lines of text, records of the log and events of the ledger."""

    def say(self, text: str) -> None: ...  # noqa: D102
    def begin(self, target: int) -> None: ...  # noqa: D102
    def generation(self, record: Record) -> None: ...  # noqa: D102
    def migration(self, text: str) -> None: ...  # noqa: D102


class Stop(Protocol):
    """A signal to stop, as one island hears it; see `atoll.evo.signals.StopSignal`."""

    answer: Callable[[], str]

    @property
    def received(self) -> int: ...  # noqa: D102
    def __call__(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True)
class Command:
    """The command that evolves an island, or several: all that they have in common beside their settings.

    Attributes:
        root: The shared directory, as the user spells it.
        is_fresh: Archive what an island has and start again.
        is_taking_over: Take an island from an owner on another host.
        is_foreign_allowed: The pool may belong to another account.
        is_owner_silent: Take an island from an owner that has shown no sign for too long, wherever it is.
        here: The working directory, which a task may change.
    """

    root: Path
    is_fresh: bool = False
    is_taking_over: bool = False
    is_foreign_allowed: bool = False
    is_owner_silent: bool = False
    here: Path = field(default_factory=Path.cwd)

    @property
    def shared(self) -> SharedPaths:
        """The files of the shared directory."""
        return SharedPaths(self.here / self.root)


def run_island(config: IslandConfig, command: Command, *, display: Display, stop: StopSignal) -> int:
    """Evolve one island in this process; see `live`."""
    load = resume.load_once(say=display.say, is_stopping=stop)
    life = live(config, command, load=load, display=display, stop=stop)
    return take_turns({config.island: life}, is_stopping=stop)[config.island]


def live(config: IslandConfig, command: Command, *, load: Load, display: Display, stop: Stop) -> Life[int]:
    """Live the life of an island, from its settings to its end, by turns: see `atoll.evo.turns`.

    Args:
        config: What to compute.
        command: How, and where.
        load: What loads its task, once for all that live in this process.
        display: Who watches.
        stop: What asks it to stop.

    Returns:
        The exit code: 0, or 128 plus the number of the signal that ended the run early.

    Raises:
        AtollError: What the user has to know.
    """
    keep_freed_memory()
    shared, is_fresh = command.shared, command.is_fresh
    paths = shared.island(config.island)
    stop.answer = lambda: f"{config.island}: stopping before it begins; a second signal ends it at once"
    try:
        prepared = prepare(config, command, load=load, say=display.say)
        config, task, own, pool, recording = prepared
        is_taking_over, is_silent = command.is_taking_over, command.is_owner_silent
        with access.owned(pool, paths, is_taking_over=is_taking_over, is_silent=is_silent, say=display.say):
            pools.check_current(shared, pool.identity)
            _warn_of_another_source(pool, task, say=display.say)
            starts = resume.read_starts(paths)
            epoch = resume.last_epoch(shared, paths, starts)
            if is_fresh:
                _put_away(config, shared, epoch=epoch, say=display.say)
            else:
                resume.warn_of_another_run(pool, paths, starts, say=display.say)
                resume.warn_of_another_algorithm(config, own, starts, say=display.say)
            start = resume.find_start(config, task, pool, recording=recording, after=epoch, load=load, say=display.say)
            if stop():
                return _stopped_early(config, stop=stop, display=display)
            is_done = yield from _go_on(start, own, root=command.root, stop=stop, display=display)
            if is_done and recording:
                display.say(f"the replay equals the recording: {replay.check_whole(recording, paths)}")
    except TaskError:
        if not stop():  # else the signal has also ended what the task had started
            raise
        return _stopped_early(config, stop=stop, display=display)
    return 0 if is_done else SIGNALS + stop.received


class Prepared(NamedTuple):
    """An island before anybody owns it: its settled config, its task, a user's algorithm, its pool, a recording."""

    config: IslandConfig
    task: Task
    own: UserAlgorithm | None
    pool: OpenPool
    recording: Recording | None


def prepare(config: IslandConfig, command: Command, *, load: Load, say: Callable[[str], None]) -> Prepared:
    """Load the task and join the pool, where all that cannot work is refused."""
    shared, is_replay = command.shared, config.migration.mode == REPLAY
    recording = recordings.read(command.here / config.migration.replay_from) if is_replay else None
    config = resume.with_options_of_then(config, shared, recording, say=say)
    task = load(config, config.backend)
    own = own_algorithm_of(config, directory=command.here) if is_user_file(config.algorithm) else None
    if recording is None:
        config = resume.settle(config, task, shared, is_fresh=command.is_fresh, say=say)
    _check_feasible(config, task, own, say=say)
    pool = _join(config, task, shared, is_foreign_allowed=command.is_foreign_allowed)
    return Prepared(config, task, own, pool, recording)


def _check_feasible(config: IslandConfig, task: Task, own: UserAlgorithm | None, *, say: Callable[[str], None]) -> None:
    """Make sure that the algorithm varies such genes, memory holds them and others can read them."""
    if own is None:
        algorithm_of(config, task.spec)
    check_memory(config, task.spec.size, say=say)
    if not config.migration.is_off and config.migration.mode != REPLAY:
        check_importable(config.migration.migrants, task.spec.size)


def _join(config: IslandConfig, task: Task, shared: SharedPaths, *, is_foreign_allowed: bool) -> OpenPool:
    identity = pools.join(
        shared,
        seed=config.seed,
        task=task_identity(task),
        agreement=config.agreement(),
        is_foreign_allowed=is_foreign_allowed,
    )
    return OpenPool(shared, identity, task.spec)


def _warn_of_another_source(pool: OpenPool, task: Task, *, say: Callable[[str], None]) -> None:
    there, here = pool.identity.task.get("source_sha256"), task_identity(task).get("source_sha256")
    if there != here:
        say(
            f"warning: {task.name} is not the file that this pool was started with; genomes go on from here, but what "
            f"they score may not be comparable any more ('cli.py pool archive' puts the old run away)"
        )


def _put_away(config: IslandConfig, shared: SharedPaths, *, epoch: int, say: Callable[[str], None]) -> None:
    """Archive what the island has, if anything."""
    from atoll.migration.observe import archive  # noqa: PLC0415 - an island that goes on starts sooner without

    is_awaited = config.migration.mode == LOCKSTEP  # others may need it yet, and it will be the same
    archived = archive.put_island_away(shared, shared.island(config.island), epoch=epoch, keep_published=is_awaited)
    if archived:
        say(f"archived the former {config.island} to {archived}")


def _go_on(start: Start, own: UserAlgorithm | None, *, root: Path, stop: Stop, display: Display) -> Life[bool]:
    """Evolve what is left of an island, and say whether that is all."""
    config, paths = start.config, start.paths
    if start.is_over:
        resume.clear_leftovers(paths)  # nobody runs what is over
        _record_target(start)
        display.say(_already_over(start))
        return True
    state = yield from _evolve(start, own, stop=stop, display=display)
    is_done = state.generation >= config.generations and resume.has_logged(paths, state.generation)
    champion = root / paths.champion.relative_to(start.pool.shared.root)  # as the user spells it
    _say_goodbye(state, config, champion, is_done=is_done, display=display)
    return is_done


def _record_target(start: Start) -> None:
    """Let a target that was reached before count as the island's: by an epoch, which is where others look for it.

    It gets no line in the log: from that line on, what was logged before would be superseded.
    """
    with atomic.storage_errors("claim the island"):
        before = epochs.latest(start.paths)
        if before is None or before.target != start.config.generations:
            _claim(start)


def _claim(start: Start) -> Ownership:
    epoch = epochs.claim(
        start.paths,
        after=start.after,
        generation=start.generation,
        target=start.config.generations,
        population=start.config.population,
        task=start.task.name,
    )
    return Ownership(start.pool, start.paths, epoch)


def _evolve(start: Start, own: UserAlgorithm | None, *, stop: Stop, display: Display) -> Life[State]:
    config, task = start.config, start.task
    with atomic.storage_errors("claim the island"):
        owned = _claim(start)
        resume.clear_leftovers(owned.paths)
        checkpoint.drop(owned.paths, start.superseded, before_commit=owned.check_owner)
    _greet(start, own, display)
    stop.answer = partial(_answer, owned.paths)
    recorder = FileRecorder(
        owned.paths,
        config=config,
        task=task,
        settings=start.settings,
        observe=_observer(start.recording, display),
        check_owner=owned.check_owner,
    )
    epoch, run_id = owned.epoch, owned.pool.identity.run_id
    begun = records.Start(generation=start.generation, epoch=epoch.number)
    begins = replace(begun, host=epoch.host, pid=epoch.pid, run_id=run_id, started_s=epoch.started_s)
    recorder.start(replace(begins, algorithm=own.build if own else None))
    ledger = owned.ledger(observe=display.migration)
    ledger.start(begun)
    journal = Journal(start.recording.files, start.recording.exports) if start.recording else None
    exchange = directory_exchange(owned, migration=config.migration, ledger=ledger, journal=journal)
    resumed = start.resumed.state if start.resumed else None
    try:
        return (
            yield from steps(
                config, task, exchange=exchange, recorder=recorder, resumed=resumed, algorithm=own, is_stopping=stop
            )
        )
    except StorageError:
        owned.check_owner()  # who was taken over finds its files gone, and that is the reason to give
        raise


def _answer(paths: IslandPaths) -> str:
    """Say what the first stop signal leads to, and what a second one would."""
    kept = []
    with contextlib.suppress(OSError):
        kept = checkpoint.kept(paths)
    lost = f"what came after gen-{kept[-1]}" if kept else "all so far: there is no checkpoint yet"
    return f"{paths.name}: stopping after this generation; a second signal ends it at once, and loses {lost}"


def _stopped_early(config: IslandConfig, *, stop: Stop, display: Display) -> int:
    display.say(f"{config.island} stopped before it began; the same command starts it")
    return SIGNALS + stop.received


def _observer(recording: Recording | None, display: Display) -> Callable[[Record], None]:
    """Return who sees each line of the log: the display, and in a replay who holds it against the recording."""

    def observe(record: Record) -> None:
        display.generation(record)
        if recording:
            replay.check_line(recording, records.to_json(record))

    return observe


def _greet(start: Start, own: UserAlgorithm | None, display: Display) -> None:
    config, task = start.config, start.task
    options = " ".join(f"{name}={value}" for name, value in task.options.items())
    is_recorded = start.recording is not None and config.backend == start.recording.backend
    why = "as recorded" if is_recorded else f"chosen by --backend{' auto' if config.backend == 'auto' else ''}"
    why = "; ".join(filter(None, [why, build_of(task)]))
    begin = f"resuming at generation {start.generation}" if start.resumed else "starting"
    display.begin(config.generations)
    individuals = f"{config.population} individuals by {config.algorithm}"
    display.say(f"{config.island}: {begin}, {individuals} to generation {config.generations}")
    display.say(f"task {task.name} ({options}), {task.spec.size} genes, evaluator {task.backend} ({why})")
    if own:
        display.say(f"algorithm {config.algorithm} ({own.build})")
    if config.migration.mode == LOCKSTEP:
        display.say(f"in lockstep with {config.migration.members}: waiting for their same generation at each migration")
    if start.recording:
        display.say(f"replaying {start.recording.files.home}, which logged {start.recording.last} generations")
    if config.migration.is_off:
        display.say("MIGRATION IS OFF (--topology none): this island neither publishes nor imports")


def _already_over(start: Start) -> str:
    g, target = start.generation, start.config.generations
    beyond = f", beyond the {target} that it is to reach" if g > target else ""
    advice = {
        ASYNC: f"use -g {2 * g} to go on, or --fresh to archive it and start again",
        LOCKSTEP: "all members end there; 'cli.py pool archive' puts the run away",
        REPLAY: "the whole recording is replayed",
    }
    return f"{start.config.island} is already at generation {g}{beyond}; {advice[start.config.migration.mode]}"


def _say_goodbye(state: State, config: IslandConfig, champion: Path, *, is_done: bool, display: Display) -> None:
    display.say(f"champion {state.champion.fitness:.6g} of generation {state.champion.generation}: {champion}")
    how = f"is done at generation {state.generation}"
    if not is_done:
        how = f"stopped at generation {state.generation}; the same command goes on from there"
    display.say(f"{config.island} {how}")
