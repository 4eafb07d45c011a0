from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atoll.evo import records, runlog
from atoll.evo.algorithms.choice import settled
from atoll.evo.config import island_config
from atoll.evo.errors import ConfigError
from atoll.evo.paths import SharedPaths
from atoll.evo.recorder import recorded_settings
from atoll.evo.tasks.loader import load_task
from atoll.scripts.run.restart import config_of
from tests.processes import atoll

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.config import IslandConfig

NOBODY = {"generations": None, "task": None, "algorithm": None}


def started(root: Path, config: IslandConfig) -> SharedPaths:
    """Log a start of an island as it would."""
    shared = SharedPaths(root)
    task = load_task(config.task, dict(config.options), backend="auto")
    log = shared.island(config.island).log
    log.parent.mkdir(parents=True)
    settings = recorded_settings(settled(config, task.spec), task)
    start = records.Start(generation=0, epoch=1, settings=settings)
    runlog.append(log, records.to_json(start))
    return shared


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"algorithm": "ga", "mutation_rate": 0.25, "crossover": "sbx", "topology": "random-3", "keep_generations": 5},
        {"algorithm": "snes", "sigma": 0.3},
        {"algorithm": "sep-cma", "restart_growth": 1.5, "champion_episodes": 3},
        {"mode": "lockstep", "members": "b,a", "algorithm": "de"},
    ],
)
def test_a_restart_has_the_settings_of_the_start(tmp_path: Path, values: dict[str, Any]) -> None:
    config = island_config("a", {"task": "rastrigin", "population": 12, **values}, {"dimensions": "7"})
    task = load_task("rastrigin", {"dimensions": "7"})
    config = settled(config, task.spec)
    again = config_of("a", started(tmp_path, config), **NOBODY)
    assert recorded_settings(again, task) == recorded_settings(config, task)
    assert dict(again.options)["dimensions"] == "7"
    further = config_of("a", SharedPaths(tmp_path), **{**NOBODY, "generations": 999})
    assert recorded_settings(further, task) == {**recorded_settings(config, task), "generations": 999}


def test_only_the_user_names_a_program(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("bounds = [(0, 1)]\ndef mine(x):\n    return 0.0\nmine.bounds = bounds\n")
    name = f"{file}:mine"
    values = {"task": name, "population": 8, "generations": 5, "algorithm": "ga"}
    shared = started(tmp_path / "pool", island_config("a", values, {}))
    with pytest.raises(ConfigError, match="if you trust it, say --task"):
        config_of("a", shared, **NOBODY)
    assert config_of("a", shared, **{**NOBODY, "task": name}).task == name
    other = started(tmp_path / "other", island_config("a", {"task": "sphere", "population": 8, "generations": 5}, {}))
    with pytest.raises(ConfigError, match="leave --task out"):
        config_of("a", other, **{**NOBODY, "task": name})


def test_a_log_of_another_version_or_a_replay_is_refused(tmp_path: Path) -> None:
    shared = SharedPaths(tmp_path)
    log = shared.island("a").log
    log.parent.mkdir(parents=True)
    with pytest.raises(ConfigError, match="has not started"):
        config_of("a", shared, **NOBODY)
    start = records.Start(generation=0, settings={"task": "sphere", "of_tomorrow": 1, "options": {}})
    runlog.append(log, records.to_json(start))
    with pytest.raises(ConfigError, match="of_tomorrow"):
        config_of("a", shared, **NOBODY)
    start = records.Start(generation=0, settings={"task": "sphere", "mode": "replay", "options": {}})
    runlog.append(log, records.to_json(start))
    with pytest.raises(ConfigError, match="is a replay"):
        config_of("a", shared, **NOBODY)


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--algorithm", "ga", "--migrate-every", "4"), ("--algorithm", "de")])
def test_a_resumed_island_is_the_one_whose_command_was_repeated(tmp_path: Path, more: tuple[str, ...]) -> None:
    command = ("evolve", "a", "-p", "12", "--task", "rastrigin", "-o", "dimensions=6", *more)
    roots = [tmp_path / name for name in ("repeated", "resumed")]
    for root in roots:
        assert atoll(*command, "-g", "6", "--migration-dir", str(root)).returncode == 0
    assert atoll(*command, "-g", "15", "--migration-dir", str(roots[0])).returncode == 0
    done = atoll("resume", "a", "-g", "15", "--migration-dir", str(roots[1]))
    assert done.returncode == 0, done.stderr
    one, other = (SharedPaths(root).island("a") for root in roots)
    assert one.champion.read_bytes() == other.champion.read_bytes()
    assert one.checkpoint(15).read_bytes() == other.checkpoint(15).read_bytes()


def test_the_command_says_what_to_do_where_there_is_nothing_to_resume(tmp_path: Path) -> None:
    done = atoll("resume", "a", "--migration-dir", str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "'cli.py evolve a' starts it" in done.stderr
