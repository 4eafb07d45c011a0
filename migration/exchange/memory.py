"""The pool as a dictionary: islands of one process, and the twin that tests hold the directory against."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from atoll.evo import ancestry
from atoll.evo.config import LOCKSTEP
from atoll.migration.exchange.exchange import Exchange
from atoll.migration.exchange.lockstep import LockstepExchange, Patience
from atoll.migration.pool.batch import Batch, Publisher, pack
from atoll.migration.pool.bounded_io import VanishedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.config import Migration
    from atoll.evo.genome import Migrants
    from atoll.migration.exchange.exchange import Notes
    from atoll.migration.pool.inbox import Arrivals, Refusal, Seen


class MemoryMailbox:
    """The pool as a dictionary that islands of one process share: island -> generation -> batch."""

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
        """Return a peer's batch of one generation.

        Raises:
            VanishedError: It is not there.
        """
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


def memory_exchange(
    pool: dict[str, dict[int, Batch]], *, publisher: Publisher, migration: Migration, ledger: Notes
) -> Exchange:
    """Return an island's exchange through a dictionary; in lockstep it waits without an end, and without sleeping.

    Args:
        pool: What the islands share.
        publisher: Who publishes.
        migration: What crosses, when, and in which mode.
        ledger: Where it is noted.
    """
    make: Callable[..., Exchange] = Exchange
    if migration.mode == LOCKSTEP:
        make = partial(LockstepExchange, patience=Patience(math.inf, clock=lambda: 0.0, sleep=lambda _: None))
    return make(
        publisher.island,
        spec=publisher.spec,
        migration=migration,
        mailbox=MemoryMailbox(pool, publisher),
        ledger=ledger,
        seen={},
    )
