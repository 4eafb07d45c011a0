"""What the simulation rests on: each input with its value, how far off it may be, and where it comes from.

`Published` is what the reference project logged on its machine of 128 virtual cores; `exploratory` is what this project
measured with that engine on two cores before the harness existed; `measured` is taken from the rows of this harness;
`assumed` is a guess whose range is swept.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.simulate.scenario import Machine, Way, draw_trials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

CORES = 128
"""Of the machine on which the published runs failed."""
TEAM = 64
"""Threads that a numeric library starts there by default, one for each physical core."""


@dataclass(frozen=True)
class Quantity:
    """An input.

    Attributes:
        value: What is used.
        low: What it may be at least.
        high: What it may be at most.
        unit: Of all three.
        meaning: In words.
        source: Where the value comes from.
    """

    value: float
    low: float
    high: float
    unit: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Inputs:
    """All of them."""

    n_trials: Quantity = Quantity(100, 100, 1000, "", "trials of a study", "published plan")
    trial_s: Quantity = Quantity(
        684, 342, 1368, "s", "mean time of a trial alone", "published (11.4 min); range assumed"
    )
    trial_cv: Quantity = Quantity(0.3, 0.0, 0.6, "", "spread of trial times, standard deviation / mean", "assumed")
    straggler_p: Quantity = Quantity(0.0, 0.0, 0.05, "", "share of trials that take three times as long", "assumed")
    startup_s: Quantity = Quantity(
        1.1, 0.01, 19, "s", "start of a worker", "exploratory (spawn and import); cold: published"
    )
    lock_s: Quantity = Quantity(
        0.017, 0.003, 0.08, "s", "ask and tell, under one lock", "exploratory (journal; memory; SQLite)"
    )
    slowdown: Quantity = Quantity(1.0, 1.0, 2.0, "", "a trial's time with all cores busy / alone", "unknown: swept")
    crash_p: Quantity = Quantity(0.0, 0.0, 0.02, "", "probability that a trial ends its worker", "assumed")
    gil_cores: Quantity = Quantity(
        1.35, 1.0, 4.0, "cores", "cores that threads of one process keep busy", "exploratory; published"
    )
    gil_inflation: Quantity = Quantity(
        2.15, 1.0, 14, "", "processor time of trials in threads / alone", "exploratory; published"
    )
    spin_inflation: Quantity = Quantity(
        2.95,
        1.0,
        7.0,
        "",
        "the same of processes that spin, for each thread of a team",
        "exploratory (5.9 to 14, teams of two)",
    )

    def items(self) -> Iterator[tuple[str, Quantity]]:
        """Return names and quantities in order."""
        return ((field.name, getattr(self, field.name)) for field in fields(self))

    def with_value(self, name: str, value: float) -> Inputs:
        """Return the inputs with one value changed."""
        return replace(self, **{name: replace(getattr(self, name), value=value)})

    def with_measured(self, found: Mapping[str, Quantity]) -> Inputs:
        """Return the inputs with what was measured in place of what was assumed."""
        return replace(self, **found)

    def machine(self) -> Machine:
        """Return the large machine."""
        return Machine(CORES, self.slowdown.value)

    def trials(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw a study: seconds, [n_trials]."""
        return draw_trials(
            int(self.n_trials.value),
            mean_s=self.trial_s.value,
            cv=self.trial_cv.value,
            straggler_p=self.straggler_p.value,
            straggler_factor=STRAGGLER_FACTOR,
            rng=rng,
        )

    def way(self, arm: str, workers: int) -> Way:
        """Return how `arm`, one of `ARMS`, runs trials with so many workers.

        Raises:
            KeyError: There is no such arm.
        """
        processes = Way(
            workers, startup_s=self.startup_s.value, lock_s=self.lock_s.value, crash_p=self.crash_p.value, retries=99
        )
        return {
            PROCESSES: processes,
            CHUNKS: replace(processes, chunk=-(-int(self.n_trials.value) // (4 * workers))),
            SPINNING: replace(processes, cores_per_trial=TEAM, inflation=TEAM * self.spin_inflation.value),
            BREAKING: replace(processes, on_crash="break"),
            THREADS: Way(
                workers,
                lock_s=self.lock_s.value,
                cap_cores=max(1.0, self.gil_cores.value),
                inflation=self.gil_inflation.value,
            ),
        }[arm]


STRAGGLER_FACTOR = 3.0
PROCESSES = "processes, one thread each"
CHUNKS = "the same, in chunks as `Pool.map` makes them"
SPINNING = "processes, default threads"
THREADS = "threads of one process (`n_jobs`)"
BREAKING = "processes in a pool that breaks when one dies"
ARMS = (PROCESSES, CHUNKS, SPINNING, THREADS)
