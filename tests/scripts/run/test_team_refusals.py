"""What no team is made of: another island's settings, a task that is not reproducible; each with its exit code."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atoll.evo.config import island_config
from atoll.evo.errors import AtollError, PoolMismatchError, ResumeError, TaskError
from atoll.evo.paths import SharedPaths
from atoll.evo.signals import StopSignal
from atoll.evo.tasks.check import SLOW_S, first_sample
from atoll.evo.tasks.functions import FunctionTask
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import score
from atoll.migration.pool.access import open_pool
from atoll.migration.team import member as members
from atoll.migration.team.files import TeamFiles, request_name
from atoll.migration.team.member import Team
from atoll.migration.team.records import Now, Request
from atoll.scripts.run.island import Command
from atoll.scripts.run.team import run_team
from tests.processes import called, check_refused
from tests.scripts.run.island_process import DEFAULTS, Job, outcome, perform
from tests.scripts.run.joint_process import Told
from tests.scripts.run.test_own_algorithms import CLIMB
from tests.scripts.run.test_own_tasks import HILL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALONE = {"topology": "none", "generations": 4}
NAME = request_name(4, bytes(32))


@pytest.fixture
def write(tmp_path: Path):
    def written(source: str, name: str = "Hill", file: str = "hill.py") -> str:
        (tmp_path / file).write_text(source)
        return f"{tmp_path / file}:{name}"

    return written


def join(root: Path, told: Told | None = None, **values: object) -> int:
    """Live island a as a member of a team of two, in this process; return the exit code."""
    config = island_config("a", {**DEFAULTS, **ALONE, **values}, {})
    with StopSignal() as stop:
        return run_team(config, Command(root), Team(2), display=told or Told(), stop=stop)


@contextmanager
def owned(root: Path, **values: object) -> Iterator[TeamFiles]:
    """Let somebody own island a, who has begun with these settings, and asks for eight genomes."""
    values = {**ALONE, **values}
    assert perform(Job(root, "a", values)) == 0
    shared = SharedPaths(root)
    paths = shared.island("a")
    files = TeamFiles(paths.home)
    size = open_pool(shared).spec.size
    genes = np.linspace(0, 1, 8 * size).astype(np.float32).reshape(8, size)
    files.open(NAME, Request(4, 4, genomes=8, genes=size, shares=[(0, 8, 0)]), genes)
    files.announce(Now(NAME))
    with open_pool(shared).identity.locks.owner(paths.owner_lock):
        yield files


def check_nothing_done(files: TeamFiles) -> None:
    assert files.look(NAME, 1) == (frozenset(), {})


def refusal(root: Path, kind: type[AtollError], *words: str, **values: object) -> None:
    """Hold what a member is told that is refused."""
    with pytest.raises(kind) as caught:
        join(root, **values)
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text


# Members that would compute something else


def test_a_member_that_agrees_scores_and_leaves_when_it_is_told_to(root, monkeypatch):
    """The one that is not refused, without which the refusals would say nothing."""
    with owned(root) as files:
        evaluate = FunctionTask.evaluate

        def then_stop(*args):
            os.kill(os.getpid(), signal.SIGTERM)
            return evaluate(*args)

        monkeypatch.setattr(FunctionTask, "evaluate", then_stop)
        told = Told()
        assert join(root, told) == 128 + signal.SIGTERM
        assert files.look(NAME, 1) == (frozenset({0}), {0: 1})
        assert [presence.has_left for presence in files.members()] == [True]
        assert "scored 8 genomes in 1 share" in told.said[-1]


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ({"seed": 8}, PoolMismatchError, ("seed",)),
        ({"task": "rastrigin"}, PoolMismatchError, ("rastrigin",)),
        ({"population": 13}, ResumeError, ("population was 12, now 13",)),
        ({"algorithm": "snes"}, ResumeError, ("algorithm was 'cma', now 'snes'",)),
        ({"sigma": 0.3, "algorithm": "cma"}, ResumeError, ("sigma was 0.1, now 0.3",)),
        ({"migrate_every": 2}, ResumeError, ("migrate_every was 3, now 2",)),
    ],
)
def test_a_member_with_other_settings_is_refused_before_it_scores(root, values, kind, words):
    with owned(root) as files:
        refusal(root, kind, *words, **values)
        check_nothing_done(files)


def test_a_member_with_another_file_of_the_task_is_refused_before_it_scores(root, write):
    with owned(root, task=write(HILL)) as files:
        task = write(HILL.replace("genes.sum(axis=1)", "genes.sum(axis=1) + 1"))
        refusal(root, ResumeError, "cannot score for a: the evaluator is python (source", task=task)
        check_nothing_done(files)


def test_a_member_with_the_file_of_the_owner_is_not_refused_though_the_pool_was_started_with_another(root, write):
    """The task was mended, and its owner goes on: so may others."""
    assert perform(Job(root, "a", {**ALONE, "task": write(HILL), "generations": 2})) == 0
    stops = (
        "        import os, signal\n        if episode == 4 and len(genes) == 8: os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    mended = HILL.replace("        return", stops + "        return")
    with owned(root, task=write(mended)) as files:
        assert join(root, task=write(mended)) == 128 + signal.SIGTERM
        assert files.look(NAME, 1).scored == {0}


def test_a_member_with_another_file_of_the_algorithm_is_refused_before_it_scores(root, write):
    with owned(root, algorithm=write(CLIMB, "Climb", "climb.py")) as files:
        algorithm = write(CLIMB.replace("0.95", "0.9"), "Climb", "climb.py")
        refusal(root, ResumeError, "the algorithm's file is", algorithm=algorithm)
        check_nothing_done(files)


@pytest.mark.parametrize(("field", "value"), [("backend", "cuda"), ("build", "kernel 0123456789ab")])
def test_a_member_with_another_evaluator_than_its_owner_logged_is_refused_before_it_scores(root, field, value):
    with owned(root) as files:
        log = SharedPaths(root).island("a").log
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        changed = [{**line, field: value} if line["kind"] == "start" else line for line in lines]
        log.write_text("".join(f"{json.dumps(line, sort_keys=True, separators=(',', ':'))}\n" for line in changed))
        refusal(root, ResumeError, "the evaluator is numpy", value, "give all members of a team the same")
        check_nothing_done(files)


def test_who_is_told_to_stop_while_it_scores_has_no_error_of_its_task_to_tell(root, write):
    """The signal has also ended what the task had started."""
    fails = (
        "        import os, signal\n"
        "        if episode == 4 and len(genes) == 8: os.kill(os.getpid(), signal.SIGTERM), 1 / 0\n"
    )
    task = write(HILL.replace("        return", fails + "        return"))
    with owned(root, task=task):
        assert join(root, task=task) == 128 + signal.SIGTERM


def test_an_error_of_the_task_ends_a_member_that_nobody_stopped(root, write):
    task = write(HILL.replace("        return", "        if len(genes) == 8: 1 / 0\n        return"))
    with owned(root, task=task):
        refusal(root, TaskError, "ZeroDivisionError", task=task)


# Tasks that no team can share

COUNTS = HILL.replace("    def", "    n = 0\n\n    def").replace(
    "        return", "        self.n += 1\n        return"
)
RANKED = HILL.replace("genes.sum(axis=1)", "genes.sum(axis=1).argsort().argsort()")
HASHED = HILL.replace("genes.sum(axis=1)", "genes.sum(axis=1) + hash('a word') % 1000")

NOISY = HILL.replace(
    "        return genes.sum(axis=1)",
    "        weights = np.random.default_rng(episode).normal(size=6)\n        return (genes * weights).sum(axis=1)",
)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            COUNTS.replace("genes.sum(axis=1)", "genes.sum(axis=1) + self.n"),
            ("scored differently the second time", "draw all random numbers from the episode"),
        ),
        (RANKED, ("scored differently alone, or at another place", "score each row of genes by itself")),
        (HASHED, ("another process scores the same genomes differently", "rely on no global random state")),
        (HILL.replace("genes.sum", "1 / 0 * genes.sum"), ("ZeroDivisionError",)),
    ],
)
def test_a_task_that_is_not_reproducible_is_refused_with_what_was_found_before_anything_is_scored(
    root, write, source, words
):
    task = write(source)
    refusal(root, TaskError, *words, task=task)
    files = TeamFiles(SharedPaths(root).island("a").home)
    assert not files.folder.exists()
    assert files.history() == []


def test_a_task_that_is_noisy_by_its_episode_is_shared_and_gives_what_one_process_gives(
    root, tmp_path, write, monkeypatch
):
    monkeypatch.setattr(members, "WORTH_S", 0.0)
    monkeypatch.setattr(members, "LEAST_SHARE_S", 1e-6)
    task = write(NOISY)
    assert join(root, task=task, champion_episodes=3) == 0
    assert len(TeamFiles(SharedPaths(root).island("a").home).history()) > 5
    one = tmp_path / "one"
    assert perform(Job(one, "a", {**ALONE, "task": task, "champion_episodes": 3})) == 0
    ours, whole = outcome(root), outcome(one)
    assert (ours["champion"], ours["checkpoints"]) == (whole["champion"], whole["checkpoints"])
    assert [{**line, "scored": 0} for line in ours["log"]] == [{**line, "scored": 0} for line in whole["log"]]


def test_a_task_that_rounds_by_the_size_of_a_batch_is_shared_and_warned_of(root, write):
    rounds = "genes.sum(axis=1) * np.float64(1 + 1e-7 * len(genes))"
    told = Told()
    assert join(root, told, task=write(HILL.replace("genes.sum(axis=1)", rounds))) == 0
    warnings = [line for line in told.said if line.startswith("warning: a score depends on neither place")]
    assert len(warnings) == 1
    assert "a team may end elsewhere than one process does" in warnings[0]


def test_a_task_is_tried_once_when_an_island_begins_and_not_when_it_goes_on(root, tmp_path, write, monkeypatch):
    tried = []
    monkeypatch.setattr("atoll.scripts.run.team.first_sample", lambda task: [tried.append(task), first_sample(task)][1])
    task, begun = write(HILL), tmp_path / "begun"
    assert join(root, task=task) == 0
    assert len(tried) == 1
    assert perform(Job(begun, "a", {**ALONE, "task": task, "generations": 2})) == 0
    assert join(begun, task=task) == 0
    assert len(tried) == 1


def test_a_task_that_is_slow_is_not_tried_in_another_process(root, write, monkeypatch):
    """Nor is it with so many genomes: that is what `first_sample` sees to."""
    monkeypatch.setattr("atoll.scripts.run.team.SLOW_S", 0.0)
    assert SLOW_S > 0
    assert join(root, task=write(HASHED)) == 0


def test_a_task_of_atolls_own_is_not_tried(root, monkeypatch):
    monkeypatch.setattr("atoll.scripts.run.team.first_sample", None)
    assert join(root) == 0


# Commands that contradict themselves


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a", "b", "--team", "2"), ("--team is of one island, got 2",)),
        (("--count", "3", "--team", "2"), ("--team is of one island, got 3",)),
        (("a", "--verify-share", "0.1"), ("--verify-share is of a team",)),
        (("a", "--team", "0"), ("--team",)),
        (("a", "--team", "2", "--verify-share", "1.5"), ("--verify-share",)),
        (("a", "--team", "2", "--verify-share", "nan"), ("--verify-share",)),
        (("a", "--team", "2", "--processes", "2"), ("--team", "--processes")),
    ],
)
def test_a_command_that_contradicts_itself_is_refused(tmp_path, arguments, words):
    ended = called("evolve", "--task", "sphere", "--migration-dir", tmp_path / "s", *arguments)
    check_refused(ended, 2, *words)
    assert not (tmp_path / "s").exists()


def test_a_replay_is_no_teams(tmp_path, root):
    assert perform(Job(root, "a", {**ALONE, "topology": "full"})) == 0
    recorded = SharedPaths(root).island("a").home
    replay = ("--mode", "replay", "--replay-from", recorded, "--migration-dir", tmp_path / "s")
    check_refused(called("evolve", "a", *replay, "--team", "2"), 2, "--team and --mode replay contradict each other")
    assert not (tmp_path / "s").exists()


def test_the_scores_of_a_member_are_those_of_the_task(root, monkeypatch):
    with owned(root) as files:
        genes = files.read_rows(NAME, members.Share(0, 8), open_pool(SharedPaths(root)).spec.size)
        expected = score(load_task("sphere", {}), genes, episode=4)
        evaluate = FunctionTask.evaluate
        monkeypatch.setattr(FunctionTask, "evaluate", lambda *a: [os.kill(os.getpid(), 15), evaluate(*a)][1])
        join(root)
        hashed = members.cutting.rows_sha256(genes, members.Share(0, 8))
        assert files.read_scores(NAME, 0, n=8, rows_sha256=hashed).fitness.tobytes() == expected.tobytes()
