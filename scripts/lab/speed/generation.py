"""Time of each stage of a generation: one real island with its files, among 20, timed from inside.

A stopwatch watches the functions that make up a generation, and tells the time inside each without its inner ones.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atoll.evo import generation, selection, variation
from atoll.evo.algorithms.genetic import Genetic
from atoll.evo.errors import AtollError
from atoll.evo.recorder import FileRecorder
from atoll.evo.signals import StopSignal
from atoll.evo.tasks.creatures import body, native
from atoll.evo.tasks.creatures import task as creatures
from atoll.migration.exchange.exchange import Exchange
from atoll.scripts.lab.speed.plan import forget, populate
from atoll.scripts.lab.speed.rounds import Case, Figure, Table, by_round, ratios, values
from atoll.scripts.run import island

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from atoll.evo.config import IslandConfig
    from atoll.evo.records import Record
    from atoll.scripts.lab.kit.rows import Row, Run
    from atoll.scripts.lab.speed.plan import Plan

    Watched = tuple[Any, str, str]
    """A class or module, the name of its function, the stage whose time this is."""


@dataclass
class Lap:
    """One call of a watched function.

    Attributes:
        own_s: The same without the watched functions that it called.
    """

    stage: str
    wall_s: float = 0.0
    own_s: float = 0.0


class Stopwatch:
    """Collects laps in the order in which they end.

    Args:
        whole: The stage of interest: others count only inside it.
    """

    def __init__(self, whole: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self.laps: list[Lap] = []
        self._whole = whole
        self._clock = clock
        self._running: list[Lap] = []

    @contextlib.contextmanager
    def watching(self, watched: Iterable[Watched]) -> Iterator[None]:
        """Watch functions, each looked up in its class or module whenever it is called; then put them back."""
        with contextlib.ExitStack() as stack:
            for owner, name, stage in watched:
                stack.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, self._timed(getattr(owner, name), stage))
            yield

    def of(self, stage: str) -> list[Lap]:
        """Return the calls of a stage."""
        return [lap for lap in self.laps if lap.stage == stage]

    def totals_s(self) -> dict[str, float]:
        """Return each stage's own seconds; they add up to those of the whole."""
        totals: dict[str, float] = {}
        for lap in self.laps:
            totals[lap.stage] = totals.get(lap.stage, 0.0) + lap.own_s
        return totals

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:  # noqa: ANN401 - whatever the function takes and returns
            with self._lap(stage):
                return function(*args, **keywords)

        @functools.wraps(function)
        def steps(*args: Any, **keywords: Any) -> Any:  # noqa: ANN401 - a generator: what it waits for is inner ones
            with self._lap(stage):
                return (yield from function(*args, **keywords))

        return steps if inspect.isgeneratorfunction(function) else call

    @contextlib.contextmanager
    def _lap(self, stage: str) -> Iterator[None]:
        if not self._running and stage != self._whole:
            yield
            return
        lap = Lap(stage)
        self._running.append(lap)
        started_s = self._clock()
        try:
            yield
        finally:
            lap.wall_s = self._clock() - started_s
            lap.own_s += lap.wall_s
            self._running.pop()
            if self._running:
                self._running[-1].own_s -= lap.wall_s
            self.laps.append(lap)


ISLAND = "bench"
LOOP = "loop/rest"
"""The whole loop from the founders to the last generation, and what is left of it when all below is taken off."""
EVALUATION = "evaluation/rest"
SYNC = "files/sync"
"""Waiting for the disk; in nobody's own time, so that our code and the machine's disk are told apart."""

WATCHED: tuple[tuple[Any, str, str], ...] = (
    (island, "steps", LOOP),
    (creatures.Creatures, "evaluate", EVALUATION),
    (body, "decode", "evaluation/decode"),
    (native, "simulate", "evaluation/live"),
    (creatures, "score", "evaluation/score"),
    (generation, "scoring", "scoring/known genomes"),
    (Genetic, "breed", "breeding/rest"),
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

    def begin(self, target: int) -> None:
        """Take nothing."""

    def generation(self, record: Record) -> None:
        """Show nothing."""

    def migration(self, text: str) -> None:
        """Show nothing."""


def run_timed(config: IslandConfig, root: Path) -> Stopwatch:
    """Evolve an island of this process from its founders to its last generation, with all its files, and forget it."""
    stopwatch = Stopwatch(LOOP)
    with stopwatch.watching(WATCHED), StopSignal() as stop:
        code = island.run_island(config, island.Command(root), display=Unseen(), stop=stop)
    if code:
        raise AtollError(f"the island ended with exit code {code}, expected 0")
    forget(root, config.island)
    return stopwatch


WHOLE, EVALUATED = ("whole", ""), ("evaluation", "")


def cases(plan: Plan, place: Path) -> list[Case]:
    """Return one case: an island's whole loop."""
    root = place / "generation"
    populate(root, plan, peers=plan.archipelago - 1)
    return [Case(lambda: _measure(plan, root))]


def tables(run: Run) -> list[Table]:
    """Derive what a generation takes, and the share of each stage."""
    rounds = by_round(run.rows, "what", "part")
    parts = sorted({key for each in rounds for key in each if key[1]})
    shares = {key: ratios(rounds, key, WHOLE, _wall_s) for key in parts}
    largest_first = sorted(parts, key=lambda key: -sum(shares[key]))
    return [
        Table(
            "A generation, all included",
            [
                Figure("whole / its evaluation", ratios(rounds, WHOLE, EVALUATED, _wall_s), at_most=1.25),
                Figure("whole (ms)", values(rounds, WHOLE, _each_ms)),
                Figure("evaluation (ms)", values(rounds, EVALUATED, _each_ms)),
            ],
        ),
        Table(
            "Share of each stage in a generation (%)",
            [Figure(f"{what}: {part}", [100 * share for share in shares[what, part]]) for what, part in largest_first],
        ),
        Table(
            "Cost of one call of a stage (ms)",
            [
                Figure(
                    f"{what}: {part}",
                    values(rounds, (what, part), lambda row: 1000 * _wall_s(row) / int(row["calls"])),
                )
                for what, part in largest_first
                if what != "loop"
            ],
        ),
    ]


def _measure(plan: Plan, root: Path) -> list[Row]:
    stopwatch = run_timed(plan.config(ISLAND), root)
    generations = {"generations": plan.generations + 1}  # the founders are one too
    whole_s, evaluation_s = (sum(lap.wall_s for lap in stopwatch.of(s)) for s in (LOOP, EVALUATION))
    found: list[Row] = [
        {"what": "whole", "part": "", "wall_s": whole_s, **generations},
        {"what": "evaluation", "part": "", "wall_s": evaluation_s, **generations},
    ]
    for stage, own_s in stopwatch.totals_s().items():
        what, _, part = stage.partition("/")
        calls = len(stopwatch.of(stage))
        found.append({"what": what, "part": part, "wall_s": own_s, "calls": calls, **generations})
    return found


def _wall_s(row: Row) -> float:
    return float(row["wall_s"])


def _each_ms(row: Row) -> float:
    return 1000 * _wall_s(row) / int(row["generations"])
