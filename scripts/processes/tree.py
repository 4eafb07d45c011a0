"""A process and all that came of it: who belongs to it, and how much processor time it has taken in all."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from atoll.scripts.processes import proc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from atoll.scripts.processes.proc import Process

MARKER = "ATOLL_COMPARE_RUN"
"""An environment variable that marks a tree: whoever inherits the root's value belongs to it, wherever it went."""
KERNEL = frozenset({0, 2})
"""Parents of the kernel's own threads, which have no environment."""


class Tree:
    """All processes of a tree; whoever was seen once stays known, also after it was given another parent.

    A new process belongs to the tree if its parent does, or the leader of its session, or if it inherited the mark.

    Args:
        root: The pid of the first.

    Attributes:
        present: Those that were there at the last look, by pid; some may have ended and wait to be waited for.
        ended: Those that are gone, as they were last seen.
    """

    def __init__(self, root: int) -> None:
        self.root = root
        self.present: dict[int, Process] = {}
        self.ended: list[Process] = []
        self._environment: dict[str, str] = {}
        self._strangers: set[int] = set()

    @property
    def living(self) -> list[Process]:
        """Those that could still run at the last look."""
        return [process for process in self.present.values() if process.is_alive]

    @property
    def has_root(self) -> bool:
        """Whether the first one could."""
        return any(process.pid == self.root for process in self.living)

    @property
    def cpu_s(self) -> float:
        """Processor time of the whole tree, from the beginning of each of its processes."""
        return total_cpu_s(self.present.values(), self.ended)

    def look(self) -> None:
        """Look at every known process, and at every one that is new on this machine."""
        listed = set(proc.pids())
        self._strangers &= listed
        again = {pid: found for pid in self.present if (found := proc.read_process(pid))}
        same = {pid: now for pid, now in again.items() if now.started == self.present[pid].started}
        self.ended += [before for pid, before in self.present.items() if pid not in same]
        unknown = listed - same.keys() - self._strangers
        new = {pid: found for pid in unknown if (found := proc.read_process(pid))}
        members = {self.root, *same, *(process.pid for process in self.ended)}
        marked, undecided = self._marked(new)
        joined = joining(new, members, marked)
        self._strangers |= new.keys() - joined - undecided
        self.present = same | {pid: new[pid] for pid in joined}

    def _marked(self, new: Mapping[int, Process]) -> tuple[set[int], set[int]]:
        """Return who has the mark, and who cannot be told yet: while a program is loaded, its environment is empty."""
        self._environment = self._environment or proc.read_environment(self.root) or {}
        mark = self._environment.get(MARKER)
        if mark is None:
            return set(), set()
        found = {pid: proc.read_environment(pid) for pid, process in new.items() if process.parent not in KERNEL}
        marked = {pid for pid, environment in found.items() if environment and environment.get(MARKER) == mark}
        return marked, {pid for pid, environment in found.items() if environment == {} and new[pid].is_alive}


def joining(new: Mapping[int, Process], members: Iterable[int], marked: Iterable[int]) -> set[int]:
    """Return which of the new processes belong to the members, directly or through one another."""
    members = set(members)
    joined = new.keys() & (members | set(marked))
    while more := {pid for pid in new.keys() - joined if {new[pid].parent, new[pid].session} & (members | joined)}:
        joined |= more
    return joined


def total_cpu_s(present: Iterable[Process], ended: Iterable[Process]) -> float:
    """Return the processor time of all, counting nobody twice.

    One that is gone has its last figures; what it used after that look is in its parent's `waited_s`, and so is all of
    a child that came and went between two looks. So every process counts with what it used itself, and with the part
    of `waited_s` that none of its known children explains.
    """
    ended = list(ended)
    explained: defaultdict[int, float] = defaultdict(float)
    for child in ended:
        explained[child.parent] += child.own_s + child.waited_s
    return sum(each.own_s + max(0.0, each.waited_s - explained[each.pid]) for each in [*present, *ended])
