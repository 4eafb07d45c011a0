"""Whole lives by other people's algorithms: what is wrong is told, nothing is lost, and what is mended goes on."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.evo import checkpoint, signals
from atoll.evo.errors import ConfigError, ResumeError, TaskError
from atoll.evo.paths import SharedPaths
from tests.processes import ROOT, atoll, called, check_refused, run
from tests.scripts.run.island_process import KILLED, Job, copy_of, end, outcome, perform, start

if TYPE_CHECKING:
    from pathlib import Path

CLIMB = """
from dataclasses import replace
import numpy as np

class Climb:
    def start(self, state, spec):
        return {"step": 0.2}

    def breed(self, state, memory, spec, *, streams):
        parents = state.population.take(np.full(len(state.fitness), state.fitness.argmax()))
        moves = streams("moves").normal(size=parents.genes.shape)
        moves[0] = 0
        genes = np.clip(parents.genes + memory["step"] * moves, spec.low, spec.high)
        return replace(parents, genes=genes), {"step": memory["step"] * 0.95}
"""
BREAKS = CLIMB.replace("        moves[0]", "        if state.generation == 7: raise OSError('gone')\n        moves[0]")


@pytest.fixture
def write(tmp_path: Path):
    def written(source: str, name: str = "Climb") -> str:
        (tmp_path / "climb.py").write_text(source)
        return f"{tmp_path / 'climb.py'}:{name}"

    return written


def evolve(root: Path, algorithm: str, island: str = "a", **values: object) -> int:
    return perform(Job(root, island, {"algorithm": algorithm, **values}))


def test_two_islands_evolve_by_a_users_file_and_exchange_genomes(root, write):
    for island in ("a", "b"):
        assert evolve(root, write(CLIMB), island) == 0
    told = outcome(root, "b")
    assert told["log"][-1]["imports"] > 0
    assert set(told["log"][-1]["ancestry"]) <= {"a", "b"}
    assert told["log"][-1]["champion"] > told["log"][0]["champion"]


def test_a_run_in_stages_is_the_run_at_once(root, tmp_path, write):
    algorithm, template = write(CLIMB), tmp_path / "template"
    evolve(template, algorithm, "peer")
    copy_of(template, root)
    whole = copy_of(template, tmp_path / "whole")
    for generations in (5, 6, 12):
        assert evolve(root, algorithm, generations=generations) == 0
    assert evolve(whole, algorithm) == 0
    one, other = outcome(root), outcome(whole)
    for ending in (one, other):
        ending["checkpoints"] = ending["checkpoints"]["gen-12.safetensors"]
    assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 6, 10])
def test_killed_while_it_breeds_and_started_again_it_ends_in_the_same_bytes(root, tmp_path, write, n):
    algorithm, template = write(CLIMB), tmp_path / "template"
    evolve(template, algorithm, "peer")
    copy_of(template, root)
    whole = copy_of(template, tmp_path / "whole")
    kills = f"        if state.generation == {n}: os.kill(os.getpid(), signal.SIGKILL)\n        moves[0]"
    source = f"import os, signal\n{CLIMB}".replace("        moves[0]", kills)
    assert end(start(Job(root, "a", {"algorithm": write(source)}))) == KILLED
    assert evolve(root, write(CLIMB)) == 0
    assert evolve(whole, algorithm) == 0
    assert outcome(root) == outcome(whole)


def test_breeding_that_fails_is_told_in_one_line_and_mended_the_run_goes_on_to_the_same_end(
    root, tmp_path, write, capsys
):
    """The last whole generation is kept, though no checkpoint was due; what follows is as if nothing had been wrong."""
    alone = {"topology": "none", "checkpoint_every": 5}
    assert evolve(root, write(BREAKS), **alone) == TaskError.exit_code
    error = capsys.readouterr().out.splitlines()[-1]
    assert error.startswith(f"TaskError: {tmp_path}/climb.py, line 12, in breed: OSError: gone (generation 7); 'python")
    assert checkpoint.kept(SharedPaths(root).island("a"))[-1] == 7
    assert evolve(root, write(CLIMB), **alone) == 0
    told = capsys.readouterr().out
    assert "resuming at generation 7" in told
    assert "climb.py:Climb is not the file that a was started with (source " in told
    assert evolve(tmp_path / "whole", write(CLIMB), **alone) == 0
    ours, whole = outcome(root), outcome(tmp_path / "whole")
    assert ours["log"] == whole["log"]
    assert ours["checkpoints"]["gen-12.safetensors"] == whole["checkpoints"]["gen-12.safetensors"]


def test_the_log_says_which_source_it_was_and_the_same_is_no_matter_to_warn_of(root, write, capsys):
    for generations in (6, 12):
        assert evolve(root, write(CLIMB), generations=generations) == 0
    starts = [json.loads(line) for line in SharedPaths(root).island("a").log.read_text().splitlines()]
    assert len({start["algorithm"] for start in starts if start["kind"] == "start"}) == 1
    assert starts[0]["algorithm"].startswith("source ")
    assert "warning" not in capsys.readouterr().out


def test_an_island_of_another_algorithm_is_refused(root, write, capsys):
    assert evolve(root, write(CLIMB), generations=6) == 0
    assert evolve(root, "ga") == ResumeError.exit_code
    assert "climb.py:Climb', now 'ga'" in capsys.readouterr().out


@pytest.mark.parametrize(("named", "is_separated"), [(("sphere", "ga"), False), (("sphere", "a.py:A"), True)])
def test_the_processes_of_an_algorithm_have_a_group_of_their_own_as_those_of_a_task(named, is_separated, monkeypatch):
    made = []
    monkeypatch.setattr(signals, "separate_children", lambda: made.append(1))
    signals.separate_children_of(*named)
    assert bool(made) == is_separated


def test_an_island_asks_for_that_group_by_task_and_algorithm(root, monkeypatch):
    asked = []
    monkeypatch.setattr(signals, "separate_children_of", lambda *named: asked.extend(named))
    given = ("--task", "sphere", "--algorithm", "snes", "-p", "9", "-g", "1", "--migration-dir", root)
    assert called("evolve", "a", *given).returncode == 0
    assert asked == ["sphere", "snes"]


def test_an_algorithm_that_cannot_be_had_starts_nothing(root, write, capsys):
    assert evolve(root, write(CLIMB, "Clim")) == ConfigError.exit_code
    assert "did you mean 'Climb'" in capsys.readouterr().out
    assert not root.exists()


TASK_TOO = """
import os
os.chdir("/")

bounds = [(0.0, 1.0)] * 3

def hill(x):
    return x.sum()
"""


@pytest.mark.slow
def test_task_and_algorithm_may_stand_in_one_file_that_changes_directory(tmp_path, write):
    write(CLIMB + TASK_TOO)
    given = ("--task", "climb.py:hill", "--algorithm", "climb.py:Climb", "-p", "12", "-g", "4")
    command = (sys.executable, ROOT / "cli.py", "evolve", "a", *given, "--migration-dir", "s")
    ended = run(*command, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "algorithm climb.py:Climb (source " in ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        (CLIMB.replace("Climb", "Clamb"), 2, "did you mean 'Clamb'"),
        (CLIMB.replace("class", "klass"), 8, "line 5: SyntaxError"),
        (CLIMB.replace("np.clip", "sum"), 8, "in breed: TypeError"),
        (CLIMB.replace("genes=genes", "genes=parents.genes + 99"), 8, "breed must keep genes within their bounds"),
        (CLIMB.replace("np.full(len(state.fitness)", "np.full(3"), 8, "must return 6 children or more"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_exit_code(root, write, source, code, words):
    given = ("-p", "9", "-g", "2", "--task", "sphere", "--algorithm", write(source), "--migration-dir", root)
    check_refused(atoll("evolve", "a", *given), code, words)


def test_a_small_population_owes_no_more_children_than_it_has(root, write):
    given = ("-p", "4", "-g", "2", "--task", "sphere", "--algorithm", write(CLIMB), "--migration-dir", root)
    ended = atoll("evolve", "a", *given)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_a_recorded_island_is_replayed_by_the_algorithm_that_the_user_names_again(root, tmp_path, write):
    algorithm = write(CLIMB)
    for island in ("peer", "a"):
        assert evolve(root, algorithm, island) == 0
    replay = ("evolve", "a", "--mode", "replay", "--replay-from", root / "islands/a", "--migration-dir", tmp_path / "r")
    check_refused(atoll(*replay), ConfigError.exit_code, f"name it too, as in --algorithm {algorithm}")
    ended = atoll(*replay, "--algorithm", algorithm)
    assert ended.returncode == 0, ended.stderr
    assert "the replay equals the recording" in ended.stdout
