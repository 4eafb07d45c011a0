"""The law of many islands in one process: each leaves the bytes that it would leave alone, and ends by itself."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import checkpoint, runlog
from atoll.evo.config import island_config
from atoll.evo.errors import EXIT_CODES, LockstepTimeoutError, StorageError, worst
from atoll.evo.paths import SharedPaths
from atoll.evo.recorder import FileRecorder
from atoll.evo.signals import StopSignal
from atoll.evo.tasks.functions import FunctionTask
from atoll.migration.observe import status
from atoll.migration.pool import epochs
from atoll.scripts.run import resume
from atoll.scripts.run.island import Command, run_island
from atoll.scripts.run.recording import replay_config
from tests.scripts.run import island_process as alone
from tests.scripts.run.island_process import KILLED, Job, epochs_of, outcome
from tests.scripts.run.joint_process import Joint, Told, perform, run_forked, start
from tests.scripts.run.test_lockstep import LOCKSTEP, all_run, result

ISOLATED = {"topology": "none"}
DIFFERENT = {
    "a": {},
    "b": {"population": 7, "generations": 9, "elite_share": 0.3},
    "c": {"algorithm": "snes", "population": 6},
    "d": {"algorithm": "cma", "population": 6, "checkpoint_every": 3},
    "e": {"algorithm": "de", "population": 8, "generations": 15},
    "f": {"algorithm": "sep-cma", "population": 6, "checkpoint_every": 1},
}
"""Settings, algorithms, sizes and ends that differ from island to island."""
ISLANDS = {name: {**ISOLATED, **values} for name, values in DIFFERENT.items()}
MEMBERS = dict.fromkeys("abc", LOCKSTEP)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Return what each island leaves that lives alone in its process."""
    return outcomes_alone(tmp_path_factory.mktemp("alone"), ISLANDS)


def outcomes_alone(root, values):
    """Evolve each island by itself; return what it leaves."""
    assert {alone.perform(Job(root, name, each)) for name, each in values.items()} == {0}
    return outcomes(root)


def outcomes(root, names=ISLANDS):
    return {name: outcome(root, name) for name in names}


def together(root, values=None, **others):
    """Evolve in this process; return the exit code, and what was said."""
    told = Told()
    return perform(Joint(root, values or ISLANDS, **others), told), told


def test_each_island_leaves_what_it_leaves_alone(root, straight):
    code, told = together(root)
    assert (code, told.complaints) == (0, [])
    assert outcomes(root) == straight


def test_all_who_ask_are_answered_by_one_call(root, monkeypatch):
    sizes = []
    evaluate = FunctionTask.evaluate

    def counting(task, genes, episode):
        sizes.append(len(genes))
        return evaluate(task, genes, episode)

    monkeypatch.setattr(FunctionTask, "evaluate", counting)
    names = [f"i{n}" for n in range(20)]
    assert together(root, {name: {**ISOLATED, "generations": 5} for name in names})[0] == 0
    assert len(sizes) == 6
    assert sizes[0] == 20 * 12


def test_noisy_islands_too_whose_champions_are_scored_again(root, tmp_path):
    file = tmp_path / "noisy.py"
    file.write_text(
        "class Gusts:\n"
        "    bounds = [(-1.0, 1.0)] * 4\n"
        "    def evaluate(self, genes, episode):\n"
        "        return genes.sum(axis=1) * (1 + episode % 5) - episode % 3\n"
    )
    values = {name: {**each, "task": f"{file}:Gusts"} for name, each in ISLANDS.items()}
    assert together(root, values)[0] == 0
    assert outcomes(root) == outcomes_alone(tmp_path / "alone", values)


def test_islands_share_a_task_only_where_all_that_it_is_made_of_is_alike(monkeypatch):
    monkeypatch.setattr(resume, "load_for", lambda config, backend, **_: (config.device, backend))
    load = resume.load_once(say=print, is_stopping=lambda: False)
    one, other = (island_config("a", {"device": device}, {}) for device in ("cuda:0", "cuda:1"))
    assert load(one, "auto") is load(one, "auto")
    assert [load(one, "auto"), load(other, "auto")] == [("cuda:0", "auto"), ("cuda:1", "auto")]


def test_an_evaluation_with_threads_of_its_own_is_as_it_was(root, tmp_path):
    file = tmp_path / "threads.py"
    file.write_text(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "POOL = ThreadPoolExecutor(3)\n"
        "class Sum:\n"
        "    bounds = [(-1.0, 1.0)] * 4\n"
        "    is_deterministic = True\n"
        "    def evaluate(self, genes, episode):\n"
        "        return list(POOL.map(lambda one: float(one[0] - one[1]), genes))\n"
    )
    values = {name: {**each, "task": f"{file}:Sum"} for name, each in ISLANDS.items()}
    assert together(root, values)[0] == 0
    assert outcomes(root) == outcomes_alone(tmp_path / "alone", values)


# Migration


@pytest.mark.slow
@pytest.mark.parametrize("topology", ["ring", "full"])
def test_in_lockstep_it_is_the_archipelago_of_as_many_processes(tmp_path, topology):
    values = {name: {**each, "topology": topology} for name, each in MEMBERS.items()}
    assert together(tmp_path / "joint", values)[0] == 0
    assert result(tmp_path / "joint") == all_run(tmp_path / "many", topology=topology)


@pytest.mark.slow
def test_in_lockstep_with_members_in_another_process_nobody_waits_for_ever(tmp_path):
    values = {name: {**each, "topology": "full"} for name, each in MEMBERS.items()}
    elsewhere = start(Joint(tmp_path / "two", {"c": values["c"]}))
    code, told = together(tmp_path / "two", {name: values[name] for name in "ab"})
    assert (code, told.complaints, alone.end(elsewhere)) == (0, [], 0)
    assert together(tmp_path / "joint", values)[0] == 0
    assert result(tmp_path / "two") == result(tmp_path / "joint")


def test_async_islands_import_each_others_same_generation_and_replay_bit_for_bit(root, tmp_path):
    """In step, as they began; and of islands that resumed apart, each is still a function of what it imported."""
    names = "abc"
    assert together(root, {name: {"generations": 6} for name in names})[0] == 0
    for name in names:
        ages = {
            event["generation"] - event["source_generation"]
            for event in runlog.read(SharedPaths(root).island(name).ledger)
            if event["kind"] == "imported"
        }
        assert ages == {0}
    assert alone.perform(Job(root, "a", {"generations": 9})) == 0  # so that it is ahead
    assert together(root, {name: {"generations": 18} for name in names})[0] == 0
    for name in names:
        assert replayed(tmp_path / f"replay-{name}", root, name) == 0
        one, other = outcome(tmp_path / f"replay-{name}", name), outcome(root, name)
        assert all(one[part] == other[part] for part in ("champion", "checkpoints", "inbox", "log"))


def replayed(place, recorded, name):
    config = replay_config(name, {"mode": "replay", "replay_from": str(SharedPaths(recorded).island(name).home)}, {})
    with StopSignal() as stop:
        return run_island(config, Command(place), display=Told(), stop=stop)


# Ends


def test_the_failure_of_a_start_ends_one_island(root, straight):
    (root / "islands").mkdir(parents=True)
    (root / "islands" / "b").write_text("no folder\n")
    code, told = together(root)
    assert code == StorageError.exit_code
    [complaint] = told.complaints
    assert complaint.startswith("error: b: ")
    assert outcomes(root, [*"acdef"]) == {name: each for name, each in straight.items() if name != "b"}


def test_an_island_that_another_process_owns_is_left_to_it(root, straight):
    holder = start(Joint(root, {"c": {**ISLANDS["c"], "generations": 10**6}}))
    alone.wait_for(lambda: alone.last_generation(root, "c") >= 0, holder)
    try:
        code, told = together(root)
    finally:
        holder.kill()
        alone.end(holder)
    assert code == 4
    assert "island c is already run by process" in told.complaints[0]
    left = {name: {**each, "leftovers": []} for name, each in outcomes(root, [*"abdef"]).items()}  # of the one killed
    assert left == {name: each for name, each in straight.items() if name != "c"}


def disturbed_at(monkeypatch, generation, act):
    """Act once, before the joint evaluation in which genomes of that generation are asked for."""
    evaluate, done = FunctionTask.evaluate, []

    def disturbed(task, genes, episode):
        if episode == generation and not done:
            done.append(True)
            act()
        return evaluate(task, genes, episode)

    monkeypatch.setattr(FunctionTask, "evaluate", disturbed)


def test_an_island_that_is_taken_over_ends_and_the_others_go_on(root, straight, monkeypatch):
    def take_over():
        paths = SharedPaths(root).island("d")
        epochs.claim(paths, after=1, generation=0, target=12, population=6, task="sphere")

    disturbed_at(monkeypatch, 5, take_over)
    code, told = together(root)
    assert code == 5
    [complaint] = told.complaints
    assert complaint.startswith("error: d: ")
    assert outcomes(root, [*"abcef"]) == {name: each for name, each in straight.items() if name != "d"}


def test_an_island_whose_disk_is_full_ends_and_goes_on_from_its_checkpoint(root, straight, monkeypatch):
    save = checkpoint.save

    def full(paths, *args, **kwargs):
        if paths.name == "e":
            raise OSError(28, "No space left on device")
        return save(paths, *args, **kwargs)

    with monkeypatch.context() as patch:
        disturbed_at(patch, 7, lambda: patch.setattr(checkpoint, "save", full))
        code, told = together(root)
    assert code == 7
    assert "No space left" in told.complaints[0]
    assert told.complaints[0].startswith("error: e: ")
    assert together(root)[0] == 0
    assert outcomes(root) == straight


EXPLAINED = [
    (OSError(28, "No space left on device"), (7, "free some space")),
    (MemoryError("Unable to allocate"), (13, "not enough memory")),
    (LockstepTimeoutError("waited"), (10, "waited")),
]


@pytest.mark.parametrize(("error", "expected"), EXPLAINED, ids=lambda value: type(value).__name__)
def test_whatever_is_explained_ends_one_island_and_names_it(root, straight, monkeypatch, error, expected):
    log = FileRecorder.log

    def failing(recorder, state, *, evaluate_s):
        if recorder.config.island == "e" and state.generation == 5:
            raise error
        log(recorder, state, evaluate_s=evaluate_s)

    monkeypatch.setattr(FileRecorder, "log", failing)
    code, told = together(root)
    [complaint] = told.complaints
    assert complaint.startswith("error: e: ")
    assert code == expected[0]
    assert expected[1] in complaint
    assert outcomes(root, [*"abcdf"]) == {name: each for name, each in straight.items() if name != "e"}


def test_a_bug_ends_all_aloud(root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(FileRecorder, "log", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            together(root)
    assert together(root)[0] == 0, "no lock is left"


BREAKS = """
from pathlib import Path
class Breaks:
    bounds = [(-1.0, 1.0)] * 4
    def evaluate(self, genes, episode):
        if episode == 5 and len(genes) in (7, 45) and not Path(__file__).with_name("mended").exists():
            raise RuntimeError("broken")
        return genes.sum(axis=1) * (1 + episode % 5)
"""
"""Fails for the island of 7, and for all 45 together."""


def test_a_task_that_fails_for_one_island_ends_that_one_and_mended_it_goes_on(root, tmp_path):
    file = tmp_path / "breaks.py"
    file.write_text(BREAKS)
    values = {name: {**each, "task": f"{file}:Breaks"} for name, each in ISLANDS.items()}
    code, told = together(root, values)
    assert code == 8
    [complaint] = told.complaints
    assert complaint.startswith("error: b: ")
    assert "RuntimeError: broken" in complaint
    assert alone.last_generation(root, "b") == 4
    assert [alone.last_generation(root, name) for name in "acdef"] == [12, 12, 12, 15, 12]
    (tmp_path / "mended").touch()
    assert together(root, values)[0] == 0
    assert outcomes(root) == outcomes_alone(tmp_path / "alone", values)


def test_the_lock_of_an_island_that_has_ended_is_free_while_others_go_on(root, monkeypatch):
    found = []
    disturbed_at(monkeypatch, 14, lambda: found.append(alone.run_forked(Job(root, "b", {**ISLANDS["b"]}))))
    assert together(root)[0] == 0
    assert found == [0], "it is over, says its new process, and nobody owns it"


@given(st.lists(st.sampled_from(sorted(EXIT_CODES)), min_size=1))
def test_the_worst_exit_code_is_an_error_before_a_signal_before_success(codes):
    errors, signals = [code for code in codes if 0 < code < 128], [code for code in codes if code > 128]
    assert worst(codes) == (max(errors) if errors else max(signals) if signals else 0)


# Signals and kills


@pytest.mark.parametrize("generation", [0, 1, 6, 9])
def test_a_signal_stops_all_with_a_checkpoint_and_the_same_command_goes_on(root, straight, monkeypatch, generation):
    with monkeypatch.context() as patch:
        disturbed_at(patch, generation, lambda: signal.raise_signal(signal.SIGINT))
        code, told = together(root)
    assert (code, told.complaints) == (128 + signal.SIGINT, [])
    stopped = [name for name in ISLANDS if alone.last_generation(root, name) == generation]
    assert len(stopped) == len(ISLANDS)
    assert all(checkpoint.kept(SharedPaths(root).island(name))[-1] == generation for name in ISLANDS)
    assert together(root)[0] == 0
    assert outcomes(root) == straight


def test_the_first_signal_is_answered_for_all(root, monkeypatch):
    answers = []
    stops = []
    disturbed_at(monkeypatch, 3, lambda: answers.append(stops[0].answer()))
    perform(Joint(root, ISLANDS), heard=stops.append)
    assert answers[0].startswith("6 islands: stopping after this generation; a second signal ends them at once")


@pytest.mark.slow
def test_killed_before_any_file_operation_each_ends_in_the_same_bytes(tmp_path, straight, chaos):
    """Some are at other generations then: what is asked for by then is answered in groups."""
    kills = 0
    for place in range(20, 4000, 37 if chaos else 211):
        here = tmp_path / f"killed-{place}"
        if run_forked(Joint(here, ISLANDS, signal=(signal.SIGKILL, place))) == 0:
            break
        kills += 1
        assert run_forked(Joint(here, ISLANDS)) == 0
        assert outcomes(here) == straight
    assert kills > 3


@pytest.mark.slow
def test_in_lockstep_killed_again_and_again_it_is_the_same_archipelago(tmp_path):
    values = {name: {**each, "generations": 40} for name, each in MEMBERS.items()}
    assert together(tmp_path / "straight", values)[0] == 0
    rng = np.random.default_rng(1)
    kills = 0
    while True:
        code = run_forked(Joint(tmp_path / "killed", values, signal=(signal.SIGKILL, int(rng.integers(10, 600)))))
        if code == 0:
            break
        assert code == KILLED
        kills += 1
    assert kills > 3
    assert result(tmp_path / "killed") == result(tmp_path / "straight")


# What others see


def test_each_has_its_own_epochs_log_and_status(root):
    assert together(root)[0] == 0
    assert together(root, {name: {**each, "generations": 20} for name, each in ISLANDS.items()})[0] == 0
    for name in ISLANDS:
        assert epochs_of(root, name) == [1, 2]
    rows = {row.name: row for row in status.read_all(SharedPaths(root))}
    assert {name: row.generation for name, row in rows.items()} == dict.fromkeys(ISLANDS, 20)


def test_the_logged_seconds_are_a_share_of_the_joint_evaluation(root):
    assert together(root)[0] == 0
    for name in ISLANDS:
        lines = [line for line in runlog.read(SharedPaths(root).island(name).log) if line["kind"] == "generation"]
        assert all(line["time"]["evaluate_s"] > 0 for line in lines if line["time"]["scored"])
