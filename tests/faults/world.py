"""An archipelago on disk that faults happen to, and what its islands do to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from atoll.evo.config import Migration
from atoll.evo.paths import SharedPaths
from atoll.evo.records import Start
from atoll.migration.exchange.modes import directory_exchange
from atoll.migration.pool import epochs
from atoll.migration.pool import identity as pool
from atoll.migration.pool.access import OpenPool, Ownership
from atoll.migration.pool.ledger import Ledger
from atoll.migration.pool.mailbox import DirectoryMailbox
from tests.faults.samples import SEED, SPEC, TASK
from tests.migration.archipelago import migrants_of

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.migration.exchange.exchange import Exchange
    from atoll.migration.pool.epochs import Epoch


class World:
    """An archipelago on disk with an island `a`, which the operation belongs to, and a peer `b`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shared = SharedPaths(root)
        self.a = self.shared.island("a")

    def join(self) -> None:
        """Make the pool."""
        pool.join(self.shared, seed=SEED, task=TASK)

    def claim(self, island: str = "a", generation: int = 0) -> Epoch:
        paths = self.shared.island(island)
        after = epochs.latest_number(paths)
        return epochs.claim(paths, after=after, generation=generation, target=99, population=9, task="sphere")

    def newest_epoch(self, island: str = "a") -> Epoch:
        epoch = epochs.latest(self.shared.island(island))
        assert epoch is not None, "the record of the newest epoch has gone"
        return epoch

    def owned(self, epoch: Epoch, island: str = "a", *, lock_class: str = "flock") -> Ownership:
        identity = replace(pool.require(self.shared), lock_class=lock_class)
        return Ownership(OpenPool(self.shared, identity, SPEC), self.shared.island(island), epoch)

    def mailbox(self, epoch: Epoch, island: str = "a", *, lock_class: str = "flock") -> DirectoryMailbox:
        return DirectoryMailbox(self.owned(epoch, island, lock_class=lock_class), durable=True)

    def exchange(self, epoch: Epoch, island: str = "a", **migration: object) -> Exchange:
        ledger = Ledger(self.shared.island(island))
        ledger.start(Start(epoch=epoch.number, generation=epoch.generation))
        return directory_exchange(
            self.owned(epoch, island),
            migration=Migration(**{"durability": "power", "migrants": 5, **migration}),
            ledger=ledger,
        )

    def publish(self, island: str, *generations: int) -> None:
        """Publish as an earlier start of an island."""
        mailbox = self.mailbox(self.claim(island), island)
        for generation in generations:
            mailbox.publish(generation, migrants_of(island, generation, spec=SPEC))

    def published(self, island: str = "a") -> dict[int, bool]:
        """Return an island's visible generations, and whether each is whole and as it was meant."""
        readable = OpenPool(self.shared, pool.require(self.shared), SPEC)
        found = {}
        for path in self.shared.island(island).outbox.glob("gen-*"):
            generation = int(path.name[4:])
            whole = readable.read(island, generation).migrants
            expected = migrants_of(island, generation, spec=SPEC)
            found[generation] = bool(np.array_equal(whole.population.genes, expected.population.genes))
        return found

    def leftovers(self) -> list[str]:
        return [str(p.relative_to(self.root)) for p in self.root.rglob(".t*") if {".tmp-", ".tras"} & {p.name[:5]}]
