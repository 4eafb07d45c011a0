from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.paths import SharedPaths
from atoll.migration.observe.team import MemberStatus
from atoll.migration.pool.identity import Pool
from atoll.migration.pool.locks import MountSupport
from atoll.scripts.doctor import examine
from atoll.scripts.doctor.examine import AS_IT_IS, LIMITED, TOO_LATE, Measurement, measure
from atoll.scripts.processes import makers
from tests.processes import atoll
from tests.scripts.doctor.made_observations import observation, process, thread
from tests.scripts.view.test_table import ROW

if TYPE_CHECKING:
    from pathlib import Path

GOOD_MOUNT = MountSupport(flock_excludes=True, hard_links=True, directory_fsync=True, rename_refuses=True)


def measured(free: int, limited: int, late: int) -> list[Measurement]:
    return [Measurement("numpy", setup, n) for setup, n in ((AS_IT_IS, free), (LIMITED, limited), (TOO_LATE, late))]


def test_a_library_that_spawns_threads_is_a_warning_and_a_late_limit_is_called_so() -> None:
    [finding] = examine.judge_pools(measured(8, 1, 8), cores=8)
    assert finding.verdict == "warning"
    assert "too late" in finding.advice


def test_a_limited_environment_is_in_order() -> None:
    [finding] = examine.judge_pools(measured(1, 1, 8), cores=8)
    assert (finding.verdict, finding.advice) == ("ok", "")


def test_a_missing_library_is_a_warning() -> None:
    [finding] = examine.judge_pools([Measurement("torch", AS_IT_IS, None)], cores=8)
    assert finding.verdict == "warning"


@pytest.mark.parametrize(
    ("n", "threads", "verdict"), [(2, 1, "ok"), (3, 1, "warning"), (2, 4, "warning"), (0, 1, "ok")]
)
def test_islands_are_held_against_the_cores(n: int, threads: int, verdict: str) -> None:
    rows = [replace(ROW, name=f"i{i}", threads=threads) for i in range(n)]
    finished = [replace(ROW, name="done", condition="finished", threads=None)]
    assert examine.judge_islands([*rows, *finished], cores=2).verdict == verdict


MEMBER = MemberStatus(
    name="here-1",
    condition="alive",
    is_owner=True,
    shares=10,
    genomes=100,
    last=10,
    evaluate_s=10.0,
    waited_s=0.0,
    taken_over=0,
    checked=0,
    duplicates=0,
)


def efficiency(members: int, alone_s: float) -> float:
    return alone_s / (members * (alone_s / members + examine.REQUEST_S))


@given(st.floats(1e-3, 1e4), st.integers(1, 10_000))
def test_as_many_members_pay_as_work_at_the_efficiency_that_is_named(alone_s: float, population: int) -> None:
    n = examine.members_that_pay(alone_s, population=population)
    assert 1 <= n <= population
    assert n == 1 or efficiency(n, alone_s) >= examine.EFFICIENCY - 1e-9
    assert n == population or efficiency(n + 1, alone_s) < examine.EFFICIENCY + 1e-9


@pytest.mark.parametrize(
    ("conditions", "verdict"),
    [(["alive"] * 2, "ok"), (["alive"] * 3, "warning"), (["elsewhere"] * 9, "ok"), (["elsewhere"] * 10, "warning")],
)
def test_a_team_is_held_against_what_pays_and_against_the_cores(conditions: list[str], verdict: str) -> None:
    members = tuple(replace(MEMBER, name=f"{i}", condition=each, waited_s=10 / 3) for i, each in enumerate(conditions))
    finding = examine.judge_team(replace(ROW, team=members, population=9), cores=2)  # 0.9 s a generation
    assert finding is not None
    assert (finding.topic, finding.verdict) == (f"team of {ROW.name}", verdict)
    assert f"{len(conditions)} members, 25% of all members' time was waiting" in finding.evidence
    assert "9 members can work" in finding.evidence
    assert bool(finding.advice) == (verdict == "warning")


def test_of_a_team_that_has_ended_those_count_who_scored_last() -> None:
    members = (MEMBER, replace(MEMBER, last=3), replace(MEMBER, last=0))
    ended = tuple(replace(member, condition="left") for member in members)
    finding = examine.judge_team(replace(ROW, team=ended), cores=1)
    assert finding is not None
    assert finding.evidence.startswith("2 members,")


@pytest.mark.parametrize("members", [(), (replace(MEMBER, genomes=0, evaluate_s=0.0),)])
def test_where_no_member_has_scored_the_doctor_says_nothing_of_a_team(members: tuple[MemberStatus, ...]) -> None:
    assert examine.judge_team(replace(ROW, team=members), cores=2) is None


@pytest.mark.parametrize("lost", ["flock_excludes", "hard_links", "rename_refuses"])
def test_each_thing_a_mount_cannot_do_is_a_warning(lost: str) -> None:
    assert examine.judge_mount(GOOD_MOUNT, None).verdict == "ok"
    finding = examine.judge_mount(replace(GOOD_MOUNT, **{lost: False}), None)
    assert finding.verdict == "warning"
    assert f"{lost.replace('_', ' ')}: NO" in finding.evidence


def test_a_pool_made_for_other_locks_is_a_warning() -> None:
    assert examine.judge_mount(GOOD_MOUNT, Pool("id", 1, {}, "soft", {"mode": "async"})).verdict == "warning"


@pytest.mark.parametrize("maker", ["OpenMP", None])
@pytest.mark.parametrize("reason", [None, "a running thread's record is not found"])
def test_why_makers_cannot_be_seen_is_told_where_some_were_not(maker, reason, monkeypatch, capsys) -> None:
    monkeypatch.setattr(makers, "check", lambda: reason)
    examine._show_seen(observation(process(thread("main", 0.9), thread(maker, 0.9))), [], is_json=True)
    topics = [finding["topic"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert ("makers of threads" in topics) == (maker is None and reason is not None)


@pytest.mark.slow
def test_a_limit_works_before_loading_and_not_after() -> None:
    assert measure("numpy", LIMITED).threads == 1
    if examine.usable_cores() == 1:
        pytest.skip("one core: numpy starts one thread anyway")
    assert (measure("numpy", TOO_LATE).threads or 0) > 1


@pytest.mark.slow
def test_the_command_prints_each_finding_once(tmp_path: Path) -> None:
    text = atoll("doctor", "--json", "--migration-dir", tmp_path / "s").stdout
    topics = [finding["topic"] for finding in json.loads(text)["findings"]]
    assert topics == ["environment", "numpy", "torch", "islands", "file system"]
    assert not SharedPaths(tmp_path / "s").pool.exists()
    assert "file system: flock excludes: yes" in atoll("doctor", "--migration-dir", tmp_path / "s").stdout
