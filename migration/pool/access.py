"""Access to a pool: opened to be read by whoever looks, and owned by the process of each island that writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atoll.evo.errors import ConfigError, PoolMismatchError
from atoll.evo.genome import GenomeSpec, Kind, Segment
from atoll.migration.pool import batch, epochs
from atoll.migration.pool import identity as pools
from atoll.migration.pool.batch import Publisher
from atoll.migration.pool.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.migration.pool.batch import Batch
    from atoll.migration.pool.bounded_io import Budget
    from atoll.migration.pool.epochs import Epoch
    from atoll.migration.pool.identity import Pool
    from atoll.migration.pool.locks import Locks


@dataclass(frozen=True)
class OpenPool:
    """A pool that an island has started.

    Attributes:
        shared: Its files.
        identity: What all its islands agree on.
        spec: The genome layout.
    """

    shared: SharedPaths
    identity: Pool
    spec: GenomeSpec

    @property
    def run_id(self) -> str:
        """The run's name."""
        return self.identity.run_id

    @property
    def locks(self) -> Locks:
        """The locks that all its islands use."""
        return self.identity.locks

    def read(self, island: str, generation: int, *, budget: Budget | None = None) -> Batch:
        """Read what an island published at a generation.

        Raises:
            RefusedError: Anything about it is not as it must be, or there is no memory for it.
            VanishedError: It is not there, or has been pruned meanwhile.
        """
        return batch.read(
            self.shared.island(island).publication(generation),
            run_id=self.run_id,
            spec=self.spec,
            island=island,
            generation=generation,
            budget=budget,
        )


@dataclass(frozen=True)
class Ownership:
    """One start of an island, which owns it until a newer one takes it over.

    Attributes:
        pool: Where the island publishes.
        paths: The island's files.
        epoch: The start.
    """

    pool: OpenPool
    paths: IslandPaths
    epoch: Epoch

    @property
    def publisher(self) -> Publisher:
        """The publisher that this start is."""
        return Publisher(self.pool.run_id, self.paths.name, self.epoch.number, self.epoch.nonce, self.pool.spec)

    def check_owner(self) -> None:
        """Make sure that nobody has taken the island over, as far as can be known now.

        Raises:
            FencedError: A newer process has.
        """
        epochs.stop_if_fenced(self.paths, self.epoch)

    def ledger(self, observe: Callable[[str], None] = lambda text: None) -> Ledger:  # noqa: ARG005
        """Return the island's ledger, which `observe` is told of."""
        return Ledger(self.paths, observe=observe, check_owner=self.check_owner)


def open_pool(shared: SharedPaths) -> OpenPool:
    """Open the pool that lies in a shared directory, to read it.

    Raises:
        PoolMismatchError: There is none, or POOL.json is damaged or of another format.
        StorageError: POOL.json cannot be read.
    """
    identity = pools.require(shared)
    return OpenPool(shared, identity, spec_of(identity.task))


def spec_of(task: Any) -> GenomeSpec:  # noqa: ANN401 - JSON of POOL.json
    """Rebuild the genome layout that POOL.json records.

    Raises:
        PoolMismatchError: It cannot be one.
    """
    try:
        return GenomeSpec(
            tuple(
                Segment(name, size, low, high, Kind(kind), scale)
                for name, size, low, high, kind, scale in task["segments"]
            )
        )
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise PoolMismatchError(f"POOL.json describes no genome layout ({error}); it is damaged") from error
