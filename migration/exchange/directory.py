"""The exchange of an island whose archipelago is a directory: its mailbox, mended, under the mode that it is in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.config import LOCKSTEP
from atoll.evo.records import Mended, Unmended
from atoll.migration.exchange.exchange import Exchange
from atoll.migration.exchange.lockstep import LockstepExchange, Patience
from atoll.migration.exchange.replay import ReplayExchange
from atoll.migration.pool import inbox
from atoll.migration.pool.mailbox import DirectoryMailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.config import Migration
    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.migration.exchange.replay import Journal
    from atoll.migration.pool.batch import Publisher
    from atoll.migration.pool.epochs import Epoch
    from atoll.migration.pool.inbox import Refusal
    from atoll.migration.pool.ledger import Ledger


def directory_exchange(
    shared: SharedPaths,
    paths: IslandPaths,
    *,
    publisher: Publisher,
    epoch: Epoch,
    lock_class: str,
    migration: Migration,
    ledger: Ledger,
    journal: Journal | None = None,
) -> Exchange:
    """Return an island's exchange through the pool on disk, after clearing what dead starts of it left there.

    Args:
        shared: The archipelago's files.
        paths: The island's.
        publisher: Who publishes.
        epoch: Which start of the island this is.
        lock_class: The pool's kind of lock.
        migration: What crosses, when, and in which mode.
        ledger: Where it is noted.
        journal: In a replay, what the recorded island took in.

    Raises:
        StorageError: The file system refused.
    """
    mailbox = DirectoryMailbox(
        shared,
        paths,
        publisher=publisher,
        epoch=epoch,
        lock_class=lock_class,
        durable=migration.durability == "power",
    )
    with atomic.storage_errors("clear what an earlier start left in the pool"):
        moved, left = mailbox.mend()
    _note_mending(ledger, moved, left)
    before = inbox.newest_before(paths, epoch.generation)
    make: Callable[..., Exchange] = Exchange
    if migration.mode == LOCKSTEP:
        make = partial(LockstepExchange, patience=Patience(migration.lockstep_timeout_s))
    elif journal is not None:
        make = partial(ReplayExchange, journal=journal)
    return make(
        paths.name,
        spec=publisher.spec,
        migration=migration,
        mailbox=mailbox,
        ledger=ledger,
        seen=dict(before.seen) if before else {},
    )


def _note_mending(ledger: Ledger, moved: list[Refusal], left: list[Refusal]) -> None:
    for refusal in moved:
        ledger.note(Mended(generation=refusal.generation, reason=refusal.reason, detail=refusal.detail))
    for reason in sorted({refusal.reason for refusal in left}):
        alike = [refusal for refusal in left if refusal.reason == reason]  # newest first
        ledger.note(
            Unmended(
                generation=alike[0].generation,
                generations=tuple(refusal.generation for refusal in alike),
                reason=reason,
                detail=alike[0].detail,
            )
        )
