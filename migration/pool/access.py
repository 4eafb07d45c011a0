"""Access to a pool: opened to be read by whoever looks, and an island of it owned by the process that writes.

An owner on another host, or in another namespace of pids, cannot be told dead from slow. So where its lock is held
still, the island is taken over only when a person says so: then the lock's file is removed, and the epoch that the new
owner takes ends the old one as soon as it looks, which it does before anything it writes.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import filelock

from atoll.evo import atomic
from atoll.evo.errors import ConfigError, OwnerConflictError, PoolMismatchError
from atoll.evo.genome import GenomeSpec
from atoll.migration.pool import batch, epochs
from atoll.migration.pool import identity as pools
from atoll.migration.pool.batch import Publisher
from atoll.migration.pool.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.migration.pool.batch import Batch
    from atoll.migration.pool.bounded_io import Budget
    from atoll.migration.pool.epochs import Epoch
    from atoll.migration.pool.identity import Pool
    from atoll.migration.pool.locks import Locks


@dataclass(frozen=True)
class OpenPool:
    """A pool that an island has started: its files, what all its islands agree on, and the genome layout."""

    shared: SharedPaths
    identity: Pool
    spec: GenomeSpec

    def read(self, island: str, generation: int, *, budget: Budget | None = None) -> Batch:
        """Read what an island published at a generation; errors are those of `batch.read`."""
        return batch.read(
            self.shared.island(island).publication(generation),
            run_id=self.identity.run_id,
            spec=self.spec,
            island=island,
            generation=generation,
            budget=budget,
        )


@dataclass(frozen=True)
class Ownership:
    """One start of an island, which owns it until a newer one takes it over."""

    pool: OpenPool
    paths: IslandPaths
    epoch: Epoch

    @property
    def publisher(self) -> Publisher:
        """This start, as what it publishes names it."""
        run_id, epoch = self.pool.identity.run_id, self.epoch
        return Publisher(run_id, self.paths.name, epoch.number, epoch.nonce, self.pool.spec)

    def check_owner(self) -> None:
        """Raise `FencedError` if a newer process has taken the island over, as far as can be known now."""
        with contextlib.suppress(OSError):
            epochs.check_owner(self.paths, self.epoch)

    def ledger(self, observe: Callable[[str], None] = lambda text: None) -> Ledger:  # noqa: ARG005
        """Return the island's ledger, which `observe` is told of."""
        return Ledger(self.paths, observe=observe, check_owner=self.check_owner)


def open_pool(shared: SharedPaths) -> OpenPool:
    """Open the pool that lies in a shared directory, to read it; errors are those of `identity.require`."""
    identity = pools.require(shared)
    return OpenPool(shared, identity, spec_of(identity.task))


@contextlib.contextmanager
def owned(
    pool: OpenPool, paths: IslandPaths, *, is_taking_over: bool, is_silent: bool = False, say: Callable[[str], None]
) -> Iterator[None]:
    """Hold an island's owner lock; `is_taking_over` takes it from an owner on another host, and says so.

    `is_silent` takes it from any owner: one that is frozen goes on to find itself fenced by the newer epoch.

    Raises:
        OwnerConflictError: Another process holds it.
        StorageError: The file system refused.
    """
    lock = pool.identity.locks.owner(paths.owner_lock)
    with atomic.storage_errors("lock the island"):
        try:
            _acquire(lock, paths, pool.identity.locks, is_taking_over=is_taking_over, is_silent=is_silent, say=say)
        except filelock.Timeout as error:  # an OSError too, so it is told apart first
            raise OwnerConflictError(_conflict(paths, pool.identity.locks)) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the end of the process, which is next, lets go of it anyway
            lock.release()


def is_beyond_knowing(paths: IslandPaths, locks: Locks) -> bool:
    """Say whether nobody here can tell if the holder of an island's lock lives: it is elsewhere, or has no name.

    A soft lock names its holder, unless that was killed while writing; where locks name nobody, the newest start is
    taken for it.
    """
    epoch = epochs.latest(paths)
    if locks.is_soft:
        holder = locks.holder(paths.owner_lock)
        if holder:
            return holder.host != epochs.this_place()
        return epoch is None or not epochs.is_alive(epoch)
    return epoch is not None and epochs.is_alive(epoch) is None


def _acquire(
    lock: filelock.BaseFileLock,
    paths: IslandPaths,
    locks: Locks,
    *,
    is_taking_over: bool,
    is_silent: bool,
    say: Callable[[str], None],
) -> None:
    try:
        lock.acquire()
    except filelock.Timeout:
        if not (is_silent or (is_taking_over and is_beyond_knowing(paths, locks))):
            raise
        say(f"taking {paths.name} over from {_holder(paths, locks)}")
        atomic.remove_file(paths.owner_lock)
        lock.acquire()


def _conflict(paths: IslandPaths, locks: Locks) -> str:
    advice = "choose another name, or stop that process first"
    if is_beyond_knowing(paths, locks):
        advice += "; if you know that it has ended, or will never go on, use --take-over"
    return f"island {paths.name} is already run by {_holder(paths, locks)}; {advice}"


def _holder(paths: IslandPaths, locks: Locks) -> str:
    epoch = epochs.latest(paths)
    if epoch is not None and epochs.is_alive(epoch) is not False:
        return epochs.describe(epoch)
    written = locks.holder(paths.owner_lock)
    if written:
        return f"process {written.pid} on {epochs.shown_place(written.host)}"
    return "another process that is just starting, or archiving it"


def spec_of(task: Any) -> GenomeSpec:  # noqa: ANN401 - JSON of POOL.json
    """Rebuild the genome layout that POOL.json records.

    Raises:
        PoolMismatchError: It cannot be one.
    """
    try:
        return GenomeSpec.from_rows(task["segments"])
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise PoolMismatchError(f"POOL.json describes no genome layout ({error}); it is damaged") from error
