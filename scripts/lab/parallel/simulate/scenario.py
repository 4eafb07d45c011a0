"""What is simulated: a machine, a way to run trials on it, and how long each trial takes alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np

from atoll.evo.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

OnCrash = Literal["retry", "break"]


@dataclass(frozen=True)
class Machine:
    """A host.

    Attributes:
        cores: That can work at the same time, at least one.
        slowdown: How many times longer a trial takes when all cores are busy than when one is, at least one: memory
            bandwidth, clock, two hardware threads of one core. Between one and all cores it grows linearly, which is a
            guess; its value past two cores is not known and is swept.
    """

    cores: int
    slowdown: float = 1.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: A value is out of its range.
        """
        _at_least(self, cores=1, slowdown=1.0)

    def stretch(self, busy_cores: float) -> float:
        """Return how many times longer work takes while `busy_cores` are busy."""
        if self.cores == 1:
            return 1.0
        share = min(1.0, max(0.0, (busy_cores - 1) / (self.cores - 1)))
        return 1.0 + (self.slowdown - 1.0) * share


@dataclass(frozen=True)
class Way:
    """A way to run trials side by side.

    Attributes:
        workers: How many run at once.
        startup_s: From the launch of a worker until it can take its first trial; paid again after a crash.
        lock_s: Ask and tell for one trial, during which all other workers have to wait their turn.
        cores_per_trial: How many cores one running trial keeps busy if it gets them; above one where its library spins.
        cap_cores: How many cores all trials together can keep busy: about one under a single interpreter lock.
        inflation: Processor time of a trial that has company / processor time of the same trial alone.
        chunk: How many trials a worker takes at a time.
        crash_p: Probability that a trial ends its worker, somewhere on its way.
        retries: How often a crashed trial is begun again before it counts as lost.
        on_crash: "retry" starts that worker anew; "break" all of them, and every trial under way begins again, as when
            a process pool breaks.
    """

    workers: int
    startup_s: float = 0.0
    lock_s: float = 0.0
    cores_per_trial: float = 1.0
    cap_cores: float = math.inf
    inflation: float = 1.0
    chunk: int = 1
    crash_p: float = 0.0
    retries: int = 3
    on_crash: OnCrash = "retry"

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: A value is out of its range.
        """
        _at_least(self, workers=1, startup_s=0, lock_s=0, cores_per_trial=1, cap_cores=1, inflation=1, chunk=1)
        _at_least(self, crash_p=0, retries=0)
        if not self.crash_p < 1:
            raise ConfigError(f"crash_p: expected a probability below 1, got {self.crash_p}")

    def busy_cores(self, n_running: int, machine: Machine) -> float:
        """Return how many cores are busy while `n_running` trials run."""
        wanted = 1.0 if n_running == 1 else n_running * self.cores_per_trial
        return min(wanted, self.cap_cores, float(machine.cores))

    def progress(self, n_running: int, machine: Machine) -> float:
        """Return how fast each of `n_running` trials goes on, against running alone: (U / I) / n for n of them.

        A trial without company takes the time it takes alone, whatever the way, and none goes faster than that: more
        threads inside one trial did not make it faster where it was measured.
        """
        if n_running == 1:
            return 1.0
        busy = self.busy_cores(n_running, machine)
        return min(1.0, busy / n_running / self.inflation) / machine.stretch(busy)


def draw_trials(
    n: int,
    *,
    mean_s: float,
    cv: float,
    rng: np.random.Generator,
    straggler_p: float = 0.0,
    straggler_factor: float = 1.0,
) -> NDArray[np.float64]:
    """Draw how long trials take alone: log-normal, some of them stretched.

    Args:
        n: How many.
        mean_s: Mean before any is stretched.
        cv: Standard deviation / mean.
        rng: Source of randomness.
        straggler_p: Share of stragglers.
        straggler_factor: How many times longer those take.

    Returns:
        Seconds, [n].
    """
    sigma = math.sqrt(math.log1p(cv * cv))
    times = mean_s * np.exp(sigma * rng.standard_normal(n) - sigma * sigma / 2)
    return np.where(rng.random(n) < straggler_p, straggler_factor * times, times)


def resample_trials(n: int, observed_s: Sequence[float], *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw from what was measured, with replacement: the empirical distribution.

    Returns:
        Seconds, [n].
    """
    return rng.choice(np.asarray(observed_s, dtype=np.float64), size=n)


def _at_least(value: Machine | Way, **lowest: float) -> None:
    for field in fields(value):
        if field.name in lowest and not getattr(value, field.name) >= lowest[field.name]:
            got = getattr(value, field.name)
            raise ConfigError(f"{field.name}: expected at least {lowest[field.name]}, got {got}")
