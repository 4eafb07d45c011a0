"""The modes of exchange, async, lockstep and replay: which one an island has, through a directory or in memory."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.config import LOCKSTEP
from atoll.evo.records import Mended, Unmended
from atoll.migration.exchange.exchange import Exchange, ReplayExchange
from atoll.migration.exchange.lockstep import LockstepExchange, Timeout
from atoll.migration.pool import inbox
from atoll.migration.pool.mailbox import DirectoryMailbox, MemoryMailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.config import Migration
    from atoll.migration.exchange.exchange import Journal, Notes
    from atoll.migration.pool.access import Ownership
    from atoll.migration.pool.batch import Batch, Publisher
    from atoll.migration.pool.inbox import Refusal
    from atoll.migration.pool.ledger import Ledger


def directory_exchange(
    owned: Ownership, *, migration: Migration, ledger: Ledger, journal: Journal | None = None
) -> Exchange:
    """Return an island's exchange through the pool on disk, after clearing what dead starts of it left there.

    In a replay, `journal` holds what the recorded island took in.

    Raises:
        StorageError: The file system refused.
    """
    mailbox = DirectoryMailbox(owned, durable=migration.durability == "power")
    with atomic.storage_errors("clear what an earlier start left in the pool"):
        moved, left = mailbox.mend()
    _note_mending(ledger, moved, left)
    before = inbox.newest_before(owned.paths, owned.epoch.generation)
    return _mode(migration, Timeout(migration.lockstep_timeout_s), journal)(
        owned.paths.name,
        spec=owned.pool.spec,
        migration=migration,
        mailbox=mailbox,
        ledger=ledger,
        seen=dict(before.seen) if before else {},
    )


def memory_exchange(
    pool: dict[str, dict[int, Batch]], *, publisher: Publisher, migration: Migration, ledger: Notes
) -> Exchange:
    """Return an island's exchange through a dictionary; in lockstep it waits without an end."""
    return _mode(migration, Timeout(math.inf, clock=lambda: 0.0))(
        publisher.island,
        spec=publisher.spec,
        migration=migration,
        mailbox=MemoryMailbox(pool, publisher),
        ledger=ledger,
        seen={},
    )


def _mode(migration: Migration, timeout: Timeout, journal: Journal | None = None) -> Callable[..., Exchange]:
    if migration.mode == LOCKSTEP:
        return partial(LockstepExchange, timeout=timeout)
    return partial(ReplayExchange, journal=journal) if journal else Exchange


def _note_mending(ledger: Ledger, moved: list[Refusal], left: list[Refusal]) -> None:
    for refusal in moved:
        ledger.note(Mended(generation=refusal.generation, reason=refusal.reason, detail=refusal.detail))
    for reason in sorted({refusal.reason for refusal in left}):
        alike = [refusal for refusal in left if refusal.reason == reason]  # newest first
        newest, generations = alike[0], tuple(refusal.generation for refusal in alike)
        event = Unmended(generation=newest.generation, generations=generations, reason=reason, detail=newest.detail)
        ledger.note(event)
