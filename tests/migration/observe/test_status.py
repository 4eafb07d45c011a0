from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from atoll.evo import atomic, runlog
from atoll.evo.paths import IslandPaths, SharedPaths
from atoll.migration.observe import status
from atoll.migration.pool import epochs

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.migration.pool.epochs import Epoch


@pytest.fixture
def shared(tmp_path: Path) -> SharedPaths:
    return SharedPaths(tmp_path)


def live(paths: IslandPaths, *, generation: int, target: int = 50) -> Epoch:
    """Leave the files of an island that this very process runs."""
    epoch = epochs.claim(paths, after=0, generation=0, target=target, population=10, task="sphere")
    atomic.make_directory(paths.home)
    runlog.append(paths.log, {"kind": "start", "generation": 0, "epoch": epoch.number})
    for g in range(generation + 1):
        line = {"kind": "generation", "generation": g, "best": g * 1.0, "median": 0.5, "champion": g * 1.0}
        counts = {"diversity": 0.1, "distinct": 9, "exports": g, "imports": 0, "refused": 0}
        runlog.append(paths.log, {**line, **counts, "time": {"unix_s": epoch.started_s + g + 1.0}})
    return epoch


def change(paths: IslandPaths, epoch: Epoch, **fields: object) -> None:
    """Make the epoch's record say something else."""
    record = structs.asdict(structs.replace(epoch, **fields))  # type: ignore[arg-type]
    atomic.replace_file(paths.epoch(epoch.number), json.dumps(record).encode(), durable=False)


def test_a_living_process_is_running_with_its_threads_and_memory(shared: SharedPaths) -> None:
    live(shared.island("a"), generation=7)
    [row] = status.read_all(shared)
    assert (row.condition, row.generation, row.target, row.best, row.pid) == ("running", 7, 50, 7.0, os.getpid())
    assert (row.diversity, row.distinct) == (0.1, 9)
    assert (row.threads or 0) >= 1
    assert (row.memory_mb or 0) > 1
    assert row.rate_per_s == pytest.approx(7 / 8)


def test_the_population_is_the_newest_that_was_told(shared: SharedPaths) -> None:
    paths = shared.island("a")
    live(paths, generation=7)
    assert status.read_island(paths).population == 10
    runlog.append(paths.log, {"kind": "generation", "generation": 8, "population": 20})
    assert status.read_island(paths).population == 20


def test_an_island_at_its_target_is_finished_whether_or_not_its_process_lives(shared: SharedPaths) -> None:
    live(shared.island("a"), generation=50)
    assert status.read_island(shared.island("a")).condition == "finished"


@pytest.mark.parametrize("fields", [{"pid": 2**22 + 1}, {"process_started_s": 1.0}, {"boot_id": "another boot"}])
def test_a_dead_or_reused_pid_is_stopped(fields: dict[str, object], shared: SharedPaths) -> None:
    epoch = live(shared.island("a"), generation=7)
    change(shared.island("a"), epoch, **fields)
    row = status.read_island(shared.island("a"))
    assert (row.condition, row.threads, row.memory_mb) == ("stopped", None, None)


def test_another_hosts_island_is_only_told_by_its_beat(shared: SharedPaths) -> None:
    paths = shared.island("a")
    epoch = live(paths, generation=7)
    change(paths, epoch, host="far-away")
    now_s = 0.0
    watch = status.BeatWatch(shared, clock=lambda: now_s)

    def look() -> str:
        return watch.look()[0].condition

    assert status.read_island(paths).condition == "elsewhere"
    atomic.replace_file(paths.beat, b"1", durable=False)
    assert look() == "elsewhere"
    atomic.replace_file(paths.beat, b"2", durable=False)
    assert look() == "running"
    now_s = status.SILENT_AFTER_S
    assert look() == "elsewhere"
    now_s += 1.0
    assert look() == "silent"
    atomic.replace_file(paths.beat, b"3", durable=False)
    assert look() == "running"


@pytest.mark.parametrize(("generation_s", "patience_s"), [(1.0, 120.0), (60.0, 180.0), (180.0, 540.0)])
def test_an_island_with_long_generations_is_given_three_of_them(
    shared: SharedPaths, generation_s: float, patience_s: float
) -> None:
    paths = shared.island("a")
    epoch = live(paths, generation=0)
    change(paths, epoch, host="far-away")
    runlog.append(paths.log, {"kind": "generation", "generation": 5, "time": {"unix_s": 5 * generation_s}})
    change(paths, epoch, host="far-away", started_s=0.0)
    times_s = iter((0.0, patience_s - 1.0, patience_s + 1.0))
    watch = status.BeatWatch(shared, clock=lambda: next(times_s))
    assert [watch.look()[0].condition for _ in range(3)] == ["elsewhere", "elsewhere", "silent"]


def beat(paths: IslandPaths, epoch: Epoch, waiting_for: object, **others: object) -> None:
    record = {"nonce": epoch.nonce, "waiting_for": waiting_for, **others}
    atomic.replace_file(paths.beat, json.dumps(record).encode(), durable=False)


def test_who_waits_is_waiting_and_still_lives(shared: SharedPaths) -> None:
    paths = shared.island("a")
    epoch = live(paths, generation=10)
    beat(paths, epoch, ["b", "c"])
    row = status.read_island(paths)
    assert (row.condition, row.waiting_for) == ("waiting", ("b", "c"))
    assert row.condition in status.ALIVE
    assert row.threads is not None
    beat(paths, epoch, [])
    assert status.read_island(paths).condition == "running"


@pytest.mark.parametrize("fields", [{"pid": 2**22 + 1}, {"nonce": "another start"}])
def test_the_beat_of_a_process_that_ended_says_nothing(fields: dict[str, object], shared: SharedPaths) -> None:
    paths = shared.island("a")
    epoch = live(paths, generation=10)
    beat(paths, epoch, ["b"])
    change(paths, epoch, **fields)
    assert status.read_island(paths).condition != "waiting"


@pytest.mark.parametrize("waiting_for", ["b", None, 3, [3], {"b": 1}, ["../b"], ["\x1b[2J"], [["b"]]])
def test_a_strange_beat_says_nothing(waiting_for: object, shared: SharedPaths) -> None:
    paths = shared.island("a")
    beat(paths, live(paths, generation=10), waiting_for)
    assert status.read_island(paths).condition == "running"


def test_who_waits_on_another_host_beats_and_is_not_silent(shared: SharedPaths) -> None:
    paths = shared.island("a")
    epoch = live(paths, generation=7)
    change(paths, epoch, host="far-away")
    now_s = 0.0
    watch = status.BeatWatch(shared, clock=lambda: now_s)
    seen = []
    for i in range(5):
        beat(paths, epoch, ["b"], sequence=i)
        seen.append(watch.look()[0].condition)
        now_s += status.SILENT_AFTER_S * 2
    assert seen == ["elsewhere", *["waiting"] * 4]


def test_after_a_restart_the_superseded_generations_do_not_count(shared: SharedPaths) -> None:
    paths = shared.island("a")
    live(paths, generation=17)
    epochs.claim(paths, after=1, generation=10, target=50, population=10, task="sphere")
    runlog.append(paths.log, {"kind": "start", "generation": 10, "epoch": 2})
    row = status.read_island(paths)
    assert (row.generation, row.epoch, row.best) == (10, 2, None)


def test_all_islands_are_listed_by_name_and_strange_names_are_not(shared: SharedPaths) -> None:
    for name in ("b", "a"):
        live(shared.island(name), generation=1)
    only_published, only_private = shared.island("only-published"), shared.island("only-private")
    live(only_published, generation=0)
    shutil.rmtree(only_published.home)
    live(only_private, generation=1)
    shutil.rmtree(only_private.outbox)
    for place in (shared.pool, shared.homes):
        atomic.make_directory(place / "backup" / "epochs")
    atomic.make_directory(shared.homes / "not an island")
    atomic.make_directory(shared.locks)
    (shared.pool / "stray").touch()
    (shared.homes / "stray").touch()
    rows = status.read_all(shared)
    assert [row.name for row in rows] == ["a", "b", "only-private", "only-published"]
    assert [row.condition for row in rows] == ["running", "running", "stopped", "running"]


def test_a_torn_log_or_a_hostile_epoch_still_gives_a_row(shared: SharedPaths) -> None:
    paths = shared.island("a")
    epoch = live(paths, generation=3)
    with paths.log.open("ab") as log:
        log.write(b'{"kind": "generation", "gener')
    assert status.read_island(paths).generation == 3
    paths.epoch(epoch.number).write_bytes(b"[1]")
    row = status.read_island(paths)
    assert (row.condition, row.pid) == ("stopped", None)


def test_a_log_of_an_older_version_does_not_say_how_many_genomes_are_distinct(shared: SharedPaths) -> None:
    paths = shared.island("a")
    live(paths, generation=3)
    runlog.append(paths.log, {"kind": "generation", "generation": 4, "best": 1.0, "median": 0.5})
    row = status.read_island(paths)
    assert (row.generation, row.distinct) == (4, None)


@pytest.mark.parametrize("nonsense", ["x", None, [1], {"a": 1}, True, -1, 1e400, 10**400])
def test_nonsense_in_a_log_is_not_known_and_the_row_is_there(nonsense: object, shared: SharedPaths) -> None:
    paths = shared.island("a")
    live(paths, generation=3)
    names = ("generation", "diversity", "distinct", "exports", "imports", "refused", "ancestry", "time")
    runlog.append(paths.ledger, {"kind": "published"})
    for path, kind in ((paths.log, "generation"), (paths.ledger, "published"), (paths.ledger, "imported")):
        with path.open("a") as file:
            file.write(json.dumps({"kind": kind, **dict.fromkeys((*names, "best", "median"), nonsense)}) + "\n")
    row = status.read_island(paths)
    assert (row.condition, row.generation, row.exports, row.rate_per_s) == ("running", None, 0, None)
    assert row.last_export is row.last_import is None
    assert row.best is row.median or (row.best, nonsense) == (-1.0, -1)
    json.dumps(row.as_json(), allow_nan=False)


def test_a_row_is_json(shared: SharedPaths) -> None:
    live(shared.island("a"), generation=1)
    [row] = status.read_all(shared)
    assert json.loads(json.dumps(row.as_json()))["name"] == "a"


def imported(paths: IslandPaths, generation: int, source: str, source_generation: int, **more: object) -> None:
    place = {"source": source, "source_generation": source_generation}
    for _ in range(2):
        runlog.append(paths.ledger, {"kind": "imported", "generation": generation, **place, **more})


def test_how_often_in_a_row_an_island_took_from_one_batch_is_counted(shared: SharedPaths) -> None:
    paths = shared.island("a")
    live(paths, generation=40)
    assert (status.read_island(paths).last_source, status.read_island(paths).last_source_times) == (None, 0)
    found = []
    for generation, batch in ((10, 5), (20, 5), (30, 5), (40, 6)):
        imported(paths, generation, "b", batch, **({"again": True} if generation in {20, 30} else {}))
        row = status.read_island(paths)
        found.append((row.last_source, row.last_source_times))
    assert found == [("b:5", 1), ("b:5", 2), ("b:5", 3), ("b:6", 1)]


def test_an_import_of_no_generation_is_none(shared: SharedPaths) -> None:
    paths = shared.island("a")
    live(paths, generation=40)
    for nonsense in ([1], {}, "x"):
        runlog.append(
            paths.ledger,
            {"kind": "imported", "generation": nonsense, "source": "b", "source_generation": 5, "again": True},
        )
    assert (status.read_island(paths).last_source, status.read_island(paths).last_source_times) == (None, 0)


@pytest.mark.parametrize("closed", ["home", "outbox", "epochs", "log", "ledger"])
def test_an_island_that_may_not_be_read_has_a_row_that_says_so_and_hides_no_other(
    shared: SharedPaths, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        live(shared.island(name), generation=1)
    place, real = str(getattr(shared.island("b"), closed)), os.open
    shared.island("b").ledger.touch()

    def refuse(path: str, *arguments: int, **others: int) -> int:
        if str(path).startswith(place):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **others)

    monkeypatch.setattr(os, "open", refuse)
    a, b = status.read_all(shared)
    assert (a.condition, a.generation, a.unreadable) == ("running", 1, None)
    assert (b.name, b.condition, b.generation, b.exports) == ("b", "unreadable", None, 0)
    assert b.unreadable == f"{place}: Permission denied"
