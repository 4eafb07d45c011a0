"""How well a run used its workers, by exact definitions.

The trials of a run begin at `start_s` and end at `end_s`; W is the time from the first beginning to the last end, P the
number of workers, T1 the time each trial takes alone on one thread.

- Overlap: the trials' own times together, over W: how many were under way on average.
- Speedup S: the T1 of all, over W. Efficiency: S over P.
- Utilisation U: processor time of all processes within W, over W, in cores.
- CPU inflation I: the same processor time, over the T1 of all.
- Karp-Flatt: (1/S - 1/P) / (1 - 1/P), the serial share that would explain S; above 1 workers make it slower.

So S = U / I, and neither of the two may be told without the other. That holds by definition where both rest on the same
processor time. Here it is checked against a second witness, the processor time that the trials measured inside
themselves: the two differ by what no trial accounts for (helper threads, system processes, workers still starting).

For a run that did not finish, W is a lower bound, hence S and efficiency are upper bounds, inflation a lower one.

Sources: Karp & Flatt 1990, eq. 2; for the identity, substitute the definitions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.rows import DEADLINE, FINISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atoll.scripts.lab.parallel.rows import RunRow, TrialRecord

    Interval = tuple[float, float]
    """When something began and ended, in s."""

IDENTITY_TOLERANCE = 0.1
"""How far U / I, by the trials' own processor time, may be from S, as a share of S."""


@dataclass(frozen=True)
class Metrics:
    """What a run achieved; see the module for each definition.

    Attributes:
        wall_s: W.
        setup_s: From the launch to the beginning of the first trial.
        drain_s: From the end of the last trial to the exit.
        overlap: Trials under way on average, those that never ended included.
        speedup: S.
        efficiency: S / P.
        utilisation: U, in cores.
        inflation: I, by the processor time of the whole tree within W.
        trial_inflation: I, by the processor time that trials measured inside themselves.
        karp_flatt: None for one worker.
        is_bound: The run did not finish: `wall_s`, both inflations and `karp_flatt` are lower bounds, `speedup` and
            `efficiency` upper ones.
    """

    wall_s: float
    setup_s: float
    drain_s: float
    overlap: float
    speedup: float
    efficiency: float
    utilisation: float
    inflation: float
    trial_inflation: float
    karp_flatt: float | None
    is_bound: bool

    @property
    def identity_error(self) -> float | None:
        """How far U / I, by the trials' own processor time, is from S, as a share of S; None if trials are missing."""
        if self.is_bound:
            return None
        return abs(self.inflation / self.trial_inflation - 1.0) if self.trial_inflation else math.inf

    @property
    def is_consistent(self) -> bool:
        """Whether both witnesses of the processor time agree within the tolerance, as far as both are there."""
        return self.identity_error is None or self.identity_error <= IDENTITY_TOLERANCE


def measure(row: RunRow, alone_s: Mapping[int, float]) -> Metrics | None:
    """Return what a run achieved; None if it failed or was skipped, or if none of its trials ended well.

    Of a run that finished, a trial that raised is no work done. Of one that met its deadline, all trials count, so that
    its speedup is an upper bound; those that never ended lasted until its exit. If none even began, W begins at the
    launch.

    Args:
        row: The run.
        alone_s: T1 of each trial by its index, in s; see `times_alone`.

    Raises:
        KeyError: A trial of the run has no T1.
    """
    ended = [trial for trial in row.trials if trial.error is None]
    is_bound = row.outcome == DEADLINE
    if not is_bound and (row.outcome != FINISHED or not ended):
        return None
    lasted = intervals(row)
    start_s = min((start_s for start_s, _ in lasted), default=row.launched_s)
    end_s = row.exited_s if is_bound else max(end_s for _, end_s in lasted)
    wall_s = end_s - start_s
    work_s = sum(alone_s[index] for index in (range(row.n_trials) if is_bound else (trial.index for trial in ended)))
    cpu_s = cpu_within_s(row.samples, start_s, end_s)
    gain = work_s / wall_s
    return Metrics(
        wall_s=wall_s,
        setup_s=start_s - row.launched_s,
        drain_s=row.exited_s - end_s,
        overlap=overlap(lasted, wall_s),
        speedup=gain,
        efficiency=gain / row.workers,
        utilisation=cpu_s / wall_s,
        inflation=cpu_s / work_s,
        trial_inflation=sum(trial.cpu_s for trial in ended) / work_s,
        karp_flatt=karp_flatt(gain, row.workers),
        is_bound=is_bound,
    )


def times_alone(trials: Iterable[TrialRecord]) -> dict[int, float]:
    """Return T1 by index, from a sequential run on one thread."""
    return {trial.index: trial.end_s - trial.start_s for trial in trials if trial.error is None}


def intervals(row: RunRow) -> list[Interval]:
    """Return when each trial began and ended; of a run that met its deadline, also those that it cut short."""
    lasted = [(trial.start_s, trial.end_s) for trial in row.trials]
    if row.outcome == DEADLINE:
        recorded = {trial.index for trial in row.trials}
        last_begun = {start.index: start.start_s for start in row.starts if start.index not in recorded}
        lasted += [(start_s, row.exited_s) for start_s in last_begun.values()]
    return lasted


def overlap(lasted: Iterable[Interval], wall_s: float) -> float:
    """Return how many trials were under way on average over `wall_s`."""
    return sum(end_s - start_s for start_s, end_s in lasted) / wall_s


def karp_flatt(speedup: float, workers: int) -> float | None:
    """Return the serial share that would explain a speedup; None for one worker."""
    return (1.0 / speedup - 1.0 / workers) / (1.0 - 1.0 / workers) if workers > 1 else None


def cpu_within_s(samples: Sequence[Sequence[float]], start_s: float, end_s: float) -> float:
    """Return the processor time between two moments, in s.

    Args:
        samples: (t_s, threads, processes, cpu_cores, pss_bytes), the cores from the sample before to this one.
        start_s: The one moment, by the samples' clock.
        end_s: The other.
    """
    return sum(
        after[3] * max(0.0, min(after[0], end_s) - max(before[0], start_s)) for before, after in pairwise(samples)
    )


def busiest_cores(samples: Sequence[Sequence[float]], window_s: float = 1.0) -> float:
    """Return the most cores that were in use over any such window that a sample begins; over all of a shorter run.

    Args:
        samples: As for `cpu_within_s`.
        window_s: Length of the window.
    """
    took_s = samples[-1][0] - samples[0][0] if samples else 0.0
    if took_s <= 0.0:
        return 0.0
    length_s = min(window_s, took_s)
    starts_s = (sample[0] for sample in samples if sample[0] + length_s <= samples[-1][0])
    return max(cpu_within_s(samples, start_s, start_s + length_s) / length_s for start_s in starts_s)
