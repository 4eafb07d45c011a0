"""Ledger of an island: every genome offered, imported or refused, in `ledger.jsonl` for programs, and for people.

One call writes `ledger.jsonl` and `migration.log`, so they never disagree.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from atoll.evo import atomic, runlog
from atoll.evo.errors import printable
from atoll.evo.records import Event, Start, Time, to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.paths import IslandPaths


class Ledger:
    """The migration record of one island.

    Args:
        paths: The island's files.
        observe: Called with each event's text.
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

    def start(self, start: Start) -> None:
        """Begin an epoch: later lines supersede what an earlier one wrote from this generation on."""
        with atomic.storage_errors("write the ledger"):
            atomic.make_directory(self._paths.home)
            atomic.truncate_torn_line(self._paths.ledger)
            atomic.truncate_torn_line(self._paths.migration_log)
        self.note(start)

    def note(self, *events: Event, text: str = "") -> None:
        """Record events, in their order; people are told `text` where that is more than the record says.

        Raises:
            StorageError: The file system refused.
        """
        if not events:
            return
        self._check_owner()
        now_s, name = self._clock(), self._paths.name
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now_s))
        told = [(event.generation, printable(text or str(event))) for event in events]
        records = [replace(event, island=name, time=Time(unix_s=now_s)) for event in events]
        lines = [f"{stamp}  {name}  gen {generation}  {shown}" for generation, shown in told]
        with atomic.storage_errors("write the ledger"):
            runlog.append_all(self._paths.ledger, map(to_json, records))
            atomic.append_lines(self._paths.migration_log, [line.encode(errors="replace") for line in lines])
        for generation, shown in told:
            self._observe(f"gen {generation}  {shown}")
