"""Replay: an island lived again, with its imports from the inbox of the recording instead of the pool.

Everything else that an island computes is a function of its settings. So two things are taken from the recording: what
arrived at each generation, and whether the file system accepted each publication, which is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.evo.errors import DamagedFileError
from atoll.migration.exchange.exchange import Exchange
from atoll.migration.pool import inbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.config import Migration
    from atoll.evo.genome import GenomeSpec, Migrants, Population
    from atoll.evo.paths import PrivateFiles
    from atoll.evo.rng import Streams
    from atoll.migration.exchange.exchange import Mailbox, Notes
    from atoll.migration.pool.inbox import Arrivals, Seen


@dataclass(frozen=True)
class Journal:
    """What a recorded island met.

    Attributes:
        home: Its private folder.
        exports: Generation -> genomes that were accepted from it.
    """

    home: PrivateFiles
    exports: Mapping[int, int]

    def arrivals(self, generation: int) -> Arrivals:
        """Return what a generation imported.

        Raises:
            DamagedFileError: Its record is missing, or not intact.
        """
        path = self.home.inbox(generation)
        arrivals = inbox.read(path)
        if arrivals is None:
            raise DamagedFileError(f"the recording has no imports of generation {generation}: {path} is missing")
        return arrivals


class ReplayExchange(Exchange):
    """Imports what the recorded island did; publishes nothing."""

    def __init__(
        self,
        island: str,
        *,
        spec: GenomeSpec,
        migration: Migration,
        mailbox: Mailbox,
        ledger: Notes,
        seen: Seen,
        journal: Journal,
    ) -> None:
        super().__init__(island, spec=spec, migration=migration, mailbox=mailbox, ledger=ledger, seen=seen)
        self._journal = journal

    def publish(self, generation: int, emigrants: Migrants) -> int:  # noqa: ARG002 - see `atoll.evo.island.Exchange`
        """Return how many were on offer in the recording."""
        return self._journal.exports[generation]

    def _draw(self, generation: int, *, residents: Population, streams: Streams) -> Arrivals:  # noqa: ARG002
        return self._journal.arrivals(generation)
