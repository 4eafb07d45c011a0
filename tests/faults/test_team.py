"""Laws of a team's files where two do the same at once, and where what one sees is old."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from atoll.evo import atomic, runlog
from atoll.evo.errors import FencedError, StorageError
from atoll.evo.paths import REQUEST
from atoll.migration.pool import bounded_io
from atoll.migration.team.files import TeamFiles
from atoll.migration.team.member import Member, Team, this_process
from atoll.migration.team.records import Now
from atoll.scripts.run import team as teams
from tests.faults.operations import ASKED, EXPECTED, TeamShare
from tests.faults.test_listing import Lag
from tests.faults.world import World


@pytest.fixture
def files(tmp_path):
    """A team's files, with a request of two shares in them."""
    world = World(tmp_path / "world")
    TeamShare().prepare(world)
    return TeamFiles(world.a.home)


def member_of(files, **how):
    """Return a member that waits for nothing: its clock goes on while it looks at it."""
    clock = itertools.count()
    return Member(files, Team(2), say=id, clock=lambda: float(next(clock)), sleep=id, **how)


# Row 41: old listings


@pytest.mark.parametrize("n_old", [1, 2, 5, 20])
def test_scores_that_an_old_listing_does_not_show_are_made_again_or_waited_for_and_are_the_same(
    files, monkeypatch, tally, n_old
):
    """The owner sees the folder as it was before all was scored, for a number of looks."""
    [name] = files.requests_of(ASKED.generation)
    lag = Lag()
    monkeypatch.setattr(bounded_io, "_list", lag)
    files.look(name, 1)
    assert not lag.is_on
    member_of(files).evaluate(ASKED)
    before = {path.name: path.read_bytes() for path in (files.folder / name).glob("scores-*")}
    looks = itertools.count(1)
    look = TeamFiles.look

    def looking(self, asked_for, n_shares):
        lag.is_on = next(looks) <= n_old
        return look(self, asked_for, n_shares)

    lag._before.clear()
    lag._before[files.folder / name] = ["genes.f32", REQUEST]
    monkeypatch.setattr(TeamFiles, "look", looking)
    assert np.array_equal(member_of(files).evaluate(ASKED), EXPECTED)
    assert {path.name: path.read_bytes() for path in (files.folder / name).glob("scores-*")} == before
    tally(41, listings=n_old)


# Row 42: two at once


def test_a_share_is_claimed_by_one_of_many(files, tally):
    [name] = files.requests_of(ASKED.generation)
    holder, n = this_process(), 8
    for nth in range(1, 26):
        start = threading.Barrier(n)
        with ThreadPoolExecutor(n) as pool:
            claims = pool.map(lambda _: [start.wait(), files.claim(name, 0, nth, holder)][1], range(n))  # noqa: B023
        assert sum(claims) == 1
    tally(42, contests=25)


def test_two_owners_that_ask_for_the_same_at_once_both_get_it_and_nobody_s_scores_are_replaced(tmp_path, tally):
    """One was frozen, say, and does not know yet that it was replaced."""
    files = TeamFiles(tmp_path)
    start = threading.Barrier(2)
    owners = [member_of(files) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda owner: [start.wait(), owner.evaluate(ASKED)][1], owners))
    assert all(np.array_equal(scores, EXPECTED) for scores in both)
    tally(42, requests=1)


def test_a_request_that_another_owner_makes_at_that_moment_is_taken_as_it_is(tmp_path, monkeypatch):
    """Or that was made, and the reply got lost."""
    create = atomic.create_directory

    def made_before(*place, **how):
        create(*place, **how)
        create(*place, **how)

    monkeypatch.setattr(atomic, "create_directory", made_before)
    assert np.array_equal(member_of(TeamFiles(tmp_path)).evaluate(ASKED), EXPECTED)


def test_a_request_that_cannot_be_made_is_an_error_in_one_line(tmp_path, monkeypatch):
    def refuse(place, *_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))

    monkeypatch.setattr(atomic, "create_directory", refuse)
    with pytest.raises(StorageError, match=r"cannot share a generation among the team: .* No space left on device"):
        member_of(TeamFiles(tmp_path)).evaluate(ASKED)


def test_a_request_whose_removal_was_cut_short_is_made_whole(files):
    [name] = files.requests_of(ASKED.generation)
    (files.folder / name / REQUEST).unlink()
    assert np.array_equal(member_of(files).evaluate(ASKED), EXPECTED)
    assert files.read_request(name) is not None


# Row 40: who is taken over


def test_an_owner_whose_request_its_successor_has_put_away_does_not_wait_for_it_for_ever(files, monkeypatch):
    """It was frozen in the middle of it; and now it finds nothing, and may claim nothing."""
    n_checks = itertools.count(1)

    def check_owner():
        if next(n_checks) > 1:
            raise FencedError("taken over")

    monkeypatch.setattr(TeamFiles, "open", lambda self, *_: self.forget_before(ASKED.generation + 1))
    with pytest.raises(FencedError):
        member_of(files, check_owner=check_owner).evaluate(ASKED)


@pytest.mark.parametrize("sign", ["generation", "beat", "request", None])
def test_an_owner_that_scores_alone_or_waits_for_others_is_not_given_up(tmp_path, monkeypatch, sign):
    """Whatever shows that it lives does: a line of its log, its beat, what it asks for. Nothing for long does not."""
    world = World(tmp_path / "shared")
    world.join()
    epoch = world.claim()
    atomic.make_directory(world.a.home)
    files, now_s = TeamFiles(world.a.home), 0.0
    monkeypatch.setattr(teams, "time", SimpleNamespace(monotonic=lambda: now_s))
    watch = teams._Watch(world.a, files, SimpleNamespace(longest_share_s=1.0), looked_s=0.0, changed_s=0.0)
    mailbox = world.mailbox(epoch)
    for n in range(1, 40):
        now_s = 5.0 * n
        if sign == "generation":
            runlog.append(world.a.log, {"kind": "generation", "generation": n})
        elif sign == "beat":
            mailbox.beat(1, waiting_for=(f"b{n}",))
        elif sign == "request":
            files.announce(Now(f"gen-{n}-{'0' * 16}"))
        if watch.is_ownerless():
            break
    assert watch.is_silent == (sign is None)
