"""Lockstep: an import is a function of seed, members and generation, whatever the speed of anybody.

Whom an island draws from is decided by the list of members and its own random stream; then it waits for exactly the
batches of its own generation. So that the waiting ends, an offer that the file system refuses is made again until it is
accepted, nothing that was published is pruned, and a member that finds an earlier offer of its own lost goes back to
where it makes that one again (`first_lost`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from atoll.evo import atomic
from atoll.evo.errors import LockstepTimeoutError, ResumeError, StorageError
from atoll.evo.records import NoBeat, Refused, Unpublished, Waiting, named
from atoll.migration.exchange.exchange import Exchange
from atoll.migration.exchange.immigration import draw_immigrants, draw_sources
from atoll.migration.pool.bounded_io import Reason, RefusedError, VanishedError
from atoll.migration.pool.mailbox import BROKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from atoll.evo.genome import Migrants, Population
    from atoll.evo.records import Event
    from atoll.evo.rng import Streams
    from atoll.migration.pool.access import OpenPool
    from atoll.migration.pool.batch import Batch
    from atoll.migration.pool.inbox import Arrivals

TOLD_AFTER_S = 3.0
BEAT_AFTER_S = 1.0


class Timeout:
    """Timeout of a member that waits for the others: how long it may, and since when it does."""

    def __init__(self, timeout_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.timeout_s = timeout_s
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Begin to wait."""
        self._began_s = self._clock()

    @property
    def waited_s(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began_s


@dataclass(eq=False, kw_only=True)
class LockstepExchange(Exchange):
    """The exchange of a member in lockstep: imports what the members publish at the very same generation."""

    timeout: Timeout

    def __post_init__(self) -> None:
        self._others = tuple(name for name in self.migration.members.split(",") if name != self.island)
        self._offer: Migrants | None = None
        self._refused_offer: OSError | RefusedError | None = None
        self._found: dict[str, Batch] = {}
        self._said: set[object] = set()

    def publish(self, generation: int, emigrants: Migrants) -> int:
        """Offer genomes to the others; where the file system refuses, `is_ready` offers them again.

        Raises:
            FencedError: A newer process owns this island.
            ResumeError: Other genomes were published at this generation before.
        """
        self.timeout.begin()
        self._offer, self._found, self._said = emigrants, {}, set()
        self._make_offer(generation)
        return len(emigrants)

    def is_ready(self, generation: int, *, streams: Streams) -> bool:
        """Say whether all is there that `collect` draws from.

        Raises:
            FencedError: A newer process owns this island.
            ResumeError: Other genomes were published at this generation before.
            LockstepTimeoutError: A member has not published in time.
            StorageError: The file system has refused the own publication for as long.
        """
        self._make_offer(generation)
        missing = self._missing(generation, streams)
        if self._offer is None and not missing:
            return True
        if self.timeout.waited_s >= self.timeout.timeout_s:
            self._give_up(generation, missing)
        self._show_that_we_wait(generation, missing)
        return False

    def _draw(self, generation: int, *, residents: Population, streams: Streams) -> Arrivals:
        return draw_immigrants(
            self.island,
            self._others,
            lambda peer: (self._found[peer], []),
            migration=self.migration,
            spec=self.spec,
            generation=generation,
            residents=residents,
            seen={},
            streams=streams,
        )

    def _make_offer(self, generation: int) -> None:
        if self._offer is None:
            return
        try:
            self.mailbox.publish(generation, self._offer)
        except RefusedError as error:
            if error.reason is not Reason.UNREADABLE:
                raise ResumeError(
                    f"gen-{generation} of {self.island} was published before, and is another ({error}); in lockstep a "
                    f"member may not differ from its earlier starts: repeat their settings, or put the run away with "
                    f"'cli.py pool archive'"
                ) from error
            self._put_off(generation, error)
        except OSError as error:
            self._put_off(generation, error)
        else:
            self._note_published(generation, self._offer)
            self._offer = None

    def _put_off(self, generation: int, error: OSError | RefusedError) -> None:
        self._refused_offer = error
        why = error.errno if isinstance(error, OSError) else error.reason
        event = Unpublished(generation=generation, error=str(error))
        self._say_once(("offer", why), event, text=f"{event}; trying again")

    def _missing(self, generation: int, streams: Streams) -> tuple[str, ...]:
        """Return those whom this import draws from, and whose batch is not there or not valid."""
        if self.mailbox.load_arrivals(generation) is not None:
            return ()
        drawn, _ = draw_sources(self.island, self._others, migration=self.migration, streams=streams)
        return tuple(peer for peer in sorted(drawn) if not self._find(peer, generation))

    def _find(self, peer: str, generation: int) -> bool:
        if peer not in self._found:
            try:
                self._found[peer] = self.mailbox.at(peer, generation)
            except VanishedError:
                return False
            except RefusedError as error:
                reason = str(error.reason)
                event = Refused(generation=generation, source=peer, source_generation=generation, reason=reason)
                text = f"refused {peer} gen {generation}, {error}; waiting for it to be published anew"
                self._say_once((peer, error.reason), event, text=text)
                return False
        return True

    def _show_that_we_wait(self, generation: int, missing: tuple[str, ...]) -> None:
        waited_s = self.timeout.waited_s
        if missing and waited_s >= TOLD_AFTER_S:
            self._say_once("waiting", Waiting(generation=generation, waiting_for=missing))
        if waited_s >= BEAT_AFTER_S:
            try:
                self.mailbox.beat(generation, waiting_for=missing)
            except OSError as error:
                self._say_once("beat", NoBeat(generation=generation, error=str(error)))

    def _give_up(self, generation: int, missing: tuple[str, ...]) -> NoReturn:
        waited = f"{self.timeout.timeout_s:g} s"
        if self._offer is not None and isinstance(self._refused_offer, OSError):
            with atomic.storage_errors(f"publish gen-{generation}, tried for {waited}"):
                raise self._refused_offer
        if self._offer is not None:
            raise StorageError(f"cannot publish gen-{generation}, tried for {waited}: {self._refused_offer}")
        raise LockstepTimeoutError(
            f"{self.island} waited {waited} for {named(missing)} gen-{generation}; start whoever of them does not "
            f"run, then run the same command again (--lockstep-timeout-s sets how long to wait)"
        )

    def _say_once(self, key: object, event: Event, *, text: str = "") -> None:
        """Note an event of this wait in the ledger, unless it has been: whoever waits meets it at every look."""
        if key not in self._said:
            self._said.add(key)
            self.ledger.note(event, text=text)


def first_lost(pool: OpenPool, island: str, generations: Iterable[int]) -> int | None:
    """Return the first of these generations whose publication by an island has gone or is damaged, or None.

    A batch that cannot be read just now, or that is somebody else's, is not lost: making it again would not help.
    """
    for generation in generations:
        try:
            pool.read(island, generation)
        except VanishedError:
            return generation
        except RefusedError as error:
            if error.reason in BROKEN:
                return generation
    return None
