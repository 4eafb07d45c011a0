"""Whole lives on other people's problems: what is wrong is told, nothing is lost, and what is mended goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import safetensors.numpy

from atoll.evo import checkpoint
from atoll.evo.errors import ConfigError, PoolMismatchError, TaskError
from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.loader import load_task
from tests.processes import atoll, check_refused
from tests.scripts.run.island_process import Job, outcome, perform

if TYPE_CHECKING:
    from pathlib import Path

HILL = """
import numpy as np

class Hill:
    bounds = [(0.0, 1.0)] * 6

    def evaluate(self, genes, episode):
        return genes.sum(axis=1)
"""
BREAKS = HILL.replace("        return", "        if episode == 7: return 1 / 0\n        return")
ALONE = {"topology": "none", "checkpoint_every": 5}


@pytest.fixture
def write(tmp_path: Path):
    def written(source: str, name: str = "Hill") -> str:
        (tmp_path / "hill.py").write_text(source)
        return f"{tmp_path / 'hill.py'}:{name}"

    return written


def evolve(root: Path, task: str, island: str = "a", **values: object) -> int:
    return perform(Job(root, island, {"task": task, **values}))


def champion(root: Path, island: str = "a") -> np.ndarray:
    return safetensors.numpy.load_file(SharedPaths(root).island(island).champion)["genes"]


def test_two_islands_evolve_on_a_users_file_and_exchange_genomes(root, write):
    task = write(HILL)
    assert evolve(root, task) == 0
    assert evolve(root, task, "b") == 0
    assert outcome(root, "b")["log"][-1]["imports"] > 0
    assert champion(root).shape == (1, 6)
    assert champion(root).sum() > 4


def test_an_evaluation_that_fails_is_told_in_one_line_and_mended_the_run_goes_on_to_the_same_end(
    root, tmp_path, write, capsys
):
    """The last whole generation is kept, though no checkpoint was due; what follows is as if nothing had been wrong."""
    assert evolve(root, write(BREAKS), **ALONE) == TaskError.exit_code
    error = capsys.readouterr().out.splitlines()[-1]
    assert error.startswith(f"TaskError: {tmp_path}/hill.py, line 8, in evaluate: ZeroDivisionError: division by zero")
    assert "(generation 7, genome 0 of 12)" in error
    assert checkpoint.kept(SharedPaths(root).island("a"))[-1] == 6
    assert evolve(root, write(HILL), **ALONE) == 0
    told = capsys.readouterr().out
    assert "resuming at generation 6" in told
    assert "warning: hill.py:Hill is not the file that this pool was started with" in told
    assert evolve(tmp_path / "whole", write(HILL), **ALONE) == 0
    ours, whole = outcome(root), outcome(tmp_path / "whole")
    assert ours["log"] == whole["log"]
    assert ours["checkpoints"]["gen-12.safetensors"] == whole["checkpoints"]["gen-12.safetensors"]
    assert (champion(root) == champion(tmp_path / "whole")).all()


def test_the_same_file_is_no_matter_to_warn_of(root, write, capsys):
    evolve(root, write(HILL))
    evolve(root, write(HILL), "b")
    assert "warning" not in capsys.readouterr().out


def test_another_genome_is_refused(root, write, capsys):
    evolve(root, write(HILL))
    task = write(HILL.replace("1.0)] * 6", "2.0)] * 6"))
    assert evolve(root, task, "b") == PoolMismatchError.exit_code
    assert "the genome layout of another version of the task" in capsys.readouterr().out


@pytest.mark.slow
def test_another_option_is_refused(root, write):
    task = write("bounds = [(0, 1)] * 4\ndef f(x, k=1.0): return k * sum(x)\n", "f")
    assert atoll("evolve", "a", "--task", task, "-p", "9", "-g", "2", "--migration-dir", root).returncode == 0
    other = ("evolve", "b", "--task", task, "-p", "9", "-g", "2", "-o", "k=2", "--migration-dir", root)
    check_refused(atoll(*other), PoolMismatchError.exit_code, "-o k=1.0 (not 2.0)")


def test_the_files_of_an_island_say_which_source_it_was(root, write):
    task = write(HILL)
    evolve(root, task)
    identity = json.loads(SharedPaths(root).identity.read_text())["task"]
    start = json.loads(SharedPaths(root).island("a").log.read_text().splitlines()[0])
    assert identity["name"] == "hill.py:Hill"
    assert identity["source_sha256"] == load_task(task, {}).source_sha256
    assert start["build"] == f"source {identity['source_sha256'][:12]}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        (HILL.replace("genes.sum(axis=1)", "genes"), 8, "line 7: evaluate must return 9 numbers, one per genome"),
        (
            HILL.replace("genes.sum(axis=1)", "genes[:, 0] * np.nan"),
            8,
            "got nan (generation 0, genome 0 of 9; 9",
        ),
        (HILL.replace("class", "klass"), 8, "line 4: SyntaxError"),
        (HILL.replace("Hill", "Hall"), 2, "did you mean 'Hall'"),
        (HILL.replace("    bounds", "    baunds"), 8, "does not say what a genome is"),
        (HILL.replace("genes.sum(axis=1)", "open('nothing')"), 8, "FileNotFoundError"),
        (HILL.replace("genes.sum(axis=1)", "exit()"), 8, "it ends the process"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_exit_code(root, write, source, code, words):
    ended = atoll("evolve", "a", "-p", "9", "-g", "2", "--task", write(source), "--migration-dir", root)
    check_refused(ended, code, words)


@pytest.mark.slow
def test_two_islands_balance_the_pole_on_episodes_that_they_never_saw(root):
    """CartPole counts as solved with 500 steps in 5 of 5 episodes; docs/tutorial.md has the command for a whole run."""
    settings = ("--task", "gym:CartPole-v1", "-o", "episodes=5", "-p", "32", "-g", "5", "--migrate-every", "2")
    for island in ("a", "b"):
        ended = atoll("evolve", island, *settings, "--migration-dir", root)
        assert ended.returncode == 0, ended.stderr
    task = load_task("gym:CartPole-v1", {})
    genes = np.concatenate([champion(root, island) for island in ("a", "b")])
    assert (task.rewards(genes, range(1000, 1005)) == 500).all(axis=1).any()


# Limits that are known before the first evaluation

WIDE = HILL.replace("* 6", "* 60_000")
MANY = {"population": 70, "migrants": 64, "generations": 1}


@pytest.mark.parametrize("mode", [{}, {"mode": "lockstep", "members": "a,b"}])
def test_an_island_whose_genomes_nobody_could_import_starts_nothing(root, write, mode, capsys):
    assert evolve(root, write(WIDE), **MANY, **mode) == ConfigError.exit_code
    assert "use --migrants 46 or fewer" in capsys.readouterr().out
    assert not root.exists()


def test_an_island_that_publishes_nothing_may_have_any_genome(root, write):
    assert evolve(root, write(WIDE), **MANY, **ALONE) == 0


@pytest.mark.slow
def test_the_champion_of_the_largest_genome_that_is_evolved_is_read_back(root, write):
    task = write(HILL.replace("* 6", "* 3_000_000"))
    assert evolve(root, task, population=3, generations=1, migrants=2, tournament_size=2, **ALONE) == 0
    shown = atoll("show", "a", "--check", "--task", task, "--migration-dir", root)
    assert shown.returncode == 0, shown.stderr
