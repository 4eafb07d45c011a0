"""Laws of an island's life: however it is cut into processes, stopped or killed, it ends as if it had not been."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal

import pytest

from atoll.evo import checkpoint, runlog
from atoll.evo.errors import OwnerConflictError, PoolMismatchError, ResumeError, StorageError
from atoll.evo.paths import SharedPaths
from atoll.migration.observe import archive, status
from atoll.migration.pool import epochs
from atoll.migration.pool import identity as pool
from tests.scripts.run.island_process import (
    KILLED,
    Job,
    contents,
    copy_of,
    end,
    epochs_of,
    last_generation,
    outcome,
    perform,
    run,
    start,
    wait_for,
)

ALONE = {"topology": "none"}


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


def test_a_target_that_was_passed_before_counts_and_the_run_is_finished(root, capsys):
    """So whoever looks sees that nothing is left to do; what was logged stands."""
    evolve(root, **ALONE)
    before = outcome(root)
    assert evolve(root, generations=5, **ALONE) == 0
    assert "already at generation 12, beyond the 5 that it is to reach; use -g 24" in capsys.readouterr().out
    assert outcome(root) == before
    row = status.read_island(paths_of(root))
    assert (row.condition, row.generation, row.target) == ("finished", 12, 5)
    for _ in range(2):
        assert evolve(root, generations=5, **ALONE) == 0
    assert epochs_of(root) == [1, 2]
    assert evolve(root, generations=15, **ALONE) == 0
    row = status.read_island(paths_of(root))
    assert (row.condition, row.generation, row.target) == ("finished", 15, 15)


@pytest.mark.slow
def test_a_stopped_run_whose_target_was_passed_is_finished_and_can_be_archived(root):
    process = start(Job(root, "a", {"generations": 100_000, **ALONE}))
    wait_for(lambda: last_generation(root) > 10, process)
    os.kill(process.pid, signal.SIGTERM)
    end(process)
    assert not archive.look(SharedPaths(root)).is_finished
    assert evolve(root, generations=5, **ALONE) == 0
    assert archive.look(SharedPaths(root)).is_finished


def test_an_island_that_began_with_an_earlier_default_goes_on_with_it(root, tmp_path, capsys):
    evolve(tmp_path / "whole", mutation_rate=0.01, **ALONE)
    evolve(root, mutation_rate=0.01, generations=6, **ALONE)
    assert evolve(root, **ALONE) == 0
    assert "a goes on with --mutation-rate 0.01, which was the default when it was started" in capsys.readouterr().out
    assert outcome(root)["log"] == outcome(tmp_path / "whole")["log"]
    assert outcome(root)["champion"] == outcome(tmp_path / "whole")["champion"]
    assert refused(capsys, root, mutation_rate=0.02, **ALONE)[0] == ResumeError.exit_code


def test_every_changed_setting_is_named(root, capsys):
    evolve(root, algorithm="ga", **ALONE)
    changes = {
        "algorithm": "ga",
        "population": 14,
        "mutation_rate": 0.5,
        "topology": "ring",
        "migrate_every": 4,
        "generations": 20,
    }
    code, line = refused(capsys, root, **changes)
    assert code == ResumeError.exit_code
    for name, (old, new) in {
        "population": (12, 14),
        "mutation_rate": ("'auto'", 0.5),
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


@pytest.mark.parametrize("name", ["log.jsonl", "ledger.jsonl", "migration.log"])
def test_a_line_cut_short_by_a_full_disk_or_a_power_cut_is_no_part_of_the_run(root, tmp_path, name):
    evolve(tmp_path / "whole")
    evolve(root, generations=6)
    with (paths_of(root).home / name).open("ab") as file:
        file.write(b'{"kind":"generation","gener')
    assert evolve(root) == 0
    assert outcome(root)["log"] == outcome(tmp_path / "whole")["log"]
    assert outcome(root)["ledger"] == outcome(tmp_path / "whole")["ledger"]
    assert b"gener\n" not in (paths_of(root).home / name).read_bytes()


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


@pytest.mark.slow
def test_no_epoch_is_used_twice_when_the_pool_is_deleted_after_a_long_run(root):
    """The log is what remembers then, and the start stands far before its end."""
    evolve(root, generations=400)
    paths = paths_of(root)
    assert paths.log.stat().st_size > 2 * runlog.TAIL_BYTES
    shutil.rmtree(SharedPaths(root).pool)
    assert evolve(root, generations=410) == 0
    assert epochs_of(root) == [2]


# Two halves that do not belong together


def published_by(root, island="a"):
    return sorted(path.name for path in paths_of(root, island).outbox.glob("gen-*"))


@pytest.mark.parametrize("values", [{}, {"mutation_rate": 0.2}])
def test_an_island_whose_private_half_is_gone_is_refused_until_it_starts_afresh(root, capsys, values):
    """Else it would publish under names that are taken, and nobody would get anything of it."""
    evolve(root, "peer")
    evolve(root)
    shutil.rmtree(paths_of(root).home)
    before = contents(root)
    assert evolve(root, **values) == ResumeError.exit_code
    line = capsys.readouterr().out.splitlines()[-1]
    assert "a published up to generation 12 in an earlier life, of which nothing is left" in line
    assert "--fresh puts that away" in line
    assert contents(root) == before
    assert evolve(root, is_fresh=True, **values) == 0
    assert "could not publish" not in capsys.readouterr().out
    assert published_by(root) == ["gen-12", "gen-3", "gen-6", "gen-9"]
    assert (root / "old" / "a-1" / "published" / "gen-12").is_dir()


def test_an_older_copy_of_the_private_half_is_refused_too(root, capsys):
    evolve(root, "peer")
    evolve(root, generations=4)
    copy = shutil.copytree(paths_of(root).home, root.parent / "copy")
    evolve(root)
    shutil.rmtree(paths_of(root).home)
    shutil.copytree(copy, paths_of(root).home)
    assert evolve(root) == ResumeError.exit_code
    assert "of which no more than generation 4 is left" in capsys.readouterr().out


def test_an_older_checkpoint_with_all_that_was_imported_since_is_gone_on_from(root):
    """Then it publishes the same again, which changes nothing."""
    evolve(root, "peer")
    evolve(root, generations=8)
    whole = contents(root)
    paths = paths_of(root)
    paths.checkpoint(8).unlink()
    assert evolve(root, generations=8) == 0
    assert {n: d for n, d in contents(root).items() if "/gen-" in n} == {n: d for n, d in whole.items() if "/gen-" in n}


def test_a_private_half_of_another_run_is_said_and_gone_on_from(root, capsys):
    evolve(root, generations=6)
    shutil.rmtree(SharedPaths(root).pool)
    assert evolve(root) == 0
    assert capsys.readouterr().out.count("is of another run than") == 1
    assert evolve(root, generations=15) == 0
    assert "is of another run than" not in capsys.readouterr().out


def test_a_published_half_that_is_gone_is_said_and_gone_on_without(root, capsys):
    evolve(root, generations=6)
    shutil.rmtree(paths_of(root).outbox)
    assert evolve(root) == 0
    assert capsys.readouterr().out.count("what a had published is not in the pool any more") == 1
    assert published_by(root)[:1] == ["gen-12"]


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


def test_no_island_starts_in_a_run_that_is_being_archived(root, capsys):
    evolve(root, generations=6, **ALONE)
    identity = pool.read(SharedPaths(root))
    SharedPaths(root).archived_run(identity.run_id).mkdir(parents=True)
    code, line = refused(capsys, root, **ALONE)
    assert code == PoolMismatchError.exit_code
    assert "is being archived" in line
    assert evolve(root, "new", **ALONE) == PoolMismatchError.exit_code
    assert epochs_of(root) == [1]
    assert not paths_of(root, "new").outbox.exists()


def test_who_is_dead_is_not_named_as_the_holder(root, capsys):
    """Between its lock and its epoch a process has no record yet; the newest is that of an earlier, dead one."""
    assert run(root, **ALONE) == 0
    with paths_of(root).owner_lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert evolve(root, generations=20, **ALONE) == OwnerConflictError.exit_code
    assert "is already run by another process that is just starting" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("values", [ALONE, {"migrate_every": 100_000}], ids=["alone", "between migrations"])
def test_an_island_that_publishes_nothing_is_fenced_too(root, values):
    output = root.parent / "output"
    older = start(Job(root, "a", {**values, "generations": 200_000}, delay_s=0.01, output=output))
    wait_for(lambda: last_generation(root) >= 4, older)
    epochs.claim(paths_of(root), after=1, generation=3, target=60, population=12, task="sphere")
    assert end(older) == 5
    assert "FencedError: island a was taken over by process" in output.read_text()


@pytest.mark.slow
def test_where_locks_do_nothing_the_older_owner_is_fenced(root, monkeypatch, capsys):
    """The second start is let in; the first stops at its next publication; the end is the undisturbed one."""
    evolve(root, "peer")
    whole = copy_of(root, root.parent / "whole")
    older = start(Job(root, "a", {"generations": 60}, delay_s=0.02, output=root.parent / "older"))
    wait_for(lambda: last_generation(root) >= 4, older)
    monkeypatch.setattr("atoll.migration.pool.access.owned", lambda *_args, **_names: contextlib.nullcontext())
    claimed = epochs.claim(paths_of(root), after=1, generation=3, target=60, population=12, task="sphere")
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
