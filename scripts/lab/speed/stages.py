"""The stages of a generation, and one real island of this process whose stages are timed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from atoll.evo import generation, selection, variation
from atoll.evo.errors import AtollError
from atoll.evo.recorder import FileRecorder
from atoll.evo.signals import StopSignal
from atoll.evo.tasks.creatures import body, native
from atoll.evo.tasks.creatures import task as creatures
from atoll.migration.exchange.exchange import Exchange
from atoll.scripts.lab.speed import pools
from atoll.scripts.lab.speed.stopwatch import Stopwatch
from atoll.scripts.run import island as start

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.config import IslandConfig
    from atoll.evo.records import Record

ISLAND = "bench"
LOOP = "loop/rest"
"""The whole loop from the founders to the last generation, and what is left of it when all below is taken off."""
EVALUATION = "evaluation/rest"
SYNC = "files/sync"
"""Waiting for the disk; in nobody's own time, so that our code and the machine's disk are told apart."""

WATCHED: tuple[tuple[Any, str, str], ...] = (
    (start, "evolve", LOOP),
    (creatures.Creatures, "evaluate", EVALUATION),
    (body, "decode", "evaluation/decode"),
    (native, "simulate", "evaluation/live"),
    (creatures, "score", "evaluation/score"),
    (generation, "breed", "breeding/rest"),
    (selection, "parents", "breeding/selection"),
    (variation, "crossover", "breeding/crossover"),
    (variation, "mutate", "breeding/mutation"),
    (FileRecorder, "log", "files/log"),
    (FileRecorder, "checkpoint", "files/checkpoint"),
    (FileRecorder, "champion", "files/champion"),
    (Exchange, "publish", "files/publish"),
    (Exchange, "collect", "files/import"),
    (Exchange, "record_outcome", "files/settle"),
    (Exchange, "heartbeat", "files/beat"),
    (os, "fsync", SYNC),
)
"""Where the functions are looked up that make up a generation, and which stage each is."""


class Unseen:
    """Implements `atoll.scripts.run.island.Display`; shows nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def generation(self, record: Record) -> None:
        """Show nothing."""

    def migration(self, text: str) -> None:
        """Show nothing."""


def live(config: IslandConfig, root: Path) -> Stopwatch:
    """Evolve an island of this process from its founders to its last generation, with all its files, and forget it.

    Raises:
        AtollError: The island did not reach its end.
    """
    stopwatch = Stopwatch(LOOP)
    with stopwatch.watching(WATCHED), StopSignal() as stop:
        code = start.run_island(config, root=root, is_fresh=False, display=Unseen(), stop=stop)
    if code:
        raise AtollError(f"the island ended with exit code {code}, expected 0")
    pools.forget(root, config.island)
    return stopwatch
