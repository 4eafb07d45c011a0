"""Team of an island: its members, what each does now, and who scored what in all; from the team's files alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from atoll.migration.observe.history import whole_lines
from atoll.migration.pool import epochs
from atoll.migration.team.presence import read_last, read_members
from atoll.migration.team.records import Scored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.paths import IslandPaths
    from atoll.migration.pool.epochs import Epoch
    from atoll.migration.team.records import Presence

ALIVE, LEFT, GONE, ELSEWHERE = "alive", "left", "gone", "elsewhere"


@dataclass(frozen=True)
class MemberStatus:
    """Status of one member of an island's team, as it says itself: at most some seconds ago.

    Attributes:
        condition: alive, left (it ended by itself), gone (it was killed, or failed) or elsewhere (on another host or in
            another pid namespace, where nobody here can know).
        is_owner: It is the process that lives the island, or did so last.
        last: Genomes that it scored of the team's last request; None if nobody says.
        evaluate_s: Seconds in which it scored, as `waited_s` are those in which it had no share to score.
        taken_over: Shares that another had claimed before, and had not scored in time.
        checked: Shares that it scored to check another.
        duplicates: Shares whose scores were there when it had them too.
    """

    name: str
    condition: str
    is_owner: bool
    shares: int
    genomes: int
    last: int | None
    evaluate_s: float
    waited_s: float
    taken_over: int
    checked: int
    duplicates: int


def read_team(paths: IslandPaths, epoch: Epoch | None) -> tuple[MemberStatus, ...]:
    """Return the members of an island's team: those alive, elsewhere, gone, and those that left; each by name."""
    try:
        members = read_members(paths)
        last = read_last(paths) if members else None
    except OSError:  # whoever may not read what the team says sees the island alone
        return ()
    rows = [_member(each, epoch, last.by if last else None) for each in members]
    order = (ALIVE, ELSEWHERE, GONE, LEFT)
    return tuple(sorted(rows, key=lambda row: (order.index(row.condition), row.name)))


def _member(presence: Presence, epoch: Epoch | None, by: Mapping[str, int] | None) -> MemberStatus:
    alive = {None: ELSEWHERE, True: ALIVE, False: GONE}
    return MemberStatus(
        name=presence.member,
        condition=LEFT if presence.has_left else alive[epochs.is_alive(presence)],
        is_owner=epoch is not None
        and (presence.host, presence.boot_id, presence.pid) == (epoch.host, epoch.boot_id, epoch.pid),
        shares=presence.shares,
        genomes=presence.genomes,
        last=None if by is None else by.get(presence.member, 0),
        evaluate_s=presence.evaluate_s,
        waited_s=presence.waited_s,
        taken_over=presence.taken_over,
        checked=presence.checked,
        duplicates=presence.duplicates,
    )


@dataclass(frozen=True)
class Work:
    """What a team has scored since it first was one, by its log; what was lived again counts again.

    Attributes:
        requests: How often it was asked for scores: once a generation, and once for immigrants.
        genomes: How many each member scored.
        helped: To how many requests each of them contributed.
        wall_s: Seconds from asking to all scores, summed.
        taken_over: Shares that were claimed more than once, as `checked` are those that were scored twice.
        refused: Score files that were turned away.
        unreadable_lines: Lines of the log that are none.
    """

    requests: int
    genomes: Mapping[str, int]
    helped: Mapping[str, int]
    wall_s: float
    taken_over: int
    checked: int
    refused: int
    unreadable_lines: int


def read_work(paths: IslandPaths) -> Work | None:
    """Return what an island's team has scored, from its whole log; None if it has none."""
    lines = [_scored(line) for line in whole_lines(paths.team_log)]
    done = [line for line in lines if line is not None]
    genomes: Counter[str] = Counter()
    for line in done:
        genomes.update(line.by)
    work = Work(
        requests=len(done),
        genomes=dict(genomes),
        helped=Counter(name for line in done for name in line.by),
        wall_s=sum((line.time and line.time.evaluate_s) or 0.0 for line in done),
        taken_over=sum(line.taken_over for line in done),
        checked=sum(line.checked for line in done),
        refused=sum(line.refused for line in done),
        unreadable_lines=len(lines) - len(done),
    )
    return work if lines else None


def _scored(line: bytes) -> Scored | None:
    try:
        return msgspec.json.decode(line, type=Scored)
    except msgspec.DecodeError:
        return None
