from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from atoll.evo.paths import SharedPaths
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
