"""Migration between islands: topology, policies and mailbox together, as an island asks the archipelago.

`Exchange` is the algorithm of the default mode, async; `LockstepExchange` (`lockstep.py`) waits for others, and
`ReplayExchange` takes genomes from a recording. A mailbox (`atoll.migration.pool.mailbox`) moves them, through the pool
on disk or a dictionary; `modes.py` joins the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from atoll.evo import ancestry
from atoll.evo.errors import DamagedFileError
from atoll.evo.genome import NO_PLACE
from atoll.evo.records import Alone, Imported, NoBeat, Pruned, Published, Refused, Unpruned, Unpublished
from atoll.migration.exchange import policy
from atoll.migration.exchange.immigration import draw_immigrants
from atoll.migration.pool import inbox
from atoll.migration.pool.bounded_io import NO_MEMORY, Reason, RefusedError
from atoll.migration.pool.inbox import Arrivals, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.config import Migration
    from atoll.evo.genome import Floats, GenomeSpec, Indices, Migrants, Population
    from atoll.evo.paths import PrivateFiles
    from atoll.evo.records import Event
    from atoll.evo.rng import Streams
    from atoll.migration.pool.inbox import Seen
    from atoll.migration.pool.mailbox import Mailbox


class Notes(Protocol):
    """A ledger, in which events are noted; see `atoll.migration.pool.ledger.Ledger`."""

    def note(self, *events: Event, text: str = "") -> None: ...  # noqa: D102


@dataclass(eq=False)
class Exchange:
    """The algorithm of migration; see `atoll.evo.island.Exchange` for what each method owes the island."""

    island: str
    spec: GenomeSpec
    migration: Migration
    mailbox: Mailbox
    ledger: Notes
    seen: Seen
    _met_again: frozenset[str] = field(default=frozenset(), init=False)

    def emigrants(self, genes: Floats, fitness: Floats, *, streams: Streams) -> Indices:
        """Choose who leaves."""
        rng = streams("emigrants")
        return policy.emigrants(genes, fitness, migration=self.migration, spec=self.spec, rng=rng)

    def displaced(
        self, genes: Floats, fitness: Floats, immigrants: Floats, scores: Floats, *, streams: Streams
    ) -> Indices:
        """Choose who makes room."""
        rng = streams("replacement")
        return policy.displaced(genes, fitness, immigrants, scores, migration=self.migration, spec=self.spec, rng=rng)

    def publish(self, generation: int, emigrants: Migrants) -> int:
        """Offer genomes to the others. A file system that refuses, or memory that is short, costs this offer alone.

        Raises:
            FencedError: A newer process owns this island.
        """
        try:
            self.mailbox.publish(generation, emigrants)
        except (OSError, RefusedError, MemoryError, RecursionError) as error:
            why = NO_MEMORY if isinstance(error, MemoryError) else str(error)
            event = Unpublished(generation=generation, error=why)
            self.ledger.note(event, text=f"{event}; evolving on")
            return 0
        self._note_published(generation, emigrants)
        self._prune(generation)
        return len(emigrants)

    def is_ready(self, generation: int, *, streams: Streams) -> bool:  # noqa: ARG002 - see `atoll.evo.island.Exchange`
        """Say yes: what has not come is not waited for."""
        return True

    def collect(self, generation: int, *, residents: Population, streams: Streams) -> Arrivals:
        """Take others' genomes, through the durable inbox.

        Raises:
            StorageError: The inbox cannot be written.
        """
        arrivals = self.mailbox.load_arrivals(generation)
        if arrivals is None:
            arrivals = self._draw(generation, residents=residents, streams=streams)
            self.mailbox.save_arrivals(generation, arrivals)
        self._met_again = frozenset(s.island for s in arrivals.sources if self.seen.get(s.island) == s.place)
        self.seen = dict(arrivals.seen)
        for refusal in arrivals.refusals:
            self.ledger.note(
                Refused(
                    generation=generation,
                    source=refusal.island,
                    source_generation=refusal.generation,
                    reason=refusal.reason,
                    detail=refusal.detail,
                )
            )
        if not len(arrivals.migrants):
            why = "nothing to import from them yet" if arrivals.peers else "no other island in the pool yet"
            why = "all that was drawn is refused" if arrivals.refusals else why
            self.ledger.note(Alone(generation=generation, peers=arrivals.peers), text=f"{why}; evolving alone")
        return arrivals

    def record_outcome(
        self, generation: int, arrivals: Arrivals, fitness: Floats, displaced: Indices, *, best: float
    ) -> None:
        """Note what the immigrants scored here, whose genes they brought, and whose places they took, if any."""
        events: list[Event] = []
        for i, source in enumerate(arrivals.sources):
            here, genome = float(fitness[i]), arrivals.migrants.ids[i]
            evaluated: dict[str, Any] = {
                "generation": generation,
                "id": genome,
                "source": source.island,
                "source_generation": source.generation,
                "source_epoch": source.epoch,
                "genome_sha256": source.genome_sha256,
                "ancestry": ancestry.shares(arrivals.migrants.population.take(np.asarray([i]))),
                "fitness_there": float(arrivals.migrants.fitness[i]),
                "fitness_here": here,
                "led": here > best,
                # of a batch that it was drawn from before: no newer one is there
                "again": True if source.island in self._met_again else None,
            }
            if displaced[i] != NO_PLACE:
                events.append(Imported(**evaluated, displaced=int(displaced[i])))
            else:
                detail = f"{genome}, {here:.6g} here"
                events.append(Refused(**evaluated, reason=str(Reason.NOT_BETTER), detail=detail))
        self.ledger.note(*events)

    def heartbeat(self, generation: int) -> None:
        """Show that the island lives; a beat that cannot be written is a beat missed, which is what it says.

        Raises:
            FencedError: A newer process owns this island.
        """
        try:
            self.mailbox.beat(generation)
        except OSError as error:
            self.ledger.note(NoBeat(generation=generation, error=str(error)))

    def _draw(self, generation: int, *, residents: Population, streams: Streams) -> Arrivals:
        try:
            return draw_immigrants(
                self.island,
                self.mailbox.peers(),
                partial(self.mailbox.newest, seen=self.seen),
                migration=self.migration,
                spec=self.spec,
                generation=generation,
                residents=residents,
                seen=self.seen,
                streams=streams,
            )
        except (OSError, MemoryError, RecursionError) as error:
            why = f"its folder: {error.strerror}" if isinstance(error, OSError) else NO_MEMORY
            refusal = Refusal("pool", 0, str(Reason.UNREADABLE), why)
            return Arrivals(inbox.nobody(self.spec), refusals=(refusal,), seen=self.seen)

    def _note_published(self, generation: int, emigrants: Migrants) -> None:
        best = float(emigrants.fitness.max())
        self.ledger.note(Published(generation=generation, ids=tuple(emigrants.ids), best=best))

    def _prune(self, generation: int) -> None:
        if not self.migration.keep_generations:
            return
        try:
            pruned = self.mailbox.prune(self.migration.keep_generations)
        except OSError as error:
            self.ledger.note(Unpruned(generation=generation, error=str(error)))
            return
        if pruned:
            self.ledger.note(Pruned(generation=generation, generations=tuple(pruned)))


@dataclass(frozen=True)
class Journal:
    """The journal of a recorded island: what it imported, and at each generation how many genomes were accepted."""

    home: PrivateFiles
    exports: Mapping[int, int]

    def arrivals(self, generation: int) -> Arrivals:
        """Return what a generation imported; raise `DamagedFileError` if its record is missing, or not intact."""
        path = self.home.inbox(generation)
        arrivals = inbox.read(path)
        if arrivals is None:
            raise DamagedFileError(f"the recording has no imports of generation {generation}: {path} is missing")
        return arrivals


@dataclass(eq=False, kw_only=True)
class ReplayExchange(Exchange):
    """The exchange of a replay: imports what the recorded island did, and publishes nothing.

    Everything else that an island computes is a function of its settings. So two things are taken from the recording:
    what arrived at each generation, and whether the file system accepted each publication, which is counted.
    """

    journal: Journal

    def publish(self, generation: int, emigrants: Migrants) -> int:  # noqa: ARG002 - see `atoll.evo.island.Exchange`
        """Return how many were on offer in the recording."""
        return self.journal.exports[generation]

    def _draw(self, generation: int, *, residents: Population, streams: Streams) -> Arrivals:  # noqa: ARG002
        return self.journal.arrivals(generation)
