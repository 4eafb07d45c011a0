"""The published failure on 128 virtual cores, simulated: does what was measured on two cores explain it?

Sources are the reference project's own logs, as the notes quote them. A count that is predicted from two cores is a
test of the model; the speedup that is fitted to one count is none, and is then held against the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from atoll.scripts.lab.parallel.simulate.engine import simulate
from atoll.scripts.lab.parallel.simulate.feed import Queue
from atoll.scripts.lab.parallel.simulate.inputs import PROCESSES, SPINNING, THREADS

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.simulate.chance import Chance
    from atoll.scripts.lab.parallel.simulate.inputs import Inputs

MINUTE_S = 60.0


@dataclass(frozen=True)
class Fact:
    """Something that was published.

    Attributes:
        what: In words.
        arm: How trials were run.
        workers: How many at once.
        n_trials: How many there were to do.
        trial_s: What one takes alone; None: the mean of the inputs.
        busy_cores: How many cores the log says were busy; None: what the inputs say.
        after_s: When it was looked at.
        finished: How many had ended by then.
    """

    what: str
    arm: str
    workers: int
    n_trials: int
    after_s: float
    finished: int
    trial_s: float | None = None
    busy_cores: float | None = None


TWELVE_MINUTES = Fact("`n_jobs=3`, 3 trials, after 12 minutes", THREADS, 3, 3, 12 * MINUTE_S, 0)
EIGHT_HOURS = Fact("`n_jobs=5`, 100 trials, after 8 hours", THREADS, 5, 100, 480 * MINUTE_S, 12)
SPINNING_POOL = Fact(
    "`Pool`, 3 trials of about 5 minutes, default threads, after 37 minutes",
    SPINNING,
    3,
    3,
    37 * MINUTE_S,
    0,
    5 * MINUTE_S,
    2129 / 37,
)
"""Its log has 2,129 minutes of processor time in 37 minutes."""
LIMITED_POOL = Fact(
    "`Pool`, 3 trials of about 5 minutes, one thread each, after 7 minutes",
    PROCESSES,
    3,
    3,
    7 * MINUTE_S,
    3,
    5 * MINUTE_S,
)
FACTS = (TWELVE_MINUTES, EIGHT_HOURS, SPINNING_POOL, LIMITED_POOL)


@dataclass(frozen=True)
class Count:
    """How many trials had ended, over many draws of trial times: the median and the middle 95 %."""

    median: float
    low: float
    high: float


def count(fact: Fact, inputs: Inputs, chance: Chance) -> Count:
    """Simulate a fact."""
    inputs = inputs.with_value("n_trials", fact.n_trials)
    if fact.trial_s is not None:
        inputs = inputs.with_value("trial_s", fact.trial_s)
    way = inputs.way(fact.arm, fact.workers)
    if fact.busy_cores is not None:
        way = replace(way, cap_cores=fact.busy_cores)
    ended = [
        simulate(Queue(inputs.trials(rng)), way, inputs.machine(), rng=rng).finished_by(fact.after_s)
        for rng in chance.generators()
    ]
    low, median, high = np.quantile(ended, (0.025, 0.5, 0.975), method="nearest")
    return Count(float(median), float(low), float(high))


def lock_alone(inputs: Inputs) -> Inputs:
    """Return inputs in which threads take turns and lose nothing by it: the best that one interpreter lock allows."""
    return inputs.with_value("gil_cores", 1.0).with_value("gil_inflation", 1.0)


def fitted(inputs: Inputs, chance: Chance) -> tuple[Inputs, float]:
    """Return inputs whose threads finish as many trials in eight hours as was published, and their joint speedup.

    Only U / I matters to the count; U stays at the highest that the log shows, and I follows.
    """
    cores = inputs.gil_cores.high
    base = inputs.with_value("gil_cores", cores)
    low, high = 1.0, 100.0
    for _ in range(20):
        middle = (low + high) / 2
        found = count(EIGHT_HOURS, base.with_value("gil_inflation", middle), chance)
        low, high = (middle, high) if found.median > EIGHT_HOURS.finished else (low, middle)
    return base.with_value("gil_inflation", high), cores / high
