"""Laws of an island's life: however it is cut into processes, stopped or killed, it ends as if it had not been."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from evo import checkpoint, runlog
from evo.errors import OwnerConflictError, PoolMismatchError, ResumeError, StorageError
from evo.paths import SharedPaths
from migration import epochs
from tests.scripts.island_process import (
    CONTEXT,
    DEADLINE_S,
    KILLED,
    Job,
    end,
    last_generation,
    outcome,
    perform,
    run,
    start,
    trials,
)

ROOT = Path(__file__).resolve().parents[2]
ALONE = {"topology": "none"}


@pytest.fixture
def memory():
    """A directory in memory, where a SIGKILL finds as much as on a disk and a sync costs nothing."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
    with tempfile.TemporaryDirectory(dir=parent) as path:
        yield Path(path)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "shared"


def paths_of(root, island="a"):
    return SharedPaths(root).island(island)


def evolve(root, island="a", *, is_fresh=False, **values):
    return perform(Job(root, island, values, is_fresh))


def refused(capsys, root, **values):
    """Return exit code and message of a start that is turned away, and check that nothing was changed by it."""
    before = {p: p.stat().st_mtime_ns for p in paths_of(root).home.rglob("*")}
    code = evolve(root, **values)
    assert {p: p.stat().st_mtime_ns for p in paths_of(root).home.rglob("*")} == before
    return code, capsys.readouterr().out.splitlines()[-1]


def epochs_of(root, island="a"):
    return sorted(int(p.stem) for p in paths_of(root, island).epochs.iterdir())


def copy_of(template, place):
    shutil.copytree(template, place)
    return place


def wait_for(condition, process):
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.exitcode is None, "the island ended before it came so far"
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


# Equal runs


@pytest.mark.parametrize("task", ["sphere", "rastrigin"])
def test_equal_runs_give_equal_bytes(tmp_path, task):
    """Two pools, two processes' worth of clocks and ids: nothing of that shows."""
    for name in "xy":
        assert evolve(tmp_path / name, task=task, **ALONE) == 0
    one, other = outcome(tmp_path / "x"), outcome(tmp_path / "y")
    assert one == other
    assert [line["generation"] for line in one["log"]] == list(range(13))


@pytest.mark.parametrize("stops", [[5], [1, 2, 3], [6, 9]])
def test_a_run_in_stages_is_the_run_at_once(root, tmp_path, stops):
    template = tmp_path / "template"
    evolve(template, "peer")
    whole = copy_of(template, tmp_path / "whole")
    copy_of(template, root)
    for generations in [*stops, 12]:
        assert evolve(root, generations=generations) == 0
    assert evolve(whole) == 0
    one, other = outcome(root), outcome(whole)
    for ending in (one, other):
        newest = list(ending.pop("checkpoints"))[-1]
        assert newest == "gen-12.safetensors"
    assert one == other


def test_migration_changes_the_run_and_its_absence_is_said(root, capsys):
    evolve(root, "peer")
    assert "MIGRATION IS OFF" not in capsys.readouterr().out
    assert evolve(root, **ALONE) == 0
    assert "MIGRATION IS OFF (--topology none)" in capsys.readouterr().out
    alone = outcome(root)
    assert alone["published"] == alone["inbox"] == {}
    evolve(root, is_fresh=True)
    assert outcome(root)["log"] != alone["log"]
    assert list(outcome(root)["published"]) == ["gen-3", "gen-6", "gen-9", "gen-12"]


# Starting


def test_a_finished_island_says_so_and_changes_nothing(root, capsys):
    evolve(root, **ALONE)
    code, line = refused(capsys, root, **ALONE)
    assert code == 0
    assert "a is already at generation 12; use -g 24 to go on, or --fresh" in line
    assert epochs_of(root) == [1]


def test_every_changed_setting_is_named(root, capsys):
    evolve(root, **ALONE)
    changes = {"population": 14, "mutation_rate": 0.5, "topology": "ring", "migrate_every": 4, "generations": 20}
    code, line = refused(capsys, root, **changes)
    assert code == ResumeError.exit_code
    for name, (old, new) in {
        "population": (12, 14),
        "mutation_rate": (0.01, 0.5),
        "topology": ("'none'", "'ring'"),
        "migrate_every": (3, 4),
    }.items():
        assert f"{name} was {old}, now {new}" in line
    assert "generations" not in line
    assert "--fresh" in line


def test_a_pool_of_another_seed_or_task_is_refused(root, capsys):
    evolve(root, **ALONE)
    for values, words in (({"seed": 2}, "--seed 1 (not 2)"), ({"task": "rastrigin"}, "--task sphere (not rastrigin)")):
        code, line = refused(capsys, root, **ALONE, **values)
        assert code == PoolMismatchError.exit_code
        assert words in line
        assert "another --migration-dir" in line


def test_a_checkpoint_of_another_version_is_refused(root, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", 99)
        evolve(root, **ALONE)
    code, line = refused(capsys, root, generations=20, **ALONE)
    assert code == ResumeError.exit_code
    assert "format 99, this version of Atoll reads format 1" in line


def test_a_damaged_checkpoint_falls_back_to_the_one_before(root, tmp_path):
    evolve(tmp_path / "whole", **ALONE)
    evolve(root, generations=11, **ALONE)
    newest = paths_of(root).checkpoint(11)
    newest.write_bytes(newest.read_bytes()[:-1])
    assert evolve(root, **ALONE) == 0
    assert outcome(root)["log"] == outcome(tmp_path / "whole")["log"]
    assert outcome(root)["champion"] == outcome(tmp_path / "whole")["champion"]


def test_no_intact_checkpoint_is_an_error_that_says_what_to_do(root, capsys):
    evolve(root, generations=11, **ALONE)
    for path in paths_of(root).checkpoints.iterdir():
        path.write_bytes(b"")
    code, line = refused(capsys, root, **ALONE)
    assert code == ResumeError.exit_code
    assert "start again with --fresh" in line


@pytest.mark.parametrize(
    "name", ["", "islands", "islands/a", "islands/a/log.jsonl", "migration_pool/a", "migration_pool/a/epochs"]
)
def test_something_in_the_way_is_a_storage_error(root, capsys, name):
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".jsonl"):
        place.mkdir()
    else:
        place.touch()
    assert evolve(root, **ALONE) == StorageError.exit_code
    assert capsys.readouterr().out.splitlines()[-1].startswith("StorageError: ")


def test_a_missing_parent_is_a_storage_error(root, capsys):
    assert evolve(root / "no" / "such", **ALONE) == StorageError.exit_code
    assert "does not exist; create it" in capsys.readouterr().out
    assert not root.exists()


# Starting afresh


def test_fresh_archives_both_halves_and_epochs_count_on(root, capsys):
    evolve(root, "peer")
    for generations in (6, 12):
        assert evolve(root, generations=generations) == 0
    before = outcome(root)
    assert evolve(root, is_fresh=True, seed=1) == 0
    old = root / "old" / "a-2"
    assert f"archived the former a to {old}" in capsys.readouterr().out
    assert (old / "private" / "champion.safetensors").read_bytes() == before["champion"]
    assert sorted(p.name for p in (old / "published" / "epochs").iterdir()) == ["1.json", "2.json"]
    assert epochs_of(root) == [3]
    after = outcome(root)
    assert before.pop("checkpoints").keys() == after.pop("checkpoints").keys()
    assert after == before


def test_fresh_where_nothing_was_is_a_start(root, capsys):
    assert evolve(root, is_fresh=True, **ALONE) == 0
    assert "archived" not in capsys.readouterr().out
    assert not (root / "old").exists()


def test_peers_accept_an_island_that_started_afresh(root):
    """Its generations begin anew, but its epoch is higher: no rollback."""
    evolve(root, "peer")
    evolve(root, generations=3)
    evolve(root, "peer", is_fresh=True, generations=3)
    assert evolve(root, generations=12) == 0
    records = runlog.current(runlog.read(paths_of(root).ledger))
    assert not [r for r in records if r["kind"] == "refused"]
    assert {r["source_epoch"] for r in records if r["kind"] == "imported"} == {1, 2}


@pytest.mark.parametrize("moved", [0, 1, 2])
@pytest.mark.parametrize("again", [False, True])
def test_a_crash_while_archiving_never_uses_an_epoch_twice(root, moved, again):
    """Killed before, between or after the two moves, and before the next epoch was claimed."""
    for generations in (6, 12):
        evolve(root, generations=generations)
    paths = paths_of(root)
    target = root / "old" / "a-2"
    target.mkdir(parents=True)
    for source, name in [(paths.outbox, "published"), (paths.home, "private")][:moved]:
        source.rename(target / name)
    assert evolve(root, is_fresh=again, generations=15) == 0
    assert epochs_of(root)[-1] == 3
    assert last_generation(root) == 15
    assert evolve(root, is_fresh=True) == 0
    assert epochs_of(root) == [4]


# Ownership


@pytest.mark.slow
def test_a_second_process_is_turned_away_at_once_and_told_who_holds_the_island(root, capsys):
    process = start(Job(root, "a", {**ALONE, "generations": 10_000}, delay_s=0.01))
    try:
        wait_for(lambda: last_generation(root) > 0, process)
        code = evolve(root, generations=10_000, **ALONE)
        assert code == OwnerConflictError.exit_code
        line = capsys.readouterr().out.splitlines()[-1]
        assert f"island a is already run by process {process.pid} on " in line
        assert "choose another name, or stop that process first" in line
        assert evolve(root, "other", **ALONE) == 0
    finally:
        process.kill()
        assert end(process) == KILLED
    assert evolve(root, generations=last_generation(root), **ALONE) == 0


@pytest.mark.slow
def test_where_locks_do_nothing_the_older_owner_is_fenced(root, monkeypatch, capsys):
    """The second start is let in; the first stops at its next publication; the end is the undisturbed one."""
    evolve(root, "peer")
    whole = copy_of(root, root.parent / "whole")
    older = start(Job(root, "a", {"generations": 60}, delay_s=0.02, output=root.parent / "older"))
    wait_for(lambda: last_generation(root) >= 4, older)
    monkeypatch.setattr("scripts.evolve._owned", lambda *_: contextlib.nullcontext())
    claimed = epochs.claim(paths_of(root), after=0, generation=3, target=60, population=12, task="sphere")
    assert end(older) == 5
    assert f"FencedError: island a was taken over by process {claimed.pid}" in (root.parent / "older").read_text()
    assert evolve(root, generations=60) == 0
    assert run(whole, generations=60) == 0
    assert outcome(root)["published"] == outcome(whole)["published"]
    assert outcome(root)["champion"] == outcome(whole)["champion"]
    capsys.readouterr()


# Signals


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_the_generation_and_the_same_command_goes_on(root, number):
    template = root.parent / "template"
    run(template, "peer")
    whole = copy_of(template, root.parent / "whole")
    copy_of(template, root)
    output = root.parent / "output"
    process = start(Job(root, "a", {"generations": 60}, delay_s=0.02, output=output))
    wait_for(lambda: last_generation(root) >= 4, process)
    os.kill(process.pid, number)
    assert end(process) == 128 + number
    stopped = last_generation(root)
    assert 4 <= stopped < 60
    assert f"a stopped at generation {stopped}; the same command goes on from there" in output.read_text()
    assert checkpoint.load_newest(paths_of(root)).state.generation == stopped
    assert run(root, generations=60) == 0
    assert run(whole, generations=60) == 0
    assert outcome(root) == outcome(whole)


# Kills


def kill_at_random(root, n, rng, **values):
    """Run an island that is killed `n` times at random moments of its life, then to its end."""
    generations = values["generations"]
    for kill in range(n):
        process = start(Job(root, "a", values))
        goal = generations * (kill + rng.random()) / (n + 10)
        wait_for(lambda goal=goal: last_generation(root) >= goal, process)
        time.sleep(rng.random() * 0.003)
        process.kill()
        assert end(process) == KILLED
    assert run(root, **values) == 0


@pytest.mark.slow
@pytest.mark.parametrize("topology", ["none", "full"])
def test_twenty_kills_at_random_moments_leave_no_trace(memory, topology):
    values = {"generations": 500, "topology": topology, "keep_generations": 0}
    template = memory / "template"
    run(template, "peer")
    whole, killed = copy_of(template, memory / "whole"), copy_of(template, memory / "killed")
    kill_at_random(killed, 20, np.random.default_rng(len(topology)), **values)
    assert run(whole, **values) == 0
    assert outcome(killed) == outcome(whole)
    assert epochs_of(killed) == list(range(1, len(epochs_of(killed)) + 1))


@pytest.mark.slow
def test_a_kill_before_any_file_operation_leaves_no_trace(memory):
    """Every operation of a whole life with two migrations, the last ones after the final checkpoint included."""
    values = {"generations": 4, "migrate_every": 2, "checkpoint_every": 3}
    template = memory / "template"
    run(template, "peer")
    workers = [CONTEXT.Process(target=trials, args=(template, memory, values, first, 2)) for first in (1, 2)]
    for worker in workers:
        worker.start()
    assert [end(worker) for worker in workers] == [0, 0]
    results = [json.loads((memory / f"trials-{first}.json").read_text()) for first in (1, 2)]
    assert [result["wrong"] for result in results] == [[], []]
    assert min(result["operations"] for result in results) > 150


# Full disks


def unshared(script, **names):
    """Run a shell script in a mount namespace of its own, where it may mount what it likes."""
    if subprocess.run(["unshare", "-Urm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this kernel or container does not let us unshare a user and mount namespace")
    environment = {**os.environ, **{name: str(value) for name, value in names.items()}}
    command = ["unshare", "-Urm", "bash", "-e", "-c", script]
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=DEADLINE_S
    )


def order(root, **values):
    return json.dumps({"root": str(root), "island": "a", "values": values})


@pytest.mark.slow
def test_a_full_disk_stops_an_island_that_goes_on_once_there_is_space(root, tmp_path):
    """Space for 0 to 7 more pages, so that log, ledger, checkpoint and champion each meet the end of it."""
    values = {"generations": 100, **ALONE}
    script = """
    mount -t tmpfs -o size=2m tmpfs "$PLACE"
    for pages in 0 1 2 4 7; do
        "$PYTHON" -m tests.scripts.island_process "$BEFORE" >/dev/null
        dd if=/dev/zero of="$PLACE/filler" bs=4k 2>/dev/null || true
        truncate -s "-${pages}p" "$PLACE/filler" 2>/dev/null || truncate -s "-$((pages * 4096))" "$PLACE/filler"
        code=0; "$PYTHON" -m tests.scripts.island_process "$ORDER" >"$RESULT/$pages.txt" || code=$?
        echo "$code" >>"$RESULT/codes"
        rm "$PLACE/filler"
        "$PYTHON" -m tests.scripts.island_process "$ORDER" >/dev/null
        cp -r "$PLACE/shared" "$RESULT/$pages"
        rm -r "$PLACE/shared"
    done
    """
    place, result = tmp_path / "place", tmp_path / "result"
    place.mkdir()
    result.mkdir()
    names = {
        "BEFORE": order(place / "shared", **{**values, "generations": 4}),
        "ORDER": order(place / "shared", **values),
    }
    unshared(script, PYTHON=sys.executable, PLACE=place, RESULT=result, **names)
    assert (result / "codes").read_text().split() == [str(StorageError.exit_code)] * 5
    assert run(root, **values) == 0
    for pages in (0, 1, 2, 4, 7):
        assert "free some space, then run the same command again" in (result / f"{pages}.txt").read_text()
        assert outcome(result / str(pages)) == outcome(root)


@pytest.mark.slow
def test_a_full_pool_costs_the_publications_and_nothing_else(root, tmp_path):
    """The island's own folder in the pool has room for its epoch and beat, and for no batch."""
    script = """
    mkdir -p "$PLACE/shared/migration_pool/a"
    mount -t tmpfs -o nr_inodes=6 tmpfs "$PLACE/shared/migration_pool/a"
    "$PYTHON" -m tests.scripts.island_process "$ORDER"
    cp -r "$PLACE/shared" "$RESULT/"
    """
    place, result = tmp_path / "place", tmp_path / "result"
    result.mkdir()
    unshared(script, PYTHON=sys.executable, PLACE=place, RESULT=result, ORDER=order(place / "shared"))
    assert run(root) == 0
    full, usual = outcome(result / "shared"), outcome(root)
    assert full["published"] == {}
    assert [r["generation"] for r in full["ledger"] if r["kind"] == "unpublished"] == [3, 6, 9, 12]
    assert "No space left on device" in full["ledger"][0]["error"]
    assert full["champion"] == usual["champion"]
    assert np.all([r["exports"] == 0 for r in full["log"]])
