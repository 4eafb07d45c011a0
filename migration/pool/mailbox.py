"""Mailboxes: the transport of batches between islands, through a directory, or through a dictionary in one process.

An island writes only its own folder of the directory, and reads the others'. A batch appears by one rename, whole or
not at all; a name that vanishes was pruned, which is no error; before each publication and beat we look for a higher
epoch, since a lock may lie; and where a rename's answer is lost, we look whose batch is there, and go by that.
"""

from __future__ import annotations

import errno
import math
import os
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from atoll.evo import ancestry, atomic, strict_json
from atoll.evo.errors import FencedError
from atoll.migration.pool import epochs, inbox, islands
from atoll.migration.pool.batch import Batch, pack
from atoll.migration.pool.bounded_io import Budget, Reason, RefusedError, VanishedError, generations_in
from atoll.migration.pool.inbox import Arrivals, Refusal, Seen
from atoll.migration.pool.prune import remove_old

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.genome import Migrants
    from atoll.migration.pool.access import Ownership
    from atoll.migration.pool.batch import Manifest, Publisher

TRIES_PER_PEER = 3
BEAT_INTERVAL_S = 1.0
MAX_WAITED_FOR = 16
BROKEN = frozenset({Reason.DAMAGED, Reason.MISPLACED, Reason.NOT_A_FILE, Reason.TOO_LARGE, Reason.OUT_OF_BOUNDS})
"""What proves that a batch of ours is none, so that its name may be freed. All else is left as it lies: what cannot be
read now may be read later, and what another run or genome layout published is whole."""
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ESTALE, errno.EIO}


class DirectoryMailbox:
    """The pool as a directory, for one island; `durable` publications survive a power cut."""

    def __init__(self, owned: Ownership, *, durable: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = owned.pool
        self._paths = owned.paths
        self._epoch = owned.epoch
        self._publisher = owned.publisher
        self._durable = durable
        self._clock = clock
        self._budget = Budget(clock)
        self._started: frozenset[str] = frozenset()
        self._last_beat_s = -math.inf
        self._waiting_for: tuple[str, ...] = ()
        self._n_beats = 0

    def peers(self) -> tuple[str, ...]:
        """Begin an import: return the names of all islands in the pool but this one, by one listing.

        Which folders have ever been an island's is remembered, so a look into each costs the first import alone.
        """
        self._budget = Budget(self._clock)
        started = islands.started(self._pool.shared, known=self._started)
        self._started = frozenset(started)
        return tuple(name for name in started if name != self._paths.name)

    def newest(self, peer: str, *, seen: Seen) -> tuple[Batch | None, list[Refusal]]:
        """Return a peer's newest valid batch, and what was refused on the way to it.

        A batch older than what was seen of this peer before is a rollback, and refused; and whatever is beyond the
        budget of this import. The peer is asked not to prune only once something has gone while it was read.
        """
        try:
            return self._newest(peer, seen=seen, is_pruning_paused=False)
        except VanishedError:
            with self._pool.identity.locks.pruning_paused(self._pool.shared.island(peer).prune_lock):
                return self._newest(peer, seen=seen, is_pruning_paused=True)

    def _newest(self, peer: str, *, seen: Seen, is_pruning_paused: bool) -> tuple[Batch | None, list[Refusal]]:
        refusals: list[Refusal] = []
        try:
            generations = generations_in(self._pool.shared.island(peer).outbox)
        except OSError as error:
            return None, [Refusal(peer, 0, str(Reason.UNREADABLE), f"its folder: {error.strerror}")]
        for generation in generations[:TRIES_PER_PEER]:
            try:
                found = self._pool.read(peer, generation, budget=self._budget)
                _check_not_older(found, seen.get(peer, (0, 0)))
            except RefusedError as error:
                refusals.append(Refusal(peer, generation, str(error.reason), error.detail))
                if error.reason is Reason.OVER_BUDGET:
                    break
            except VanishedError:
                if not is_pruning_paused:
                    raise
            else:
                return found, refusals
        return None, refusals

    def at(self, peer: str, generation: int) -> Batch:
        """Return a peer's batch of one generation; errors are those of `batch.read`."""
        return self._pool.read(peer, generation)

    def publish(self, generation: int, emigrants: Migrants) -> None:
        """Offer a batch; again with the same genomes: no effect.

        Raises:
            FencedError: A newer process owns this island.
            RefusedError: What has this name is another batch of an epoch before ours, or of another run, or cannot be
                read.
            OSError: The file system refused; the batch is not visible, or it may not survive a power cut.
        """
        epochs.check_owner(self._paths, self._epoch)
        manifest, files = pack(self._publisher, generation, emigrants)
        if self._is_published(generation, manifest):
            self._sync()
            return
        tag = f"{generation}-{self._epoch.number}"
        target = self._paths.publication(generation)
        try:
            atomic.create_directory(target, files, tag=tag, durable=self._durable)
        except atomic.UnsyncedError:
            raise
        except OSError as error:
            if error.errno not in _OCCUPIED or not self._is_published(generation, manifest):
                raise
            self._sync()

    def mend(self) -> tuple[list[Refusal], list[Refusal]]:
        """Clear what dead starts of this island left: temporary files, and batches of its own that are not intact.

        Returns:
            The batches moved out of sight, which the next start removes, and those left as they lie though nobody will
            import them.
        """
        atomic.clear_leftovers(self._paths.outbox)
        atomic.clear_leftovers(self._paths.epochs)
        moved: list[Refusal] = []
        left: list[Refusal] = []
        for generation in generations_in(self._paths.outbox):
            try:
                self._read_own(generation)
            except RefusedError as error:
                is_broken = error.reason in BROKEN
                if is_broken:
                    self._hide(generation)
                refusal = Refusal(self._paths.name, generation, str(error.reason), error.detail)
                (moved if is_broken else left).append(refusal)
            except VanishedError:
                continue
        return moved, left

    def prune(self, keep: int) -> list[int]:
        """Remove all but the newest `keep` of this island's batches, none while somebody reads; return which."""
        return remove_old(self._paths, self._pool.identity.locks, keep=keep, epoch=self._epoch.number, wait_s=0.0) or []

    def beat(self, generation: int, *, waiting_for: tuple[str, ...] = ()) -> None:
        """Show that the island lives and whom it waits for, and see that it is still ours.

        Once a second at most, unless it waits for others than before: replacing a file costs milliseconds on some
        mounts.

        Raises:
            FencedError: A newer process owns this island.
        """
        waiting_for = waiting_for[:MAX_WAITED_FOR]
        if self._clock() - self._last_beat_s < BEAT_INTERVAL_S and waiting_for == self._waiting_for:
            return
        self._last_beat_s, self._waiting_for, self._n_beats = self._clock(), waiting_for, self._n_beats + 1
        epochs.check_owner(self._paths, self._epoch)
        start = {"epoch": self._epoch.number, "nonce": self._epoch.nonce}
        record = {**start, "sequence": self._n_beats, "generation": generation, "waiting_for": waiting_for}
        atomic.replace_file(self._paths.beat, strict_json.encode(record), durable=False)

    def load_arrivals(self, generation: int) -> Arrivals | None:
        """Return what `generation` imported when it was lived before, or None."""
        return inbox.load(self._paths, generation)

    def save_arrivals(self, generation: int, arrivals: Arrivals) -> None:
        """Keep what `generation` imports, before it is used; raise `StorageError` if the file system refuses."""
        with atomic.storage_errors("write the inbox"):
            inbox.save(self._paths, generation, arrivals)

    def _read_own(self, generation: int) -> Batch:
        """Read a batch of ours, in which nothing can have been pruned: a missing file is damage."""
        try:
            return self._pool.read(self._paths.name, generation)
        except VanishedError as error:
            if not os.path.lexists(self._paths.publication(generation)):
                raise
            if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ESTALE:
                raise RefusedError(Reason.UNREADABLE, f"{error}: {error.__cause__.strerror}") from error
            raise RefusedError(Reason.DAMAGED, f"{error} is missing") from error

    def _is_published(self, generation: int, manifest: Manifest) -> bool:
        try:
            there = self._read_own(generation).manifest
        except VanishedError:
            return False
        except RefusedError as error:
            if error.reason not in BROKEN:
                raise
            self._hide(generation)
            return False
        if there.content_sha256 == manifest.content_sha256:
            return True
        if there.epoch >= self._epoch.number:
            raise FencedError(
                f"gen-{generation} of island {self._paths.name} was published by epoch {there.epoch}, not by this "
                f"process (epoch {self._epoch.number}); it stops and publishes nothing more"
            )
        raise RefusedError(Reason.MISPLACED, f"another batch of epoch {there.epoch} has the name gen-{generation}")

    def _sync(self) -> None:
        """Make what is visible survive a power cut: who published it may have been killed, or refused, before that."""
        if self._durable:
            atomic.sync_directory(self._paths.outbox)

    def _hide(self, generation: int) -> None:
        """Move a batch of ours out of sight; what is not removed here is by the next start."""
        trash = self._paths.trash(generation, f"{self._epoch.number}-{secrets.token_hex(4)}")
        atomic.move(self._paths.publication(generation), trash)


class MemoryMailbox:
    """The pool as a dictionary that islands of one process share: island -> generation -> batch.

    It is also the twin that tests hold the directory against.
    """

    def __init__(self, pool: dict[str, dict[int, Batch]], publisher: Publisher) -> None:
        self._pool = pool
        self._publisher = publisher
        self._inbox: dict[int, Arrivals] = {}
        pool.setdefault(publisher.island, {})

    def peers(self) -> tuple[str, ...]:
        """Return the names of all islands but this one."""
        return tuple(sorted(self._pool.keys() - {self._publisher.island}))

    def newest(self, peer: str, *, seen: Seen) -> tuple[Batch | None, list[Refusal]]:  # noqa: ARG002 - nobody lies here
        """Return a peer's newest batch."""
        batches = self._pool[peer]
        return (batches[max(batches)], []) if batches else (None, [])

    def at(self, peer: str, generation: int) -> Batch:
        """Return a peer's batch of one generation; raise `VanishedError` if it is not there."""
        try:
            return self._pool[peer][generation]
        except KeyError:
            raise VanishedError(f"{peer} gen {generation}") from None

    def publish(self, generation: int, emigrants: Migrants) -> None:
        """Offer a batch, unless this generation has been."""
        manifest, _ = pack(self._publisher, generation, emigrants)
        compacted = replace(emigrants, population=ancestry.compact(emigrants.population))
        self._pool[self._publisher.island].setdefault(generation, Batch(manifest, compacted))

    def prune(self, keep: int) -> list[int]:
        """Remove all but the newest `keep` batches."""
        batches = self._pool[self._publisher.island]
        old = sorted(batches, reverse=True)[keep:]
        for generation in old:
            del batches[generation]
        return old

    def beat(self, generation: int, *, waiting_for: tuple[str, ...] = ()) -> None:
        """Do nothing: who shares a process need not be told that it lives."""

    def load_arrivals(self, generation: int) -> Arrivals | None:
        """Return what `generation` imported before, or None."""
        return self._inbox.get(generation)

    def save_arrivals(self, generation: int, arrivals: Arrivals) -> None:
        """Keep what `generation` imports."""
        self._inbox[generation] = arrivals


Mailbox = DirectoryMailbox | MemoryMailbox


def _check_not_older(found: Batch, seen: tuple[int, int]) -> None:
    manifest = found.manifest
    if (manifest.epoch, manifest.generation) < seen:
        raise RefusedError(Reason.ROLLED_BACK, f"epoch {seen[0]} gen {seen[1]} was there before")
