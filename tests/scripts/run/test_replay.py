"""Laws of a replay: a recorded island lived again ends in the same bytes, or the generation that differs is named."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest

from atoll.evo import arrayfile, atomic, checkpoint, runlog
from atoll.evo.errors import AtollError, ConfigError, DamagedFileError, PoolMismatchError, ReplayError
from atoll.evo.paths import PrivateFiles, SharedPaths
from atoll.evo.recorder import FileRecorder
from atoll.evo.signals import StopSignal
from atoll.migration.pool import inbox
from atoll.scripts.run.island import Command, run_island
from atoll.scripts.run.recording import replay_config
from tests.scripts.run.island_process import (
    KILLED,
    Job,
    Screen,
    end,
    last_generation,
    outcome,
    perform,
    run,
    start,
    wait_for,
)


def home(root, island="a"):
    return SharedPaths(root).island(island).home


def evolve(root, island="a", **values):
    return perform(Job(root, island, values))


def replay(place, recording, island="a", *, is_fresh=False, **given):
    """Replay as the command line does; return the exit code."""
    try:
        config = replay_config(island, {"mode": "replay", "replay_from": str(recording), **given}, {})
        with StopSignal() as stop:
            return run_island(config, Command(place, is_fresh), display=Screen(), stop=stop)
    except AtollError as error:
        print(f"{type(error).__name__}: {error}")  # noqa: T201
        return error.exit_code


def check_equal(place, recording_root):
    """Hold the bytes of a replay against those of its recording, whatever the program said of them."""
    one, other = outcome(place), outcome(recording_root)
    for name in ("champion", "checkpoints", "inbox", "log"):
        assert one[name] == other[name], name


@pytest.fixture
def recorded(root):
    """An archipelago of two, of which `a` met the other at every migration, and found nobody new at some."""
    evolve(root, "peer", generations=6)
    evolve(root, generations=6)
    evolve(root, "peer", generations=9)
    evolve(root, generations=12)
    return root


def test_a_replay_ends_in_the_same_bytes_and_says_so(recorded, tmp_path, capsys):
    assert replay(tmp_path / "again", home(recorded)) == 0
    check_equal(tmp_path / "again", recorded)
    assert "the replay equals the recording: generations 0 to 12, checkpoint gen-" in capsys.readouterr().out
    assert not list((tmp_path / "again").glob("migration_pool/a/gen-*"))


def test_a_recording_whose_lines_say_less_is_replayed_too(recorded, tmp_path, capsys):
    """As those of older versions do."""
    log = SharedPaths(recorded).island("a").log
    lines = [{name: value for name, value in line.items() if name != "distinct"} for line in runlog.read(log)]
    log.unlink()
    runlog.append_all(log, lines)
    assert replay(tmp_path / "again", home(recorded)) == 0
    assert "the replay equals the recording: generations 0 to 12" in capsys.readouterr().out


@pytest.mark.parametrize(
    "values",
    [
        {"topology": "none"},
        {"task": "rastrigin", "mutation_rate": 0.3, "selection": "rank"},
        {"seed": 7, "migrants": 2},
        {"emigrant_selection": "tournament", "replacement": "random", "duplicates": "refuse", "max_migrant_age": 6},
        {"migration_interval": "adaptive", "migrate_every": 1, "replacement": "only-if-better"},
    ],
    ids=str,
)
def test_every_setting_comes_from_the_recording(root, tmp_path, values):
    common = {name: value for name, value in values.items() if name in {"seed", "task"}}
    evolve(root, "peer", **common)
    assert evolve(root, **values) == 0
    assert replay(tmp_path / "again", home(root)) == 0
    check_equal(tmp_path / "again", root)


def test_a_member_of_a_lockstep_can_be_replayed_alone(root, tmp_path):
    for name in [*"ab" * 5]:
        evolve(root, name, mode="lockstep", members="a,b", lockstep_timeout_s=0.0)
    for name in "ab":
        assert replay(tmp_path / "again", home(root, name), name) == 0
    check_equal(tmp_path / "again", root)


@pytest.mark.slow
@pytest.mark.parametrize("values", [{}, {"migration_interval": "adaptive", "migrate_every": 1}], ids=str)
def test_a_run_that_was_killed_and_stopped_is_replayed_in_one_go(root, tmp_path, values):
    run(root, "peer")
    for goal in (20, 45, 70):
        process = start(Job(root, "a", {"generations": 100, **values}, delay_s=0.002))
        wait_for(lambda goal=goal: last_generation(root) >= goal, process)
        os.kill(process.pid, signal.SIGTERM if goal == 45 else signal.SIGKILL)
        assert end(process) in {KILLED, 128 + signal.SIGTERM}
    assert run(root, generations=100, **values) == 0
    assert replay(tmp_path / "again", home(root)) == 0
    check_equal(tmp_path / "again", root)


@pytest.mark.slow
def test_an_unfinished_run_is_replayed_as_far_as_it_came(root, tmp_path, capsys):
    run(root, "peer")
    process = start(Job(root, "a", {"generations": 100}, delay_s=0.01))
    wait_for(lambda: last_generation(root) >= 20, process)
    process.kill()
    assert end(process) == KILLED
    came = last_generation(root)
    assert replay(tmp_path / "again", home(root)) == 0
    assert outcome(tmp_path / "again")["log"] == outcome(root)["log"]
    assert f"the replay equals the recording: generations 0 to {came}" in capsys.readouterr().out


def test_publications_that_were_refused_are_counted_as_they_were(root, tmp_path, monkeypatch):
    evolve(root, "peer")
    create = atomic.create_directory

    def refuse_some(path, *args, **kwargs):
        if path.name in {"gen-6", "gen-9"}:
            raise OSError(28, "No space left on device")
        return create(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "create_directory", refuse_some)
        evolve(root, duplicates="accept")
    assert [line["exports"] for line in outcome(root)["log"]][-1] == 10
    assert replay(tmp_path / "again", home(root)) == 0
    check_equal(tmp_path / "again", root)


def test_an_archived_island_is_replayed_from_where_it_lies(recorded, tmp_path):
    expected = outcome(recorded)["log"]
    perform(Job(recorded, "a", {}, is_fresh=True))
    assert replay(tmp_path / "again", recorded / "old" / "a-2" / "private") == 0
    assert outcome(tmp_path / "again")["log"] == expected


def test_a_stopped_replay_goes_on_and_a_finished_one_is_compared_again(recorded, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        log = FileRecorder.log

        def stop_at_7(recorder, state, *, evaluate_s):
            if state.generation == 6:
                os.kill(os.getpid(), signal.SIGTERM)
            log(recorder, state, evaluate_s=evaluate_s)

        patch.setattr(FileRecorder, "log", stop_at_7)
        assert replay(tmp_path / "again", home(recorded)) == 143
    assert last_generation(tmp_path / "again") < 12
    assert replay(tmp_path / "again", home(recorded)) == 0
    check_equal(tmp_path / "again", recorded)
    capsys.readouterr()
    assert replay(tmp_path / "again", home(recorded)) == 0
    said = capsys.readouterr().out
    assert "a is already at generation 12" in said
    assert "the replay equals the recording" in said


def test_a_replay_that_has_more_than_the_recording_is_none_of_it(recorded, tmp_path, capsys):
    replay(tmp_path / "again", home(recorded))
    evolve(recorded, generations=15)
    assert replay(tmp_path / "again", home(recorded)) == 0, "it goes on as the recording did"
    log = home(recorded) / "log.jsonl"
    log.write_bytes(
        b"".join(line for line in log.read_bytes().splitlines(keepends=True) if b'"generation":15,' not in line)
    )
    assert replay(tmp_path / "again", home(recorded)) == 11
    assert "the replay has generation 15, the recording ends at 14" in capsys.readouterr().out


# What a recording lacks


@pytest.mark.parametrize("generation", [3, 6, 9, 12])
def test_a_missing_entry_of_the_journal_is_named(recorded, tmp_path, generation, capsys):
    missing = home(recorded) / "inbox" / f"gen-{generation}.safetensors"
    missing.unlink()
    assert replay(tmp_path / "again", home(recorded)) == DamagedFileError.exit_code == 9
    assert f"no imports of generation {generation}: {missing} is missing" in capsys.readouterr().out
    assert last_generation(tmp_path / "again") == generation - 1


def test_a_gap_in_the_log_is_named(recorded, tmp_path, capsys):
    log = home(recorded) / "log.jsonl"
    log.write_bytes(
        b"".join(line for line in log.read_bytes().splitlines(keepends=True) if b'"generation":4,' not in line)
    )
    assert replay(tmp_path / "again", home(recorded)) == 9
    assert "generation 4 is missing" in capsys.readouterr().out


# Deviations


def change_entry(recorded, generation):
    """Let another genome have arrived."""
    files = PrivateFiles(home(recorded))
    arrivals = inbox.read(files.inbox(generation))
    genes = arrivals.migrants.population.genes.copy()
    genes[0, 0] = 1.25
    population = replace(arrivals.migrants.population, genes=genes)
    changed = replace(arrivals, migrants=replace(arrivals.migrants, population=population))
    files.inbox(generation).write_bytes(inbox.encode(generation, changed))


@pytest.mark.parametrize("generation", [3, 6, 9, 12])
def test_another_immigrant_is_noticed_at_its_generation(recorded, tmp_path, generation, capsys):
    change_entry(recorded, generation)
    assert replay(tmp_path / "again", home(recorded)) == ReplayError.exit_code == 11
    assert f"the replay differs from the recording at generation {generation}: " in capsys.readouterr().out
    assert replay(tmp_path / "again", home(recorded)) == 11, "and again"


@pytest.mark.parametrize("generation", [0, 1, 5, 12])
def test_another_line_is_noticed_at_its_generation(recorded, tmp_path, generation, capsys):
    log = home(recorded) / "log.jsonl"
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    for line in lines:
        if line["kind"] == "generation" and line["generation"] == generation:
            line["mean"] += 1e-9
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert replay(tmp_path / "again", home(recorded)) == 11
    assert f"differs from the recording at generation {generation}: mean was " in capsys.readouterr().out


def test_another_checkpoint_is_noticed(recorded, tmp_path, capsys):
    files = PrivateFiles(home(recorded))
    newest = checkpoint.decode(files.checkpoint(12).read_bytes())
    genes = newest.state.population.genes.copy()
    genes[3, 0] = np.nextafter(genes[3, 0], np.float32(0))
    state = replace(newest.state, population=replace(newest.state.population, genes=genes))
    files.checkpoint(12).write_bytes(checkpoint.encode(replace(newest, state=state)))
    assert replay(tmp_path / "again", home(recorded)) == 11
    assert "differs from the recording in the checkpoint of generation 12" in capsys.readouterr().out


def test_another_champion_is_noticed(recorded, tmp_path, capsys):
    path = PrivateFiles(home(recorded)).champion
    arrays, metadata = arrayfile.decode(path.read_bytes())
    path.write_bytes(arrayfile.encode(arrays, {**metadata, "generation": 0}))
    assert replay(tmp_path / "again", home(recorded)) == 11
    assert "differs from the recording in its champion" in capsys.readouterr().out


# Where it may not go


def test_a_replay_does_not_touch_the_archipelago_it_replays(recorded, capsys):
    before = {path: path.stat().st_mtime_ns for path in recorded.rglob("*")}
    assert replay(recorded, home(recorded)) == PoolMismatchError.exit_code
    assert "--mode async (not replay)" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in recorded.rglob("*")} == before


def test_nobody_joins_a_replay(recorded, tmp_path, capsys):
    replay(tmp_path / "again", home(recorded))
    assert evolve(tmp_path / "again", "new") == PoolMismatchError.exit_code
    assert "--mode replay (not async)" in capsys.readouterr().out


def test_a_replay_of_another_name_is_refused(recorded, tmp_path, capsys):
    assert replay(tmp_path / "again", home(recorded), "b") == ConfigError.exit_code
    assert "is a recording of island a, not of b" in capsys.readouterr().out
    assert not (tmp_path / "again").exists()


def test_two_islands_are_replayed_into_one_directory_and_afresh(recorded, tmp_path):
    for name in ("a", "peer", "a"):
        assert replay(tmp_path / "again", home(recorded, name), name, is_fresh=name == "a") == 0
    check_equal(tmp_path / "again", recorded)
    shutil.rmtree(home(recorded))
    assert replay(tmp_path / "again", home(recorded)) == ConfigError.exit_code
