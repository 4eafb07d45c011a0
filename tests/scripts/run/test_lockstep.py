"""The law of lockstep: an archipelago ends in the same bytes, in one process or in many, slow, killed or restarted."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from atoll.evo import checkpoint, runlog
from atoll.evo.config import island_config
from atoll.evo.errors import ConfigError, LockstepTimeoutError, PoolMismatchError, ResumeError
from atoll.evo.paths import GENOMES, MANIFEST, SharedPaths
from atoll.evo.recorder import FileRecorder, MemoryRecorder, recorded_settings
from atoll.evo.records import Start
from atoll.evo.settings import flag_name
from atoll.evo.tasks.loader import load_task
from atoll.migration.observe import status
from atoll.migration.pool import identity as pool
from atoll.migration.pool.ledger import Ledger
from atoll.scripts.run.archipelago import evolve_together
from tests.scripts.run.island_process import (
    DEFAULTS,
    KILLED,
    Job,
    end,
    epochs_of,
    last_generation,
    perform,
    run,
    start,
    timeless,
    wait_for,
)

MEMBERS = "abc"
LOCKSTEP = {"mode": "lockstep", "members": ",".join(MEMBERS), "lockstep_timeout_s": 86400.0}
TIMING = {"waiting", "refused", "unpublished", "no-beat", "mended", "published"}
"""What is in a ledger depending on when; a restart may offer again what it has offered."""


def paths_of(root, island="a"):
    return SharedPaths(root).island(island)


def configs(**values):
    values = {**DEFAULTS, **LOCKSTEP, **values}
    return [island_config(name, values, {}) for name in MEMBERS]


def together(root, **values):
    """Evolve the members in this process; their private files lie where those of processes would."""
    members = configs(**values)
    task = load_task(members[0].task, {})

    def recorder_of(config):
        settings = recorded_settings(config, task)
        recorder = FileRecorder(paths_of(root, config.island), config=config, task=task, settings=settings, observe=id)
        recorder.start(Start(epoch=1, generation=0))
        return recorder

    def ledger_of(config):
        ledger = Ledger(paths_of(root, config.island))
        ledger.start(Start(epoch=1, generation=0))
        return ledger

    states = evolve_together(members, task, recorder_of=recorder_of, ledger_of=ledger_of)
    assert {name: state.generation for name, state in states.items()} == dict.fromkeys(MEMBERS, members[0].generations)
    return result(root)


def result(root):
    """Return all that may not depend on speed or fate; an epoch counts the starts, so it does."""
    found = {}
    for name in MEMBERS:
        paths = paths_of(root, name)
        events = timeless(runlog.current(runlog.read(paths.ledger)))
        found[name] = {
            "champion": paths.champion.read_bytes(),
            "checkpoints": {path.name: path.read_bytes() for path in sorted(paths.checkpoints.iterdir())},
            "log": timeless(runlog.current(runlog.read(paths.log))),
            "events": [{**event, "source_epoch": 0} for event in events if event["kind"] not in TIMING],
        }
    return found


def offers(root):
    """Return the genomes that each member has published."""
    batches = [path for name in MEMBERS for path in paths_of(root, name).outbox.glob("gen-*")]
    return {str(path.relative_to(root)): (path / GENOMES).read_bytes() for path in batches}


def job(root, island, values, **others):
    return Job(root, island, {**LOCKSTEP, **values}, **others)


def all_run(root, *, order=MEMBERS, delays_s=(0.0, 0.0, 0.0), **values):
    """Run every member in a process of its own, started in this order and so much slower each, to the end."""
    processes = []
    for name, delay_s in zip(order, delays_s, strict=True):
        processes.append(start(job(root, name, values, delay_s=delay_s)))
        time.sleep(delay_s)
    assert [end(process) for process in processes] == [0, 0, 0]
    return result(root)


def evolve(root, island="a", *, is_fresh=False, **values):
    return perform(job(root, island, values, is_fresh=is_fresh))


# The law


@pytest.mark.slow
@pytest.mark.parametrize("topology", ["full", "ring", "random-1"])
def test_in_one_process_and_in_many_it_is_the_same_archipelago(tmp_path, topology):
    expected = together(tmp_path / "memory", topology=topology)
    assert all_run(tmp_path / "disk", topology=topology) == expected
    imports = [event for event in expected["a"]["events"] if event["kind"] == "imported"]
    assert {event["source_generation"] == event["generation"] for event in imports} == {True}
    assert len({event["generation"] for event in imports}) == 4


CHOOSY = {
    "emigrant_selection": "tournament",
    "replacement": "only-if-better",
    "topology": "two-way-ring",
    "duplicates": "refuse",
    "max_migrant_age": 3,
}
CROWDED = {"emigrant_selection": "most-different", "replacement": "most-similar", "topology": "star"}
AT_RANDOM = {"emigrant_selection": "random", "replacement": "random"}


@pytest.mark.slow
@pytest.mark.parametrize("policies", [CHOOSY, CROWDED, AT_RANDOM], ids=["choosy", "crowded", "at random"])
def test_whatever_the_policies_killed_processes_make_the_same_archipelago(tmp_path, policies):
    root, values = tmp_path / "disk", {**policies, "generations": 60}
    processes = {name: start(job(root, name, values)) for name in MEMBERS}
    for victim, goal in zip("abc", (10, 25, 40), strict=True):
        wait_for(lambda: last_generation(root, victim) >= goal, processes[victim])  # noqa: B023 - at once
        processes[victim].kill()
        assert end(processes[victim]) == KILLED
        processes[victim] = start(job(root, victim, values))
    assert [end(process) for process in processes.values()] == [0, 0, 0]
    assert result(root) == together(tmp_path / "memory", **values)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "delays_s"), [("cba", (0.0, 0.02, 0.0)), ("bca", (0.05, 0.0, 0.01)), ("acb", (0.0, 0.0, 0.1))]
)
def test_whoever_is_first_or_slow_it_is_the_same_archipelago(tmp_path, order, delays_s):
    assert all_run(tmp_path / "disk", order=order, delays_s=delays_s) == together(tmp_path / "memory")


@pytest.mark.slow
def test_whoever_is_killed_and_started_again_it_is_the_same_archipelago(tmp_path):
    """Any members, several at once, at random moments from the first generation to the last."""
    n, values, root, rng = 12, {"generations": 120}, tmp_path / "disk", np.random.default_rng(5)
    processes = {name: start(job(root, name, values)) for name in MEMBERS}
    for kill in range(n):
        victims = rng.permutation(list(MEMBERS))[: rng.integers(1, 4)]
        goal = values["generations"] * (kill + rng.random()) / (n + 1)
        wait_for(lambda: last_generation(root, victims[0]) >= goal, processes[victims[0]])  # noqa: B023 - at once
        time.sleep(rng.random() * 0.01)
        for name in victims:
            processes[name].kill()
        for name in victims:
            assert end(processes[name]) == KILLED
            processes[name] = start(job(root, name, values))
    assert [end(process) for process in processes.values()] == [0, 0, 0]
    assert result(root) == together(tmp_path / "memory", **values)
    assert sum(len(epochs_of(root, name)) for name in MEMBERS) > n


def test_members_of_one_process_wait_for_nobody_outside():
    with pytest.raises(LockstepTimeoutError, match="a, b would wait for ever"):
        evolve_together(configs()[:2], load_task("sphere", {}), recorder_of=lambda _: MemoryRecorder())


# Who belongs to it


def test_a_late_joiner_is_refused(root, capsys):
    evolve(root, lockstep_timeout_s=0.0)
    assert evolve(root, "d", members="a,b,c,d") == PoolMismatchError.exit_code
    assert "--members a,b,c (not a,b,c,d)" in capsys.readouterr().out
    assert perform(Job(root, "d", {})) == PoolMismatchError.exit_code
    assert "--mode lockstep --members a,b,c (not async)" in capsys.readouterr().out
    assert evolve(root, "d") == ConfigError.exit_code
    assert "d is not among a,b,c" in capsys.readouterr().out
    assert not paths_of(root, "d").outbox.exists()


@pytest.mark.parametrize("values", [{"migrate_every": 4}, {"generations": 24}, {"migrants": 4}])
def test_other_terms_are_refused(root, values, capsys):
    evolve(root, lockstep_timeout_s=0.0)
    assert evolve(root, "b", **values) == PoolMismatchError.exit_code
    [(name, value)] = values.items()
    agreed = DEFAULTS[name]
    assert f"{flag_name(name)} {agreed} (not {value})" in capsys.readouterr().out


# Waiting


def test_who_waits_too_long_says_for_whom_and_the_same_command_goes_on(root, tmp_path, capsys):
    assert evolve(root, lockstep_timeout_s=0.3) == LockstepTimeoutError.exit_code == 10
    assert "LockstepTimeoutError: a waited 0.3 s for b, c gen-3; start whoever" in capsys.readouterr().out
    assert last_generation(root) == 2
    assert all_run_here(root) == together(tmp_path / "memory", lockstep_timeout_s=0.0)["a"]["log"]


def all_run_here(root):
    """Run all members in this process, each until it would have to wait, until all are through; return a's log."""
    codes = {}
    for name in [*MEMBERS * 5]:
        codes[name] = evolve(root, name, lockstep_timeout_s=0.0)
    assert codes == dict.fromkeys(MEMBERS, 0)
    return result(root)["a"]["log"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_waits_leaves_at_once_and_the_same_command_goes_on(root, tmp_path, number):
    output = tmp_path / "output"
    process = start(job(root, "a", {}, output=output))
    wait_for(lambda: "waiting for b, c gen-3" in migrations(root), process)
    [row] = status.read_all(SharedPaths(root))
    assert (row.condition, row.waiting_for, row.generation) == ("waiting", ("b", "c"), 2)
    os.kill(process.pid, number)
    assert end(process) == 128 + number, "long before its wait would be over"
    assert "a stopped at generation 3; the same command goes on from there" in output.read_text()
    assert checkpoint.load_newest(paths_of(root)).state.generation == 3
    assert last_generation(root) == 2
    assert all_run(root) == together(tmp_path / "memory")


def migrations(root):
    path = paths_of(root).migration_log
    return path.read_text() if path.exists() else ""


@pytest.mark.slow
def test_a_signal_at_the_last_generation_does_not_make_it_finished(root):
    process = start(job(root, "a", {"generations": 3}))
    wait_for(lambda: "waiting for b, c gen-3" in migrations(root), process)
    os.kill(process.pid, signal.SIGTERM)
    assert end(process) == 128 + signal.SIGTERM
    for name in "bcabc":
        code = evolve(root, name, generations=3, lockstep_timeout_s=0.0)
    assert code == 0
    assert last_generation(root) == 3


def test_how_long_to_wait_may_differ_at_each_start(root):
    assert evolve(root, lockstep_timeout_s=0.0) == 10
    assert evolve(root, lockstep_timeout_s=0.1) == 10


# Damage


def test_an_owner_publishes_again_what_was_damaged(root, tmp_path, capsys):
    """Whatever generation it is of, also where the owner has finished since."""
    expected = together(tmp_path / "memory", lockstep_timeout_s=0.0)
    all_run_here(root)
    before = offers(root)
    for generation in (12, 6):
        broken = paths_of(root).publication(generation)
        (broken / MANIFEST).write_bytes(b"")
        capsys.readouterr()
        assert evolve(root, lockstep_timeout_s=0.0) == 0
        assert f"moved our gen-{generation} away, damaged" in migrations(root)
        assert (f"gen-{generation} of a is not in the pool any more" in capsys.readouterr().out) == (generation == 6)
        assert offers(root) == before
        assert result(root)["a"]["log"] == expected["a"]["log"]
    assert result(root)["a"] == expected["a"]


@pytest.mark.slow
@pytest.mark.parametrize("stop", [7, 18])
def test_cut_short_on_the_way_back_it_goes_on_from_there(root, tmp_path, monkeypatch, stop):
    """Before or after what was lost is there again: not from the newer checkpoint that it had, or its log had a gap."""
    expected = together(tmp_path / "memory", lockstep_timeout_s=0.0, generations=30)
    for name in [*MEMBERS * 11]:
        evolve(root, name, lockstep_timeout_s=0.0, generations=30)
    before = offers(root)
    (paths_of(root).publication(15) / GENOMES).unlink()
    assert run_and_stop(root, monkeypatch, stop, generations=30) == 143
    assert paths_of(root).publication(15).exists() == (stop > 15)
    assert evolve(root, lockstep_timeout_s=0.0, generations=30) == 0
    assert offers(root) == before
    assert result(root) == expected


def run_and_stop(root, monkeypatch, generation, **values):
    """Evolve, and be told to stop after a generation."""
    with monkeypatch.context() as patch:
        log = FileRecorder.log

        def log_and_stop(recorder, state, *, evaluate_s):
            if state.generation == generation:
                os.kill(os.getpid(), signal.SIGTERM)
            log(recorder, state, evaluate_s=evaluate_s)

        patch.setattr(FileRecorder, "log", log_and_stop)
        return evolve(root, lockstep_timeout_s=0.0, **values)


def test_afresh_archives_the_private_half_and_ends_the_same(root, capsys):
    all_run_here(root)
    before, log = offers(root), result(root)["a"]["log"]
    assert evolve(root, is_fresh=True, lockstep_timeout_s=0.0) == 0
    assert "archived the former a to" in capsys.readouterr().out
    assert offers(root) == before
    assert result(root)["a"]["log"] == log
    assert not list(root.glob("old/*/published"))


def test_afresh_with_other_settings_is_refused_at_the_first_offer_that_differs(root, capsys):
    all_run_here(root)
    before = offers(root)
    assert evolve(root, is_fresh=True, lockstep_timeout_s=0.0, mutation_rate=0.5) == ResumeError.exit_code
    assert "gen-3 of a was published before, and is another" in capsys.readouterr().out
    assert offers(root) == before


def test_a_finished_member_says_that_all_end_there(root, capsys):
    all_run_here(root)
    capsys.readouterr()
    assert evolve(root) == 0
    assert "a is already at generation 12; all members end there; 'cli.py pool archive'" in capsys.readouterr().out


def test_the_pool_says_what_was_agreed(root):
    evolve(root, lockstep_timeout_s=0.0)
    assert pool.read(SharedPaths(root)).agreement == configs()[0].agreement()


@pytest.mark.slow
def test_with_a_short_delay_a_member_alone_in_its_lockstep_needs_nobody(root):
    assert run(root, mode="lockstep", members="a") == 0
