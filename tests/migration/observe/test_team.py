"""What a team's files tell: its members as they are now, and who scored what in all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import asdict

from atoll.evo.paths import SharedPaths
from atoll.evo.records import Time
from atoll.evo.tasks.loader import load_task
from atoll.migration.observe import status
from atoll.migration.observe.team import ALIVE, ELSEWHERE, GONE, LEFT, read_team, read_work
from atoll.migration.pool import epochs
from atoll.migration.team.files import TeamFiles
from atoll.migration.team.member import Member, Team, this_process
from atoll.migration.team.records import Presence, Scored
from tests.migration.observe.test_status import live

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.paths import IslandPaths


@pytest.fixture
def paths(tmp_path: Path) -> IslandPaths:
    """A living island that this process owns, as a member of a team."""
    paths = SharedPaths(tmp_path).island("a")
    live(paths, generation=3)
    show(paths)
    return paths


def show(paths: IslandPaths, **fields: object) -> None:
    TeamFiles(paths.home).show(Presence(**{**asdict(this_process()), "started_s": 1.0, **fields}))


def scored(generation: int, **by: int) -> Scored:
    return Scored(generation=generation, episode=0, genomes=sum(by.values()), by=by, time=Time(evaluate_s=2.0))


def test_an_island_without_a_team_is_told_of_as_ever(tmp_path: Path) -> None:
    live(SharedPaths(tmp_path).island("a"), generation=3)
    [row] = status.read_all(SharedPaths(tmp_path))
    assert row.team == ()
    assert "team" not in row.as_json()


def test_a_team_is_one_island_with_its_members(paths: IslandPaths, tmp_path: Path) -> None:
    show(paths, member="left", pid=1, has_left=True, genomes=7, shares=2)
    show(paths, member="gone", pid=2**30, taken_over=1)
    show(paths, member="elsewhere", host="far-away", waited_s=1.5)
    me = this_process().member
    TeamFiles(paths.home).note(scored(2, left=9))
    TeamFiles(paths.home).note(scored(3, **{me: 4, "elsewhere": 5}))
    [row] = status.read_all(SharedPaths(tmp_path))
    told = [(each.name, each.condition, each.last) for each in row.team]
    assert told == [(me, ALIVE, 4), ("elsewhere", ELSEWHERE, 5), ("gone", GONE, 0), ("left", LEFT, 0)]
    assert [each.name for each in row.team if each.is_owner] == [me]
    assert json.loads(json.dumps(row.as_json()))["team"][3]["genomes"] == 7


def test_who_owns_is_who_took_the_newest_epoch(paths: IslandPaths) -> None:
    show(paths, member="next", pid=2**30)
    newer = epochs.latest(paths)
    assert newer is not None
    [me, other] = read_team(paths, newer)
    assert (me.is_owner, other.is_owner) == (True, False)
    assert not any(each.is_owner for each in read_team(paths, None))


def test_what_is_no_presence_and_no_line_is_left_out(paths: IslandPaths) -> None:
    members = paths.home / "team" / "members"
    whole = next(members.iterdir()).read_bytes()
    (members / ".tmp-1").write_bytes(whole)
    (members / "half.json").write_bytes(whole[:20])
    (members / "pipe.json").mkdir()
    (members / "link.json").symlink_to("/etc/passwd")
    (paths.home / "team.jsonl").write_text('no json\n{"kind":"scored","generation":"x"}\n')
    [member] = read_team(paths, None)
    assert (member.name, member.last) == (this_process().member, None)
    work = read_work(paths)
    assert work is not None
    assert (work.requests, work.unreadable_lines) == (0, 2)


def test_a_team_that_may_not_be_read_hides_no_island(paths: IslandPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("atoll.migration.observe.team.read_members", refuse)
    row = status.read_island(paths)
    assert (row.condition, row.team) == ("running", ())


def test_what_a_team_scored_is_summed_over_all_its_log(paths: IslandPaths) -> None:
    assert read_work(paths) is None
    for line in (scored(0, x=3, y=2), scored(1, x=5), scored(1, x=1, y=4)):
        TeamFiles(paths.home).note(line)
    work = read_work(paths)
    assert work is not None
    assert work.genomes == {"x": 9, "y": 6}
    assert work.helped == {"x": 3, "y": 2}
    assert (work.requests, work.wall_s, work.unreadable_lines) == (3, 6.0, 0)


def test_a_look_reads_the_end_of_a_long_log_alone(paths: IslandPaths) -> None:
    me = this_process().member
    line = b'{"by":{"x":1},"episode":0,"generation":1,"genomes":1,"kind":"scored"}\n'
    with (paths.home / "team.jsonl").open("wb") as file:
        file.write(b"\0" * 2**20 + b"\n" + line * 2000)
    TeamFiles(paths.home).note(scored(9, **{me: 6}))
    [member] = read_team(paths, None)
    assert member.last == 6


def test_a_member_that_only_waits_is_seen_and_so_is_how_long(tmp_path: Path) -> None:
    now_s = [0.0]

    def sleep(seconds: float) -> None:
        now_s[0] += seconds

    paths = SharedPaths(tmp_path).island("a")
    member = Member(TeamFiles(paths.home), Team(2), say=print, clock=lambda: now_s[0], sleep=sleep)
    member.help(load_task("sphere", {}), is_ownerless=lambda: now_s[0] > 60.0, check=lambda: None)
    [seen] = read_team(paths, None)
    assert (seen.name, seen.shares) == (member.name, 0)
    assert 55.0 < seen.waited_s <= now_s[0]
