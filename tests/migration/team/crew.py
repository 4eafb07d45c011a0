"""Teams in one process: members by name, whose time passes only where somebody scores or waits."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from atoll.evo.turns import Request
from atoll.migration.team.files import TeamFiles
from atoll.migration.team.member import Member, Team, this_process
from tests.problems import MIXED, Hill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atoll.migration.team.member import Ending
    from atoll.migration.team.records import Holder

S = TypeVar("S", bound=Struct)
GENOME_S = 0.1
HANG_S = 600.0


def renamed(record: S, name: str) -> S:
    """Return what a process says of itself, as a member of another name."""
    return replace(record, member=name)


def dead_process() -> Holder:
    """Return a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    return replace(this_process(), member="dead", pid=ended.pid)


def asked_for(task: Hill, n: int = 12, generation: int = 3, seed: int = 0) -> Request:
    """Return what an island asks for."""
    return Request(task, MIXED.sample(np.random.default_rng(seed), n), generation, generation)


class Crew:
    """The members of a team that is asked for scores here.

    Attributes:
        now_s: The time of all members: `GENOME_S` pass for each genome that one scores, and what one waits.
        said: What people were told.
        waits: Called, in turn, whenever somebody waits.
    """

    def __init__(self, home: Path) -> None:
        self.files = TeamFiles(home)
        self.now_s = 0.0
        self.said: list[str] = []
        self.waits: list[Callable[[], object]] = []

    def member(self, name: str, members: int = 3, *, verify_share: float = 0.0, **others: Any) -> Member:
        """Return a member; while it waits, whatever is next in `waits` happens."""
        given = {"clock": lambda: self.now_s, "sleep": self.sleep, **others}
        member = Member(self.files, Team(members, verify_share), say=self.said.append, **given)
        member.place = 0
        member.holder, member.presence = renamed(member.holder, name), renamed(member.presence, name)
        return member

    def helper(self, name: str = "helper") -> Member:
        """Return a member that stops as soon as it would have to wait."""
        waited: list[float] = []
        return self.member(name, is_stopping=lambda: bool(waited), sleep=waited.append)

    def spend(self, time_s: float) -> None:
        self.now_s += time_s
        assert self.now_s < HANG_S, "this never ends"

    def sleep(self, wait_s: float) -> None:
        self.spend(wait_s)
        if self.waits:
            self.waits.pop(0)()

    def task(self, kind: type[Hill] = Hill, meanwhile: Callable[[], object] = lambda: None) -> Hill:
        """Return a task that takes time; during its first call something else happens."""
        happening = [meanwhile]

        def evaluate(genes: Any, episode: int) -> Any:
            if happening:
                happening.pop()()
            self.spend(GENOME_S * len(genes))
            return kind.evaluate(task, genes, episode)

        task = kind()
        task.evaluate = evaluate  # type: ignore[method-assign]
        return task

    @property
    def request(self) -> str:
        """The name of what is asked for now."""
        return self.files.now().request


def helps(member: Member, task: Hill) -> Ending:
    """Let a member help as long as there is something to do."""
    return member.help(task, is_ownerless=lambda: True, check=lambda: None)
