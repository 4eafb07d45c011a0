"""What an examination found: collected within bounds, since a hostile pool may hold more defects than memory does."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MAX_KEPT = 10_000
DEFAULT_LIMIT_S = 600.0


@dataclass(frozen=True)
class Defect:
    """Something that does not belong where it is, or is not intact.

    Attributes:
        path: Where.
        reason: Why.
        byte: From which byte of the file on; None where that is not known.
    """

    path: str
    reason: str
    byte: int | None = None


@dataclass(frozen=True)
class Findings:
    """What was read.

    Attributes:
        counts: How many islands, batches, genomes, starts and private files are in order.
        defects: What is not; the first 10,000.
        leftovers: What is half written or half removed, as a running or killed process leaves it; the first 10,000.
        more: How many defects and leftovers there are beyond those.
        left_out: What was not read, and why.
    """

    counts: Mapping[str, int]
    defects: tuple[Defect, ...]
    leftovers: tuple[str, ...]
    more: int
    left_out: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """All was read, and all is in order."""
        return not (self.defects or self.more or self.left_out)


class OutOfTimeError(Exception):
    """The time for an examination is over."""


class Report:
    """Collects findings.

    Args:
        limit_s: When to stop.
        clock: Seconds that never jump.
    """

    def __init__(self, *, limit_s: float = DEFAULT_LIMIT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit_s = limit_s
        self._clock = clock
        self._deadline_s = clock() + limit_s
        self._counts: Counter[str] = Counter()
        self._defects: list[Defect] = []
        self._leftovers: list[str] = []
        self._left_out: list[str] = []
        self._more = 0

    def check_time(self) -> None:
        """Make sure that there is time for one more file.

        Raises:
            OutOfTimeError: There is none.
        """
        if self._clock() > self._deadline_s:
            raise OutOfTimeError

    def count(self, what: str, n: int = 1) -> None:
        """Note that something is in order."""
        self._counts[what] += n

    def defect(self, path: Path, reason: str, *, byte: int | None = None) -> None:
        """Note that something is not."""
        if len(self._defects) < MAX_KEPT:
            self._defects.append(Defect(str(path), reason, byte))
        else:
            self._more += 1

    def leftover(self, path: Path) -> None:
        """Note something that its owner's next start removes or mends."""
        if len(self._leftovers) < MAX_KEPT:
            self._leftovers.append(str(path))
        else:
            self._more += 1

    def leave_out(self, what: str) -> None:
        """Note that something was not read."""
        self._left_out.append(what)

    def findings(self) -> Findings:
        """Return all that was noted."""
        names = ("islands", "batches", "genomes", "starts", "private_files")
        counts = {name: self._counts[name] for name in names}
        return Findings(counts, tuple(self._defects), tuple(self._leftovers), self._more, tuple(self._left_out))
