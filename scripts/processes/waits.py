"""How long threads ran and waited to run, added up over all of them, those that ended included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from atoll.scripts.processes.proc import Thread


@dataclass(frozen=True, slots=True)
class Sums:
    """Of several threads: time on a processor, time in the queue for one, switches by themselves and by force."""

    run_s: float = 0.0
    wait_s: float = 0.0
    voluntary: int = 0
    involuntary: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.run_s + other.run_s,
            self.wait_s + other.wait_s,
            self.voluntary + other.voluntary,
            self.involuntary + other.involuntary,
        )

    def __sub__(self, other: Sums) -> Sums:
        return Sums(
            self.run_s - other.run_s,
            self.wait_s - other.wait_s,
            self.voluntary - other.voluntary,
            self.involuntary - other.involuntary,
        )

    @property
    def wait_share(self) -> float:
        """Of the time in which threads could have run, the part in which they waited for a processor."""
        able_s = self.run_s + self.wait_s
        return self.wait_s / able_s if able_s > 0 else 0.0


def add_up(threads: Iterable[Thread]) -> Sums:
    """Return the sums of some threads."""
    return sum((Sums(each.run_s, each.wait_s, each.voluntary, each.involuntary) for each in threads), Sums())


class Waits:
    """Sums over looks: a thread that is gone, or began anew under its number, keeps its last figures."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, int], Thread] = {}
        self._ended = Sums()

    @property
    def sums(self) -> Sums:
        """All threads ever seen, from the beginning of each."""
        return self._ended + add_up(self._last.values())

    def add(self, threads: Mapping[int, Iterable[Thread]]) -> None:
        """Take a look at the threads of each process, by pid."""
        now = {(pid, each.tid): each for pid, of_one in threads.items() for each in of_one}
        gone = [last for key, last in self._last.items() if key not in now or now[key].run_s < last.run_s]
        self._ended += add_up(gone)
        self._last = now
