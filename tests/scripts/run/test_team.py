"""The law of a team: whoever scores, comes, leaves, dies or freezes, the island ends in the bytes of one process."""

from __future__ import annotations

import json
import os
import signal

import psutil
import pytest

from atoll.evo.paths import SharedPaths
from atoll.migration.team.files import TeamFiles
from tests.scripts.run.island_process import (
    Job,
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
from tests.scripts.run.test_lockstep import LOCKSTEP, MEMBERS, result
from tests.scripts.run.test_own_algorithms import CLIMB
from tests.scripts.run.test_replay import check_equal, home, replay

pytestmark = pytest.mark.slow

DELAY_S = 0.02
"""So long a share takes, that a generation is worth sharing."""
NOISY = """
import time
import numpy as np
from atoll import GenomeSpec, Segment

class Noisy:
    spec = GenomeSpec((Segment("x", 6, -1.0, 1.0),))
    def evaluate(self, genes, episode):
        time.sleep(0.01)
        shift = np.float32(episode % 7) / 7
        return -((genes - shift) ** 2).astype(np.float64).sum(1).astype(np.float32)
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A pool with one finished island, which teams import from."""
    root = tmp_path_factory.mktemp("template") / "shared"
    assert run(root, "peer") == 0
    return root


@pytest.fixture
def pair(template, tmp_path):
    """Two copies of it: one for a team, one for a single process."""
    return copy_of(template, tmp_path / "team"), copy_of(template, tmp_path / "one")


def begin(root, n, island="a", *, delay_s=DELAY_S, **values):
    """Start `n` members of a team, as one does in so many terminals."""
    is_fresh = values.pop("is_fresh", False)
    return [start(Job(root, island, values, is_fresh=is_fresh, delay_s=delay_s, team=max(n, 2))) for _ in range(n)]


def live(root, n, island="a", **values):
    """Live an island by a team of `n` to its end."""
    assert [end(process) for process in begin(root, n, island, **values)] == [0] * n
    return outcome(root, island)


def alone(root, island="a", **values):
    """Live an island in one process to its end."""
    assert perform(Job(root, island, values)) == 0
    return outcome(root, island)


def files(root, island="a"):
    return TeamFiles(home(root, island))


def scorers(root, island="a"):
    """Return who scored something, by the team's log."""
    return {member for line in files(root, island).history() for member in line["by"]}


def owner_of(root, processes):
    """Return the process that owns the island, and the others."""
    newest = max(epochs_of(root))
    pid = json.loads(SharedPaths(root).island("a").epoch(newest).read_text())["pid"]
    return next(each for each in processes if each.pid == pid), [each for each in processes if each.pid != pid]


# A team is one process


@pytest.mark.parametrize("algorithm", ["ga", "snes", "sep-cma", "cma", "de"])
def test_a_team_ends_in_the_bytes_of_one_process_by_every_algorithm(pair, algorithm):
    values = {"algorithm": algorithm, "population": 16}
    assert live(pair[0], 3, **values) == alone(pair[1], **values)
    assert len(scorers(pair[0])) > 1


def test_a_team_ends_in_the_bytes_of_one_process_by_a_users_algorithm(pair, tmp_path):
    (tmp_path / "climb.py").write_text(CLIMB)
    values = {"algorithm": f"{tmp_path}/climb.py:Climb"}
    assert live(pair[0], 2, **values) == alone(pair[1], **values)
    assert len(scorers(pair[0])) > 1


@pytest.mark.parametrize("algorithm", ["ga", "cma"])
def test_a_team_ends_in_the_bytes_of_one_process_on_a_noisy_task(tmp_path, algorithm):
    """Its episodes are those of one process, and so are the fresh ones of whoever is to be champion."""
    (tmp_path / "noisy.py").write_text(NOISY)
    values = {"task": f"{tmp_path}/noisy.py:Noisy", "algorithm": algorithm, "champion_episodes": 3}
    alone(tmp_path / "one", "peer", **values)
    copy_of(tmp_path / "one", tmp_path / "team")
    assert live(tmp_path / "team", 3, **values) == alone(tmp_path / "one", **values)
    assert len(scorers(tmp_path / "team")) > 1


def test_two_teams_and_a_single_island_in_lockstep_are_three_processes(tmp_path):
    values = {**LOCKSTEP, "algorithm": "ga"}
    teams, single = tmp_path / "team", tmp_path / "one"
    members = [each for name in "ab" for each in begin(teams, 2, name, **values)]
    members.append(start(Job(teams, "c", values)))
    assert [end(each) for each in members] == [0] * 5
    islands = [start(Job(single, name, values)) for name in MEMBERS]
    assert [end(each) for each in islands] == [0] * 3
    assert result(teams) == result(single)
    assert all(len(scorers(teams, name)) > 1 for name in "ab")


def test_what_asynchronous_teams_lived_a_replay_in_one_process_lives_again(tmp_path):
    root = tmp_path / "teams"
    members = [each for name in "ab" for each in begin(root, 2, name, migrate_every=2)]
    assert [end(each) for each in members] == [0] * 4
    assert sum(outcome(root, name)["log"][-1]["imports"] for name in "ab") > 0
    for name in "ab":
        assert replay(tmp_path / f"again-{name}", home(root, name), name) == 0
        assert outcome(tmp_path / f"again-{name}", name)["checkpoints"] == outcome(root, name)["checkpoints"]
    check_equal(tmp_path / "again-a", root)


# Members come and go


def test_a_team_goes_on_to_a_later_generation(pair):
    for generations in (5, 12):
        team = live(pair[0], 2, generations=generations)
    for generations in (5, 12):
        one = alone(pair[1], generations=generations)
    assert team == one


@pytest.mark.parametrize("first", ["team", "one"])
def test_what_one_process_began_a_team_ends_and_the_other_way_round(pair, first):
    lives = [lambda **values: live(pair[0], 2, **values), lambda **values: alone(pair[0], **values)]
    ways = lives if first == "team" else lives[::-1]
    for way, generations in zip(ways, (5, 12), strict=True):
        mixed = way(generations=generations)
    for generations in (5, 12):
        whole = alone(pair[1], generations=generations)
    assert mixed == whole


def test_members_that_come_late_and_leave_on_a_signal_change_nothing(pair):
    """The first owner leaves at a third, and another at two thirds; each is answered with 128 plus the signal."""
    values = {"generations": 30}
    members = begin(pair[0], 2, **values)
    wait_for(lambda: last_generation(pair[0]) >= 10, members[0])
    owner, rest = owner_of(pair[0], members)
    late = begin(pair[0], 1, **values)
    os.kill(owner.pid, signal.SIGTERM)
    assert end(owner) == 128 + signal.SIGTERM
    wait_for(lambda: last_generation(pair[0]) >= 20, late[0])
    os.kill(rest[0].pid, signal.SIGTERM)
    assert end(rest[0]) == 128 + signal.SIGTERM
    assert end(late[0]) == 0
    team, one = outcome(pair[0]), alone(pair[1], **values)
    for ending in (team, one):  # who leaves keeps a checkpoint more
        ending["checkpoints"] = ending["checkpoints"]["gen-30.safetensors"]
        del ending["moments"]
    assert team == one
    assert sum(presence.has_left for presence in files(pair[0]).members()) == 3


def test_a_team_that_starts_anew_in_all_terminals_at_once_does_so_once(pair):
    alone(pair[0], generations=7)
    team = live(pair[0], 3, is_fresh=True, generations=30)
    assert team == alone(pair[1], generations=30)
    assert [path.name for path in (pair[0] / "old").iterdir()] == ["a-1"]
    assert len(scorers(pair[0])) > 1


# Members that freeze


def frozen(root, n_evaluation, **values):
    """Start a member that freezes in its evaluation of a number, with a claim in its hands."""
    return start(Job(root, "a", values, freeze_at=n_evaluation, team=2))


def is_frozen(process):
    return psutil.Process(process.pid).status() == psutil.STATUS_STOPPED


def thaw(process):
    os.kill(process.pid, signal.SIGCONT)
    return end(process)


def test_a_share_whose_claimant_is_frozen_is_taken_over_and_its_late_scores_are_a_counted_duplicate(pair):
    """The owner is slow at first, so that the other one is there; it is thawed before the end, and goes on helping."""
    values = {"generations": 25}
    [owner] = begin(pair[0], 1, **values)
    wait_for(lambda: last_generation(pair[0]) >= 1, owner)
    helper = frozen(pair[0], 3, **values)
    wait_for(lambda: is_frozen(helper), helper)
    at = last_generation(pair[0])
    wait_for(lambda: last_generation(pair[0]) > at + 1, owner)
    os.kill(helper.pid, signal.SIGCONT)
    assert [end(helper), end(owner)] == [0, 0]
    assert outcome(pair[0]) == alone(pair[1], **values)
    late = next(each for each in files(pair[0]).members() if each.duplicates)
    assert late.duplicates == 1
    assert sum(line["taken_over"] for line in files(pair[0]).history()) == 1


@pytest.mark.parametrize("n_evaluation", [1, 4, 9])
def test_an_owner_that_is_frozen_is_replaced_and_thawed_is_a_member_like_others(pair, tally, chaos, n_evaluation):
    """It finds itself fenced before it writes anything, scores on for its successor, and ends as that does."""
    values = {"generations": 25}
    silent_after_s = 0.0 if chaos else 1.0
    owner = frozen(pair[0], n_evaluation, **values)
    wait_for(lambda: is_frozen(owner), owner)
    job = Job(pair[0], "a", values, delay_s=3 * DELAY_S, team=2, silent_after_s=silent_after_s)
    heir = start(job)
    wait_for(lambda: len(epochs_of(pair[0])) == 2, heir)
    wait_for(lambda: last_generation(pair[0]) >= 14, heir)  # what the owner was at has been put away by now
    assert is_frozen(owner)
    assert thaw(owner) == 0
    assert end(heir) == 0
    assert outcome(pair[0]) == alone(pair[1], **values)
    assert epochs_of(pair[0]) == [1, 2], "nobody took it back"
    assert len(scorers(pair[0])) == 2
    tally(40, owners_frozen=1, fenced=1)
