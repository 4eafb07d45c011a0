"""Machines that are not at hand: 5, 20, 64 and 128 workers, and which inputs the result hangs on most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.scripts.lab.parallel.simulate.engine import simulate
from atoll.scripts.lab.parallel.simulate.feed import Epochs, Queue
from atoll.scripts.lab.parallel.simulate.inputs import CORES
from atoll.scripts.lab.parallel.simulate.scenario import Machine, Way, draw_trials

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.scripts.lab.parallel.simulate.chance import Chance
    from atoll.scripts.lab.parallel.simulate.engine import Simulated
    from atoll.scripts.lab.parallel.simulate.inputs import Inputs

WORKERS = (5, 20, 64, 128)
EPOCHS = 15
"""Migrations of a run of 150 generations that migrates every 10."""


@dataclass(frozen=True)
class Range:
    """A quantity over many draws: the median and the middle 95 %."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """One way with one number of workers.

    Attributes:
        arm: Which way.
        workers: How many.
        speedup: Time alone / wall time, start-up left out.
        hours: From the launch to the last end.
    """

    arm: str
    workers: int
    speedup: Range
    hours: Range


@dataclass(frozen=True)
class Swing:
    """What one input does to the speedup from launch to end, all others left as they are.

    Attributes:
        name: Which input.
        at_low: Speedup with its lowest value.
        at_high: Speedup with its highest.
    """

    name: str
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """How much hangs on it: the larger speedup / the smaller one."""
        return max(self.at_low, self.at_high) / min(self.at_low, self.at_high)


def point(arm: str, workers: int, inputs: Inputs, chance: Chance) -> Point:
    """Simulate a study many times."""
    ended = _studies(arm, workers, inputs, chance)
    return Point(
        arm, workers, _range(ended, lambda each: each.speedup), _range(ended, lambda each: each.total_s / 3600)
    )


def sensitivity(arm: str, workers: int, inputs: Inputs, chance: Chance) -> list[Swing]:
    """Change each input alone from its lowest to its highest value; the most influential one comes first.

    Inputs that this way does not use are left out.
    """

    def speedup(changed: Inputs) -> float:
        return _range(_studies(arm, workers, changed, chance), lambda each: each.alone_s / each.total_s).median

    usual = speedup(inputs)
    swings = [
        Swing(name, speedup(inputs.with_value(name, each.low)), speedup(inputs.with_value(name, each.high)))
        for name, each in inputs.items()
    ]
    moved = [swing for swing in swings if {swing.at_low, swing.at_high} != {usual}]
    return sorted(moved, key=lambda swing: swing.width, reverse=True)


def island_efficiency(islands: int, cv: float, chance: Chance, *, barrier: bool) -> float:
    """Return which share of the time islands work, the others waiting at migrations or at the end, as a mean."""
    found = []
    for rng in chance.generators():
        times = draw_trials(islands * EPOCHS, mean_s=1.0, cv=cv, rng=rng).reshape(islands, EPOCHS)
        ended = simulate(Epochs(times, barrier=barrier), Way(islands), Machine(max(CORES, islands)), rng=rng)
        found.append(ended.alone_s / (islands * ended.wall_s))
    return float(np.mean(found))


def _studies(arm: str, workers: int, inputs: Inputs, chance: Chance) -> list[Simulated]:
    way, machine = inputs.way(arm, workers), inputs.machine()
    return [simulate(Queue(inputs.trials(rng), chunk=way.chunk), way, machine, rng=rng) for rng in chance.generators()]


def _range(ended: Sequence[Simulated], of: Callable[[Simulated], float]) -> Range:
    low, median, high = np.quantile([of(each) for each in ended], (0.025, 0.5, 0.975))
    return Range(float(median), float(low), float(high))
