"""The pool as a dictionary: islands of one process, and the twin that tests hold the directory against."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evo import ancestry
from migration.batch import Batch, Publisher, pack
from migration.exchange import Exchange

if TYPE_CHECKING:
    from evo.config import Migration
    from evo.genome import Migrants
    from migration.inbox import Arrivals, Refusal, Seen
    from migration.ledger import Ledger


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

    def beat(self, generation: int) -> None:
        """Do nothing: who shares a process need not be told that it lives."""

    def load_arrivals(self, generation: int) -> Arrivals | None:
        """Return what `generation` imported before, or None."""
        return self._inbox.get(generation)

    def save_arrivals(self, generation: int, arrivals: Arrivals) -> None:
        """Keep what `generation` imports."""
        self._inbox[generation] = arrivals


class MemoryExchange(Exchange):
    """Genomes travel through a dictionary."""

    def __init__(
        self,
        pool: dict[str, dict[int, Batch]],
        *,
        publisher: Publisher,
        migration: Migration,
        ledger: Ledger,
    ) -> None:
        super().__init__(
            publisher.island,
            spec=publisher.spec,
            migration=migration,
            mailbox=MemoryMailbox(pool, publisher),
            ledger=ledger,
            seen={},
        )
