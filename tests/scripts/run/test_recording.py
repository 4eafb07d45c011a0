"""What a recording says is read as it was meant, or refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo import runlog
from atoll.evo.config import all_own_settings
from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.scripts.run import recording

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {"population": 12, "generations": 50, "mutation_rate": 0.25, "mode": "async", "members": "", "seed": 3}
SETTINGS |= {"options": {"dimensions": 4, "is_rotated": True, "scale": 0.5}, "backend": "auto", "threads": 2}


def line(generation: int, exports: int = 0) -> runlog.Record:
    time = {"unix_s": 1.0}
    return {
        "kind": "generation",
        "generation": generation,
        "exports": exports,
        "ancestry": {"a": 1.0},
        "time": time,
    }


def begun(generation: int = 0, **changes: object) -> runlog.Record:
    return {"kind": "start", "generation": generation, "settings": {**SETTINGS, **changes}, "backend": "numpy"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four generations, of which the second process lived the last two again."""
    for record in (begun(), *map(line, range(4)), begun(2, generations=90), line(2, 5), line(3, 5)):
        runlog.append(tmp_path / "log.jsonl", record)
    return tmp_path


def configure(folder: Path, **given: object) -> object:
    return recording.replay_config("a", {"mode": "replay", "replay_from": str(folder), **given}, {})  # type: ignore[arg-type]


def test_what_later_starts_supersede_is_left_out(folder: Path) -> None:
    found = recording.read(folder)
    assert found.last == 3
    assert found.exports == {1: 0, 2: 5, 3: 0}
    assert found.settings["generations"] == 90
    assert all("time" not in each for each in found.lines)


def test_the_recording_decides_and_ends_where_its_log_does(folder: Path) -> None:
    config = recording.replay_config("a", {"mode": "replay", "replay_from": str(folder)}, {})
    assert (config.population, config.seed, config.breeding.mutation_rate) == (12, 3, 0.25)
    assert (config.generations, config.backend, config.threads) == (3, "numpy", 2)
    assert dict(config.options) == {"dimensions": "4", "is_rotated": "true", "scale": "0.5"}
    assert config.agreement() == {"mode": "replay"}


def test_a_setting_that_a_recording_lacks_is_what_islands_did_before_it_could_be_set(folder: Path) -> None:
    assert recording.replay_config("a", {"mode": "replay", "replay_from": str(folder)}, {}).champion_episodes == 0
    runlog.append(folder / "log.jsonl", begun(4, champion_episodes=7))
    assert recording.replay_config("a", {"mode": "replay", "replay_from": str(folder)}, {}).champion_episodes == 7


def test_how_it_is_computed_may_be_chosen(folder: Path) -> None:
    given = {"mode": "replay", "replay_from": str(folder), "threads": 5, "backend": "reference"}
    config = recording.replay_config("a", given, {})
    assert (config.threads, config.backend) == (5, "reference")


def test_what_is_computed_may_not(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"leave out --population, --generations$"):
        configure(folder, population=12, generations=4)
    with pytest.raises(ConfigError, match=r"leave out -o dimensions$"):
        recording.replay_config("a", {"replay_from": str(folder)}, {"dimensions": "4"})


def test_a_program_is_named_by_the_user_and_by_nobody_who_can_write_to_the_recording(tmp_path: Path) -> None:
    for task, named in (("/elsewhere/evil.py:T", "mine.py:T"), ("gym:evil:Env-v0", "gym:evil:Env-v0")):
        place = tmp_path / named.split(":")[0]
        place.mkdir()
        for record in (begun(task=task), line(0), line(1)):
            runlog.append(place / "log.jsonl", record)
        with pytest.raises(ConfigError, match=f"name it too, as in --task {task}"):
            configure(place)
        assert configure(place, task=named).task == named  # type: ignore[attr-defined]


def test_an_algorithm_too_is_named_by_the_user_where_it_is_a_program(tmp_path: Path) -> None:
    settings = {name: value for name, value in SETTINGS.items() if name not in all_own_settings()}
    for record in ({**begun(), "settings": {**settings, "algorithm": "evil.py:A"}}, line(0), line(1)):
        runlog.append(tmp_path / "log.jsonl", record)
    with pytest.raises(ConfigError, match=r"name it too, as in --algorithm evil\.py:A$"):
        configure(tmp_path)
    assert configure(tmp_path, algorithm="mine.py:A").algorithm == "mine.py:A"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "value"), [("task", "sphere"), ("algorithm", "snes")])
def test_what_atoll_brings_is_named_by_the_recording(folder: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"leave out --{name}"):
        configure(folder, **{name: value})


def test_a_replay_needs_a_recording(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--mode replay needs --replay-from"):
        recording.replay_config("a", {"mode": "replay"}, {})
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigError, match=f"nothing to replay in {place}: expected an island's private folder"):
            configure(place)


def test_founders_alone_are_no_run(tmp_path: Path) -> None:
    for record in (begun(), line(0)):
        runlog.append(tmp_path / "log.jsonl", record)
    with pytest.raises(ConfigError, match="nothing to replay"):
        recording.read(tmp_path)


def test_a_damaged_log_is_named(folder: Path) -> None:
    log = folder / "log.jsonl"
    log.write_bytes(b"{\n" + log.read_bytes())
    with pytest.raises(DamagedFileError, match=r"log\.jsonl, line 1"):
        recording.read(folder)


@pytest.mark.parametrize("lacking", ["settings", "backend", "kind", "generation", "ancestry"])
def test_a_log_of_something_else_is_damage(tmp_path: Path, lacking: str) -> None:
    for record in (begun(), line(0), line(1)):
        runlog.append(tmp_path / "log.jsonl", {name: value for name, value in record.items() if name != lacking})
    with pytest.raises(DamagedFileError, match="is no log of an island"):
        recording.read(tmp_path)


def test_the_gpu_of_a_recording_is_another_machine_s(folder: Path) -> None:
    runlog.append(folder / "log.jsonl", begun(4, device="cuda:3"))
    given = {"mode": "replay", "replay_from": str(folder)}
    assert recording.replay_config("a", given, {}).device == ""
    assert recording.replay_config("a", {**given, "backend": "cuda", "device": "cuda:1"}, {}).device == "cuda:1"
