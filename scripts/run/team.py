"""Run one island as a member of a team: own it if nobody does, else score shares for its owner, until it is over.

Whoever owns the island lives it as one process does. If the owner ends, another member takes the island over from its
newest checkpoint; what was scored since lies in files, so no genome is scored again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from atoll.evo import checkpoint, runlog
from atoll.evo.config import is_built_in
from atoll.evo.errors import SIGNALS, FencedError, OwnerConflictError, ResumeError, TaskError, count
from atoll.evo.recorder import recorded_settings
from atoll.evo.records import Start, of_kind
from atoll.evo.tasks.check import (
    BROKEN,
    NOTE,
    SLOW_S,
    again,
    another_process,
    first_sample,
    neighbours,
    score_elsewhere,
)
from atoll.evo.tasks.task import build_of
from atoll.evo.turns import take_turns
from atoll.migration.pool import epochs
from atoll.migration.team.files import TeamFiles
from atoll.migration.team.member import Ending, Member
from atoll.scripts.run import resume
from atoll.scripts.run.island import live, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from atoll.evo.config import IslandConfig
    from atoll.evo.genome import Floats
    from atoll.evo.paths import IslandPaths
    from atoll.evo.signals import StopSignal
    from atoll.evo.tasks.check import Verdict
    from atoll.evo.tasks.task import Task
    from atoll.evo.turns import Evaluate, Request
    from atoll.migration.team.member import Team
    from atoll.scripts.run.island import Command, Display, Prepared

LOOK_FOR_OWNER_S = 0.2
SILENT_AFTER_S, SILENT_AFTER_SHARES, SILENT_UNKNOWN_S = 30.0, 10.0, 600.0
"""An owner is given up that shows no sign for so many times the longest share, and for so many seconds at least."""


def run_team(config: IslandConfig, command: Command, team: Team, *, display: Display, stop: StopSignal) -> int:
    """Live an island as one of several processes; see `atoll.scripts.run.island.live` for the rest.

    Returns:
        The exit code: 0, or 128 plus the number of the signal that ended this member early.
    """
    load = resume.load_once(say=display.say, is_stopping=stop)
    paths = command.shared.island(config.island)
    files = TeamFiles(paths.home)
    member = Member(files, team, say=display.say, check_owner=lambda: _check_owner(paths, member), is_stopping=stop)
    display = _EachLineOnce(display)
    while True:
        try:
            life = live(config, command, load=load, display=display, stop=stop)
            evaluate = _after_trial(member.evaluate, config, command, say=display.say)
            code = take_turns({config.island: life}, is_stopping=stop, evaluate=evaluate)[config.island]
        except (OwnerConflictError, FencedError):
            pass
        else:
            if not code:
                member.end()
            return _leave(member, display, code)
        prepared = prepare(config, command, load=load, say=lambda _: None)
        display.say(f"{member.name} scores for {config.island}, which another member owns")
        stop.answer = lambda: f"{member.name}: leaving after this share; a second signal ends it at once"
        watch = _Watch(paths, files, member)
        check = partial(_check_agrees, prepared, paths)
        try:
            ending = member.help(prepared.task, is_ownerless=watch.is_ownerless, check=check)
        except TaskError:
            if not stop():  # else the signal has also ended what the task had started
                raise
            ending = Ending.STOPPED
        if ending is Ending.STOPPED:
            return _leave(member, display, SIGNALS + stop.received)
        epoch = epochs.latest(paths)
        if ending is Ending.OVER and epoch and epoch.target >= prepared.config.generations:
            return _leave(member, display, 0)
        command = replace(command, is_fresh=False, is_owner_silent=watch.is_silent)


class _EachLineOnce:
    """A display that says nothing twice: a member may try to own the island more than once."""

    def __init__(self, display: Display) -> None:
        self._said: set[str] = set()
        self._display = display
        self.begin, self.generation, self.migration = display.begin, display.generation, display.migration

    def say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._display.say(text)


def _after_trial(evaluate: Evaluate, config: IslandConfig, command: Command, *, say: Callable[[str], None]) -> Evaluate:
    """Return what evaluates, and first tries whether a team can share the task: once, of an island that begins.

    Atoll's own tasks are known to be reproducible, and what has a checkpoint was tried before.
    """
    is_tried = is_built_in(config.task)

    def tried_once(asked: Request) -> Floats:
        nonlocal is_tried
        if not is_tried and not checkpoint.kept(command.shared.island(config.island)):
            elsewhere = partial(
                score_elsewhere, config.task, dict(config.options), config.backend, directory=command.here
            )
            for verdict in _trial(asked.task, elsewhere=elsewhere):
                _judge(verdict, config.task, say=say)
        is_tried = True
        return evaluate(asked)

    return tried_once


def _trial(task: Task, *, elsewhere: Callable[[int, int], Floats]) -> Iterator[Verdict]:
    """Try what a team relies on: a genome scores the same again, in any share, and, unless that is slow, elsewhere."""
    sample = first_sample(task)
    yield again(sample)
    yield neighbours(sample)
    if sample.seconds * len(sample.genes) < SLOW_S:
        yield another_process(sample, elsewhere=elsewhere)


def _judge(verdict: Verdict, task: str, *, say: Callable[[str], None]) -> None:
    """Raise TaskError where a team cannot share the task; say where its result may differ in the last digits."""
    if verdict.outcome == BROKEN:
        raise TaskError(f"a team cannot share {task}: {verdict.says}; {verdict.advice}")
    if verdict.outcome == NOTE:
        say(f"warning: {verdict.says}; so a team may end elsewhere than one process does")


def _leave(member: Member, display: Display, code: int) -> int:
    member.leave()
    done = member.presence
    display.say(
        f"{member.name} scored {count(done.genomes, 'genome')} in {count(done.shares, 'share')}, and waited "
        f"{done.waited_s:.1f} s"
    )
    return code


def _check_agrees(prepared: Prepared, paths: IslandPaths) -> None:
    """Make sure that this process computes what the owner does, by what that logged of its start.

    Raises:
        ResumeError: It has other settings, another task's or algorithm's source, or another evaluator.
    """
    start = of_kind(runlog.read_last(paths.log).get("start"), Start)
    if start is None or start.settings is None:
        raise ResumeError(f"{paths.log} does not say how {paths.name} was started; start its owner again")
    task, own = prepared.task, prepared.own
    checkpoint.compare_settings(start.settings, start.backend or "", recorded_settings(prepared.config, task))
    there = {
        "evaluator": f"{start.backend} ({start.build})",
        "algorithm's file": start.algorithm,
    }
    here = {
        "evaluator": f"{task.backend} ({build_of(task)})",
        "algorithm's file": own.build if own else None,
    }
    for what, value in here.items():
        if value != there[what]:
            raise ResumeError(
                f"cannot score for {paths.name}: the {what} is {value} here, and {there[what]} where its owner runs; "
                f"give all members of a team the same"
            )


def _check_owner(paths: IslandPaths, member: Member) -> None:
    """Raise FencedError if another process has taken the island over, as far as can be known now."""
    newest, here = epochs.latest(paths), member.holder
    if newest and (newest.host, newest.boot_id, newest.pid) != (here.host, here.boot_id, here.pid):
        raise FencedError(f"island {paths.name} was taken over by {epochs.describe(newest)}")


@dataclass
class _Watch:
    """A watch over the owner of an island: has it ended, or shown no sign for too long?"""

    paths: IslandPaths
    files: TeamFiles
    member: Member
    is_silent: bool = False
    looked_s: float = field(default_factory=time.monotonic)
    changed_s: float = field(default_factory=time.monotonic)
    seen: object = None

    def is_ownerless(self) -> bool:
        """Say whether somebody else is to own the island, as far as can be known here."""
        now_s = time.monotonic()
        if now_s - self.looked_s < LOOK_FOR_OWNER_S:
            return False
        self.looked_s = now_s
        epoch = epochs.latest(self.paths)
        if epoch is None or epochs.is_alive(epoch) is False:
            return True
        owner = next((each for each in self.files.members() if (each.host, each.pid) == (epoch.host, epoch.pid)), None)
        seen = (epoch.number, self.files.now(), owner and owner.shares, self._generation(), self._beat())
        if seen != self.seen:
            self.seen, self.changed_s = seen, now_s
        longest_s = self.member.longest_share_s
        patience_s = SILENT_UNKNOWN_S if longest_s is None else max(SILENT_AFTER_S, SILENT_AFTER_SHARES * longest_s)
        self.is_silent = now_s - self.changed_s > patience_s
        return self.is_silent

    def _generation(self) -> object:
        """Return the last generation in the log: an owner that scores alone asks for nothing, and comes on."""
        return runlog.read_last(self.paths.log).get("generation", {}).get("generation")

    def _beat(self) -> bytes:
        """Return the island's last beat: one that waits for others does nothing else."""
        try:
            return self.paths.beat.read_bytes()
        except OSError:
            return b""
