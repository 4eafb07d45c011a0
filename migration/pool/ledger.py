"""Every genome offered, imported or refused: `ledger.jsonl` for programs, `migration.log` for people.

One call writes both, so they never disagree.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic, runlog
from atoll.evo.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from atoll.evo.paths import IslandPaths
    from atoll.evo.runlog import Record


@dataclass(frozen=True)
class Event:
    """Something that happened to genomes between islands.

    Attributes:
        kind: What.
        text: The same for people.
        details: What a program wants to know of it.
    """

    kind: str
    text: str
    details: Mapping[str, Any]


class Ledger:
    """The migration record of one island.

    Args:
        paths: Whose.
        observe: Called with each event's text, for whoever is watching.
        check_owner: Called before anything is written; raises if the ledger is another process's by now.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        paths: IslandPaths,
        *,
        observe: Callable[[str], None] = lambda text: None,  # noqa: ARG005
        check_owner: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._paths = paths
        self._observe = observe
        self._check_owner = check_owner
        self._clock = clock

    def start(self, record: Record) -> None:
        """Begin an epoch: later lines supersede what an earlier one wrote from this generation on."""
        with atomic.storage_errors("write the ledger"):
            atomic.make_directory(self._paths.home)
            atomic.truncate_torn_line(self._paths.ledger)
            atomic.truncate_torn_line(self._paths.migration_log)
        self.note("start", f"epoch {record['epoch']} starts here", **record)

    def note(self, kind: str, text: str, *, generation: int, **details: Any) -> None:  # noqa: ANN401 - JSON
        """Record one event; see `note_all`."""
        self.note_all([Event(kind, text, details)], generation=generation)

    def note_all(self, events: Sequence[Event], *, generation: int) -> None:
        """Record events of one generation, in their order.

        Args:
            events: What happened.
            generation: When, on the island's clock.

        Raises:
            StorageError: The file system refused.
        """
        if not events:
            return
        self._check_owner()
        now_s = self._clock()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now_s))
        common = {"island": self._paths.name, "generation": generation}
        records = [{"kind": e.kind, **common, **e.details, "time": {"unix_s": now_s}} for e in events]
        lines = [printable(f"{stamp}  {self._paths.name}  gen {generation}  {e.text}") for e in events]
        with atomic.storage_errors("write the ledger"):
            runlog.append_all(self._paths.ledger, records)
            atomic.append_lines(self._paths.migration_log, [line.encode(errors="replace") for line in lines])
        for event in events:
            self._observe(f"gen {generation}  {printable(event.text)}")
