"""The exchange of an island whose archipelago is a directory: its mailbox, mended, under the mode that it is in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.config import LOCKSTEP
from atoll.migration.exchange.exchange import Exchange, ReplayExchange, count
from atoll.migration.exchange.lockstep import LockstepExchange, Patience
from atoll.migration.pool import inbox
from atoll.migration.pool.mailbox import DirectoryMailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.config import Migration
    from atoll.migration.exchange.exchange import Journal
    from atoll.migration.pool.access import Ownership
    from atoll.migration.pool.inbox import Refusal
    from atoll.migration.pool.ledger import Ledger


def directory_exchange(
    owned: Ownership, *, migration: Migration, ledger: Ledger, journal: Journal | None = None
) -> Exchange:
    """Return an island's exchange through the pool on disk, after clearing what dead starts of it left there.

    Args:
        owned: The island.
        migration: What crosses, when, and in which mode.
        ledger: Where it is noted.
        journal: In a replay, what the recorded island took in.

    Raises:
        StorageError: The file system refused.
    """
    mailbox = DirectoryMailbox(owned, durable=migration.durability == "power")
    with atomic.storage_errors("clear what an earlier start left in the pool"):
        moved, left = mailbox.mend()
    _note_mending(ledger, moved, left)
    before = inbox.newest_before(owned.paths, owned.epoch.generation)
    make: Callable[..., Exchange] = Exchange
    if migration.mode == LOCKSTEP:
        make = partial(LockstepExchange, patience=Patience(migration.lockstep_timeout_s))
    elif journal is not None:
        make = partial(ReplayExchange, journal=journal)
    return make(
        owned.paths.name,
        spec=owned.pool.spec,
        migration=migration,
        mailbox=mailbox,
        ledger=ledger,
        seen=dict(before.seen) if before else {},
    )


def _note_mending(ledger: Ledger, moved: list[Refusal], left: list[Refusal]) -> None:
    for refusal in moved:
        ledger.note(
            "mended",
            f"moved our gen-{refusal.generation} away, {refusal.reason}: {refusal.detail}",
            generation=refusal.generation,
            reason=refusal.reason,
            detail=refusal.detail,
        )
    for reason in sorted({refusal.reason for refusal in left}):
        alike = [refusal for refusal in left if refusal.reason == reason]  # newest first
        ledger.note(
            "unmended",
            f"left {count(len(alike), 'publication')} of ours alone, {reason}: gen-{alike[0].generation}, "
            f"{alike[0].detail}",
            generation=alike[0].generation,
            generations=[refusal.generation for refusal in alike],
            reason=reason,
            detail=alike[0].detail,
        )
