"""An option of a task that is newer than a pool: whoever goes on there, joins, replays or looks means what it meant."""

from __future__ import annotations

import json

import pytest

from atoll.evo.errors import PoolMismatchError
from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.loader import ENTRIES, recorded_options
from atoll.scripts.report import champion as champions
from tests.processes import called, check_refused

TINY = ("-p", "6", "--migrants", "2", "-o", "courses=1", "-o", "life_s=0.5", "--topology", "none")
UNBREAKABLE = ("-o", "breaking_m_s=0")
SAID = "goes on with -o breaking_m_s=0.0, as it was before one could choose"


def evolve(root, island, *options, generations=2):
    return called("evolve", island, *TINY, "-g", str(generations), "--migration-dir", root, *options)


@pytest.fixture
def older(tmp_path):
    """A pool as it was before bodies could break."""
    assert evolve(tmp_path / "older", "a", *UNBREAKABLE).returncode == 0
    return tmp_path / "older"


def test_what_was_before_an_option_is_recorded_without_it(older):
    shared = SharedPaths(older)
    assert json.loads(shared.identity.read_bytes())["task"]["options"].keys() == {"courses", "life_s", "controller"}
    champion = champions.read(shared.island("a").champion)
    assert champion.task["options"].keys() == {"courses", "life_s", "controller"}
    assert champions.creatures_of(champion).world.breaking_m_s == 0.0


def test_an_older_pool_goes_on_as_it_was_and_says_so(older, tmp_path):
    evolve(tmp_path / "whole", "a", *UNBREAKABLE, generations=4)
    for island in ("a", "b"):
        ended = evolve(older, island, generations=4)
        assert ended.returncode == 0, ended.stderr
        assert f"{island} {SAID}" in ended.stdout
    champion, whole = (SharedPaths(root).island("a").champion for root in (older, tmp_path / "whole"))
    assert champion.read_bytes() == whole.read_bytes()


def test_an_older_recording_is_replayed_as_it_was(older, tmp_path):
    recorded = older / "islands" / "a"
    again = called("evolve", "a", "--mode", "replay", "--replay-from", recorded, "--migration-dir", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert SAID in again.stdout
    assert "the replay equals the recording" in again.stdout


def test_who_asks_for_another_value_in_an_older_pool_is_told_what_it_was(older):
    refused = evolve(older, "b", "-o", "breaking_m_s=20")
    check_refused(refused, PoolMismatchError.exit_code, "started with no -o breaking_m_s (not 20.0)")


@pytest.mark.parametrize("name", ["creatures", "sphere", "gym:CartPole-v1", "file.py:Mine"])
def test_only_what_a_file_lacks_is_spelled_out(name):
    former = ENTRIES[name].former_options() if name in ENTRIES else {}
    spelled = {option: str(value) for option, value in former.items()}
    assert recorded_options(name, {"rotated": True, "courses": 2}) == {**spelled, "rotated": "true", "courses": "2"}
    assert recorded_options(name, {"breaking_m_s": 7.5})["breaking_m_s"] == "7.5"
