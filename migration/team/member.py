"""A member of a team: it scores shares of what the team is asked for, whoever asks.

One member owns the island at a time: it breeds, keeps the files and asks. All score, the owner too. A share is claimed
by a name that only one can create; a claim whose process has died, or that takes far longer than it should, is passed
over. To score a share twice wastes time and changes nothing: a score is a function of genome and episode.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
import psutil
from msgspec.structs import replace

from atoll.evo import atomic, checkpoint
from atoll.evo.errors import TaskError
from atoll.evo.records import Time
from atoll.evo.tasks.task import episode_name, score
from atoll.evo.turns import by_itself
from atoll.migration.pool import epochs
from atoll.migration.pool.bounded_io import RefusedError, VanishedError
from atoll.migration.team import shares as cutting
from atoll.migration.team.files import Listing, Scores, request_name
from atoll.migration.team.records import Holder, Now, Presence, Request, Scored
from atoll.migration.team.shares import Share

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from atoll.evo.genome import Floats
    from atoll.evo.tasks.task import Task
    from atoll.evo.turns import Request as Asked
    from atoll.migration.team.files import TeamFiles

WORTH_S = 0.01
"""Below that a generation is scored sooner by its owner alone than it is shared."""
LEAST_SHARE_S = 0.1
"""Smaller shares are not worth the balance that they bring: a batch of few genomes takes longer for each."""
SHORTEST_WAIT_S, LONGEST_WAIT_S, WAIT_SHARE = 0.0005, 0.25, 0.02
"""Whoever waits looks again after a part of the time that it has waited: so it comes late by no more than that part."""
LOOK_FOR_LOST_S, LOOK_FOR_LOST_AT_LEAST_S = 0.05, 1.0
"""All members together look for lost claims so often: each of many does so more rarely, but at least that often."""
PATIENCE_S, PATIENCE = 2.0, 3.0
"""A claim is passed over after so many seconds, and so many times what the share should take."""
SHOW_EVERY_S = 1.0


@dataclass(frozen=True)
class Team:
    """The settings of a team; they decide nothing about the results.

    Attributes:
        members: Processes to cut a generation for; fewer or more may come.
        verify_share: Part of the shares that are scored twice and compared.
    """

    members: int
    verify_share: float = 0.0


class Ending(Enum):
    """Why a member helps no longer."""

    OVER = auto()  # the island has reached its last generation
    STOPPED = auto()  # this process is to stop
    OWNERLESS = auto()  # the owner has gone, or may have


@dataclass
class _Round:
    """One request, as a member works on it."""

    name: str
    request: Request
    shares: list[Share]
    began_s: float
    since: dict[int, tuple[int, float]]  # share -> its newest claim, and since when that is known here
    mine: set[tuple[int, int]]  # first and end of the shares that this member has claimed
    looked_s: float  # when it looked for lost claims last
    waited_s: float = 0.0

    def is_own_check(self, n: int) -> bool:
        """Say whether a share is to check what this member has claimed itself."""
        share = self.shares[n]
        return share.copy > 0 and (share.first, share.end) in self.mine


class _AskedFor(NamedTuple):
    """A request by its name, with the hash of each share's genomes."""

    name: str
    request: Request
    hashes: list[str]


class _Collected(NamedTuple):
    """The scores of all shares; how many were refused; how many were there before anybody was asked."""

    scores: dict[int, Scores]
    refused: int
    found: int


class Member:
    """One process of a team.

    Args:
        files: The team's files.
        team: How many it is cut for, and how much is checked.
        say: Told in a line what people should know.
        check_owner: Called before this member asks as the owner, and while it waits for scores: raises FencedError if
            another owns the island now.
        is_stopping: True ends the help after the share that is being scored.
        clock: Seconds from anywhere; what is decided by it changes no result.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        files: TeamFiles,
        team: Team,
        *,
        say: Callable[[str], None],
        check_owner: Callable[[], None] = lambda: None,
        is_stopping: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._files, self._team, self._say = files, team, say
        self._check_owner, self._is_stopping, self._clock, self._sleep = check_owner, is_stopping, clock, sleep
        self.holder = this_process()
        self.place = self.holder.pid  # where it begins to look for a free share
        self.presence = Presence(**msgspec.structs.asdict(self.holder), started_s=time.time())
        self._before: Now | None = files.now()  # what an earlier run was asked for last, or why it was stopped
        self._shown_s = -np.inf
        self._genome_s: float | None = None  # what a genome took when some were scored last, on average
        self._longest_genome_s = 0.0
        self.longest_share_s: float | None = None
        self._is_told = False
        self._is_owner = False

    def evaluate(self, asked: Asked) -> Floats:
        """Score what the island asks for with the team, and return what one process would, float32 [P].

        Raises:
            TaskError: The task failed, or two members scored a genome differently.
            FencedError: Another member owns the island now.
            StorageError: The file system refused.
        """
        with atomic.storage_errors("share a generation among the team"):
            return self._evaluate(asked)

    def _evaluate(self, asked: Asked) -> Floats:
        task, genes = asked.task, asked.genes
        if self._genome_s is not None and self._genome_s * len(genes) < WORTH_S:
            self._tell_once()
            started_s = self._clock()
            fitness = by_itself(asked)
            self._genome_s = (self._clock() - started_s) / max(len(genes), 1)
            return fitness
        self._check_owner()
        if not self._is_owner:
            self._is_owner = True
            self._files.clear_leftovers()
        name, request, hashes = self._asked_before(asked) or self._new_request(asked)
        oldest = min(checkpoint.kept(self._files.paths), default=0)
        self._files.forget_before(oldest)  # an owner may live again what came after the oldest checkpoint that is kept
        self._files.open(name, request, genes)
        self._files.announce(Now(name))
        work = self._round(name, request)
        collected = self._collect(work, task, genes, hashes)
        self._check_copies(work, collected.scores)
        self._files.close(name)
        self._note(work, collected)
        return np.concatenate([collected.scores[n].fitness for n, share in enumerate(work.shares) if not share.copy])

    @property
    def name(self) -> str:
        """The member's name: its host and its process."""
        return self.holder.member

    def end(self) -> None:
        """Tell the others that the island has reached its last generation, and tidy up after who was killed at that."""
        self._files.clear_leftovers()
        self._files.announce(Now(is_over=True))

    def help(self, task: Task, *, is_ownerless: Callable[[], bool], check: Callable[[], None]) -> Ending:
        """Score shares of whatever the owner asks for, until there is a reason to end.

        Args:
            task: What scores.
            is_ownerless: Asked where there is nothing to do.
            check: Called before the first share is scored; raises if this member would compute something else.

        Raises:
            TaskError: The task failed here, or the team was stopped because two scores differed.
            OSError: The file system refused.
        """
        is_checked = False
        done, idle_since_s = "", self._clock()
        while not self._is_stopping():
            now = self._files.now()
            if now != self._before:
                self._before = None
                if now.stopped:
                    raise TaskError(now.stopped)
                if now.is_over:
                    return Ending.OVER
            request = self._files.read_request(now.request) if now.request != done else None
            if request and not is_checked:
                check()
                is_checked = True
            if request and request.genes == task.spec.size:
                work = self._round(now.request, request)
                self._finish(work, task)
                self._add(waited_s=work.waited_s)
                done, idle_since_s = now.request, self._clock()
            elif is_ownerless():
                return Ending.OWNERLESS
            else:
                self._add(waited_s=self._wait(idle_since_s))
        return Ending.STOPPED

    def leave(self) -> None:
        """Say that this member ends by itself."""
        self.presence = replace(self.presence, has_left=True)
        self._files.show(self.presence)

    def _asked_before(self, asked: Asked) -> _AskedFor | None:
        """Return the same request that an earlier owner made, however that cut it; None if there is none."""
        for name in self._files.requests_of(asked.generation):
            request = self._files.read_request(name)
            if request and (request.episode, request.genomes) == (asked.episode, len(asked.genes)):
                shares = [Share(*cut) for cut in request.shares]
                found, hashes = _named(asked, shares)
                if found == name:
                    return _AskedFor(name, request, [hashes[share.first, share.end] for share in shares])
        return None

    def _new_request(self, asked: Asked) -> _AskedFor:
        """Cut a request by what a genome takes; of shares that take less than `LEAST_SHARE_S`, each gets one."""
        n, size = asked.genes.shape
        least = n if self._genome_s is None else math.ceil(LEAST_SHARE_S / max(self._genome_s, 1e-9))
        cut = cutting.cut(n, self._team.members, least=least)
        name, hashes = _named(asked, cut)
        shares = cutting.with_checks(cut, key=name.encode(), rate=self._team.verify_share)
        rows = [(share.first, share.end, share.copy) for share in shares]
        request = Request(asked.generation, asked.episode, genomes=n, genes=size, shares=rows)
        return _AskedFor(name, request, [hashes[share.first, share.end] for share in shares])

    def _collect(self, work: _Round, task: Task, genes: Floats, hashes: list[str]) -> _Collected:
        """Return the scores of all shares, and score those that nobody else does."""
        scores: dict[int, Scores] = {}
        refused, found, again = 0, None, set[int]()
        idle_since_s = self._clock()
        while True:
            n_before = len(scores)
            listing = self._files.look(work.name, len(work.shares))
            for n in sorted(listing.scored - scores.keys()):
                try:
                    scores[n] = self._files.read_scores(work.name, n, n=work.shares[n].n, rows_sha256=hashes[n])
                except RefusedError as error:
                    self._say(f"scores of share {n} of {work.name} were refused, and it is scored again: {error}")
                    self._files.drop_scores(work.name, n)
                    refused += 1
                    again.add(n)
                except VanishedError:
                    continue
            found = len(scores) if found is None else found
            if len(scores) == len(work.shares):
                return _Collected(scores, refused, found)
            if self._is_stopping():  # nothing is lost: what is scored lies in files, for whoever goes on
                raise TaskError(f"{self.name} stopped while its team was scoring")
            index = self._claim(work, Listing(frozenset(scores), listing.claims), again=again)
            if index is not None:
                again.discard(index)
                share = work.shares[index]
                self._score(work, task, index, genes[share.first : share.end], rows_sha256=hashes[index])
            elif len(scores) == n_before:
                self._check_owner()  # who does own it may have put away what is waited for
                work.waited_s += self._wait(idle_since_s)
                continue
            idle_since_s = self._clock()

    def _finish(self, work: _Round, task: Task) -> None:
        """Score shares until all have scores, or something else is asked for."""
        idle_since_s = self._clock()
        while not self._is_stopping():
            listing = self._files.look(work.name, len(work.shares))
            if len(listing.scored) == len(work.shares):
                return
            index = self._claim(work, listing)
            if index is None:
                if not self._is_still_asked(work, idle_since_s):
                    return
                continue
            rows = self._files.read_rows(work.name, work.shares[index], task.spec.size)
            if rows is None:
                return
            self._score(work, task, index, rows, rows_sha256=cutting.rows_sha256(rows, Share(0, len(rows))))
            idle_since_s = self._clock()

    def _is_still_asked(self, work: _Round, idle_since_s: float) -> bool:
        """Wait until it is time to look for lost claims; False as soon as something else is asked for.

        What is asked for is one small file; to list a request's folder takes several times as long.
        """
        while self._clock() - work.looked_s < self._look_every_s and not self._is_stopping():
            work.waited_s += self._wait(idle_since_s)
            if self._files.now().request != work.name:
                return False
        return True

    def _claim(self, work: _Round, listing: Listing, *, again: AbstractSet[int] = frozenset()) -> int | None:
        """Claim a share that has no scores: a free one, else one whose claimant has died or is far too slow."""
        missing = [n for n in range(len(work.shares)) if n not in listing.scored]
        free = [n for n in missing if n not in listing.claims or n in again]
        for n in cutting.from_own_place(free, self._team.members, place=self.place):
            if work.is_own_check(n) and not self._has_waited_for(work, n, 0):
                continue  # another member should check what this one scored, if one comes
            if self._try_to_claim(work, n, listing.claims.get(n, 0) + 1):
                return n
        if self._clock() - work.looked_s < self._look_every_s:
            return None
        work.looked_s = self._clock()
        for n in missing:
            nth = listing.claims.get(n, 0)
            if nth and n not in again and self._is_lost(work, n, nth) and self._try_to_claim(work, n, nth + 1):
                return n
        return None

    def _round(self, name: str, request: Request) -> _Round:
        now_s = self._clock()
        return _Round(name, request, [Share(*cut) for cut in request.shares], now_s, {}, set(), looked_s=now_s)

    @property
    def _look_every_s(self) -> float:
        return min(LOOK_FOR_LOST_S * self._team.members, LOOK_FOR_LOST_AT_LEAST_S)

    def _try_to_claim(self, work: _Round, n: int, nth: int) -> bool:
        if not self._files.claim(work.name, n, nth, self.holder):
            return False
        share = work.shares[n]
        work.mine.add((share.first, share.end))
        self._count(taken_over=nth > 1, checked=bool(share.copy))
        return True

    def _is_lost(self, work: _Round, n: int, nth: int) -> bool:
        """Say whether the newest claim of a share will not be honoured: its process died, or its time is long up."""
        if self._has_waited_for(work, n, nth):
            return True
        claimant = self._files.claimant(work.name, n, nth)
        return claimant is not None and epochs.is_alive(claimant) is False

    def _has_waited_for(self, work: _Round, n: int, nth: int) -> bool:
        """Say whether a claim is known here for longer than the share should take, by far."""
        known, since_s = work.since.get(n, (-1, 0.0))
        if known != nth:
            work.since[n] = nth, self._clock()
            return False
        expected_s = PATIENCE * self._longest_genome_s * work.shares[n].n
        return self._clock() - since_s > max(PATIENCE_S, expected_s)

    def _score(self, work: _Round, task: Task, n: int, rows: Floats, *, rows_sha256: str) -> None:
        share = work.shares[n]
        started_s = self._clock()
        fitness = score(task, rows, episode=work.request.episode)
        evaluate_s = self._clock() - started_s
        is_first = self._files.put_scores(work.name, n, Scores(fitness, self.holder.member, rows_sha256))
        self._genome_s = evaluate_s / share.n  # not the longest: a first call often takes far longer than all others
        self._longest_genome_s = max(self._longest_genome_s, self._genome_s)
        self.longest_share_s = max(self.longest_share_s or 0.0, evaluate_s)
        self._count(shares=1, genomes=share.n, evaluate_s=evaluate_s, duplicates=not is_first)

    def _check_copies(self, work: _Round, scores: dict[int, Scores]) -> None:
        """Hold what was scored twice against each other; a difference stops the team."""
        first = {(share.first, share.end): n for n, share in enumerate(work.shares) if not share.copy}
        for n, share in enumerate(work.shares):
            original = first[share.first, share.end]
            one, other = scores[original], scores[n]
            wrong = np.flatnonzero(one.fitness.view(np.uint32) != other.fitness.view(np.uint32))
            if not len(wrong):
                continue
            i = int(wrong[0])
            text = (
                f"two members scored genome {share.first + i} of {episode_name(work.request.episode)} differently: "
                f"{one.member} {float(one.fitness[i])!r}, {other.member} {float(other.fitness[i])!r} ({len(wrong)} of "
                f"{share.n} differ); the team stops, and nothing of this generation is kept: 'cli.py tasks check' "
                f"says whether the task is deterministic, else leave out the member that is wrong"
            )
            self._files.forget_before(math.inf)  # who is wrong once is not trusted with other shares
            self._files.announce(Now(stopped=text))
            raise TaskError(text)

    def _note(self, work: _Round, collected: _Collected) -> None:
        by: dict[str, int] = {}
        for n, each in collected.scores.items():
            by[each.member] = by.get(each.member, 0) + work.shares[n].n
        claims = self._files.look(work.name, len(work.shares)).claims
        wall_s = self._clock() - work.began_s
        self._add(waited_s=work.waited_s)
        self._files.note(
            Scored(
                generation=work.request.generation,
                episode=work.request.episode,
                genomes=work.request.genomes,
                by=dict(sorted(by.items())),
                taken_over=sum(nth > 1 for nth in claims.values()),
                checked=sum(bool(share.copy) for share in work.shares),
                refused=collected.refused,
                found=collected.found,
                waited_s=round(work.waited_s, 6),
                time=Time(unix_s=time.time(), evaluate_s=round(wall_s, 6)),
            )
        )

    def _tell_once(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._say(
                f"a generation takes less than {1000 * WORTH_S:.0f} ms to evaluate: a team is not worth it, so the "
                f"owner scores alone, and other members wait"
            )

    def _wait(self, since_s: float) -> float:
        """Wait a little before looking again, longer the longer one waits; return the seconds."""
        before_s = self._clock()
        self._sleep(min(max(WAIT_SHARE * (before_s - since_s), SHORTEST_WAIT_S), LONGEST_WAIT_S))
        return self._clock() - before_s

    def _add(self, *, waited_s: float) -> None:
        self.presence = replace(self.presence, waited_s=self.presence.waited_s + waited_s)
        self._show()

    def _show(self) -> None:
        """Let others see what this member has done, if they have not just seen it."""
        if self._clock() - self._shown_s > SHOW_EVERY_S:
            self._shown_s = self._clock()
            self._files.show(self.presence)

    def _count(
        self,
        *,
        shares: int = 0,
        genomes: int = 0,
        evaluate_s: float = 0.0,
        taken_over: bool = False,
        checked: bool = False,
        duplicates: bool = False,
    ) -> None:
        before = self.presence
        self.presence = replace(
            before,
            shares=before.shares + shares,
            genomes=before.genomes + genomes,
            evaluate_s=before.evaluate_s + evaluate_s,
            taken_over=before.taken_over + taken_over,
            checked=before.checked + checked,
            duplicates=before.duplicates + duplicates,
        )
        self._show()


def _named(asked: Asked, shares: list[Share]) -> tuple[str, dict[tuple[int, int], str]]:
    """Return the name of a request that is cut so, and the hash of each share's genomes, by their places."""
    hashes = {(share.first, share.end): cutting.rows_sha256(asked.genes, share) for share in shares if not share.copy}
    key = cutting.request_key(list(hashes.values()), episode=asked.episode)
    return request_name(asked.generation, key), hashes


def this_process() -> Holder:
    """Return this process as its host knows it, and a name for it as a member."""
    host, pid = epochs.this_place(), os.getpid()
    return Holder(
        member=f"{host.partition(epochs.NAMESPACE_MARK)[0]}-{pid}",
        host=host,
        boot_id=epochs.boot_id(),
        pid=pid,
        process_started_s=psutil.Process().create_time(),
    )
