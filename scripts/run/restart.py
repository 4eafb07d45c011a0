"""Restart of an island from its log: the settings of its last start, in place of the command that gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo import atomic, runlog
from atoll.evo.config import NAMES_OF_CODE, REPLAY, former_settings, island_config, runs_code
from atoll.evo.errors import ConfigError
from atoll.evo.records import Start, of_kind
from atoll.evo.settings import flag_name
from atoll.evo.tasks.loader import recorded_options

if TYPE_CHECKING:
    from atoll.evo.config import IslandConfig
    from atoll.evo.paths import SharedPaths


def config_of(
    island: str, shared: SharedPaths, *, generations: int | None, task: str | None, algorithm: str | None
) -> IslandConfig:
    """Return the config with which an island was started last.

    Args:
        island: Its name.
        shared: The archipelago's files.
        generations: Another target.
        task: Its task, where that is a program: a file may not name one.
        algorithm: Its algorithm, where that is a program.

    Raises:
        ConfigError: It has never started, its last start was a replay's or of another version, or it needs a program
            that nobody named.
        StorageError: Its log cannot be read.
    """
    with atomic.storage_errors("read how the island was started"):
        start = of_kind(runlog.read_last(shared.island(island).log).get("start"), Start)
    if start is None or not start.settings:
        raise ConfigError(f"island {island} has not started in {shared.root}: 'cli.py evolve {island}' starts it")
    recorded = {**former_settings(), **start.settings}  # what is not recorded is as it was before it could be chosen
    options = recorded.pop("options", {})
    if recorded.get("mode") == REPLAY:
        raise ConfigError(f"island {island} is a replay: repeat its command, which names the recording")
    said = {"task": task, "algorithm": algorithm}
    for name in NAMES_OF_CODE:
        recorded[name] = _named(island, name, str(recorded.get(name, "")), said[name])
    if generations is not None:
        recorded["generations"] = generations
    return island_config(island, recorded, recorded_options(str(recorded["task"]), options))


def _named(island: str, name: str, recorded: str, said: str | None) -> str:
    """Return the task or algorithm to go on with: only the user names a program."""
    if said is not None and not runs_code(recorded):
        raise ConfigError(f"island {island} was started with {flag_name(name)} {recorded}: leave {flag_name(name)} out")
    if said is None and runs_code(recorded):
        raise ConfigError(
            f"island {island} was started with a program: if you trust it, say {flag_name(name)} {recorded}"
        )
    return said or recorded
