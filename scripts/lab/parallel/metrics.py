"""Speedup, utilisation and CPU inflation of a run, by exact definitions; and its verdict, by fixed thresholds.

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

The verdict on a run, in one word, by thresholds that were fixed before anything was measured:

| verdict | when, for P workers on N cores; the first that fits |
| --- | --- |
| skipped, failed | the arm could not run; it ended with an error |
| hung | it met its deadline, and nearly nothing ran in the last third of its time |
| did not finish | it met its deadline |
| starting | CPU inflation above 1.2, and each trial had to start processes of its own, which is what it paid for |
| oversubscribed | CPU inflation above 1.5, and threads waited for a processor above 0.2 of the time they could run |
| spinning | CPU inflation above 1.5, with at least 0.8 of the cores in use |
| sequential | overlap below 1.2: the trials ran one after another, whatever was asked for |
| convoyed | overlap at least 0.8 P, speedup below 1.2, and no such waiting: they slept and took turns at one lock |
| parallel | speedup at least 0.7 of what P workers on N cores can give, and CPU inflation at most 1.2 |
| degraded | anything else |

Waste comes before overlap: trials that burn their cores while they wait also overlap and gain nothing, and are no
convoy, whose trials sleep while they wait. A run whose threads waited for processors without wasting any was crowded
out by others: it is degraded, and the reject rule repeats it. One worker is sequential by intent; of it only waste and
degradation are told.

Sources: Karp & Flatt 1990, eq. 2; for the identity, substitute the definitions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.rows import DEADLINE, FAILED, FINISHED, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atoll.scripts.lab.parallel.records import TrialRecord
    from atoll.scripts.lab.parallel.rows import RunRow

    Interval = tuple[float, float]
    """When something began and ended, in s."""

IDENTITY_TOLERANCE = 0.1
"""How far U / I, by the trials' own processor time, may be from S, as a share of S."""

SEQUENTIAL_OVERLAP = 1.2
CONVOY_OVERLAP_SHARE = 0.8
CONVOY_SPEEDUP = 1.2
WASTE_INFLATION = 1.5
SPINNING_CORES_SHARE = 0.8
WAITING_SHARE = 0.2
PARALLEL_SHARE = 0.7
PARALLEL_INFLATION = 1.2
HUNG_CORES = 0.05


@dataclass(frozen=True)
class Metrics:
    """Metrics of a run; see the module for each definition.

    Attributes:
        wall_s: W.
        overlap: Trials under way on average, those that never ended included.
        speedup: S.
        utilisation: U, in cores.
        inflation: I, by the processor time of the whole tree within W.
        trial_inflation: I, by the processor time that trials measured inside themselves.
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
    work_s = sum(
        alone_s[index] for index in (range(row.setting.n_trials) if is_bound else (trial.index for trial in ended))
    )
    cpu_s = cpu_within_s(row.usage.samples, start_s, end_s)
    gain = work_s / wall_s
    return Metrics(
        wall_s=wall_s,
        setup_s=start_s - row.launched_s,
        drain_s=row.exited_s - end_s,
        overlap=overlap(lasted, wall_s),
        speedup=gain,
        efficiency=gain / row.setting.workers,
        utilisation=cpu_s / wall_s,
        inflation=cpu_s / work_s,
        trial_inflation=sum(trial.cpu_s for trial in ended) / work_s,
        karp_flatt=karp_flatt(gain, row.setting.workers),
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
    """Return the most cores that were in use over any such window that a sample begins; over all of a shorter run."""
    took_s = samples[-1][0] - samples[0][0] if samples else 0.0
    if took_s <= 0.0:
        return 0.0
    length_s = min(window_s, took_s)
    starts_s = (sample[0] for sample in samples if sample[0] + length_s <= samples[-1][0])
    return max(cpu_within_s(samples, start_s, start_s + length_s) / length_s for start_s in starts_s)


class Verdict(StrEnum):
    """See the module."""

    SKIPPED = "skipped"
    FAILED = "failed"
    HUNG = "hung"
    UNFINISHED = "did not finish"
    OVERSUBSCRIBED = "oversubscribed"
    STARTING = "starting"
    SPINNING = "spinning"
    SEQUENTIAL = "sequential"
    CONVOYED = "convoyed"
    PARALLEL = "parallel"
    DEGRADED = "degraded"


@dataclass(frozen=True)
class Judgement:
    """A verdict and the figures it rests on, in a sentence without a full stop."""

    verdict: Verdict
    because: str


def judge(  # noqa: PLR0911 - a table, read from above
    metrics: Metrics, *, workers: int, cores: int, wait_share: float, is_starting_each: bool = False
) -> Judgement:
    """Return the verdict on a run that finished, or what an unfinished one was like until it was ended."""
    m = metrics
    waste = f"CPU inflation {m.inflation:.2f} with {m.utilisation:.2f} of {cores} cores in use"
    pace = f"overlap {m.overlap:.2f}, speedup {m.speedup:.2f} of {workers} workers on {cores} cores"
    if m.inflation > PARALLEL_INFLATION and is_starting_each:
        return Judgement(Verdict.STARTING, f"{waste}, processes started for each trial")
    if m.inflation > WASTE_INFLATION and wait_share > WAITING_SHARE:
        return Judgement(Verdict.OVERSUBSCRIBED, f"{waste}, threads waiting to run {wait_share:.0%} of their time")
    if m.inflation > WASTE_INFLATION and m.utilisation >= SPINNING_CORES_SHARE * cores:
        return Judgement(Verdict.SPINNING, waste)
    if workers == 1:
        is_well = m.speedup >= PARALLEL_SHARE
        return Judgement(Verdict.SEQUENTIAL if is_well else Verdict.DEGRADED, pace)
    if m.overlap < SEQUENTIAL_OVERLAP:
        return Judgement(Verdict.SEQUENTIAL, pace)
    is_waiting = wait_share > WAITING_SHARE
    if m.overlap >= CONVOY_OVERLAP_SHARE * workers and m.speedup < CONVOY_SPEEDUP and not is_waiting:
        return Judgement(Verdict.CONVOYED, f"{pace}, {m.utilisation:.2f} cores in use")
    if m.speedup >= PARALLEL_SHARE * min(workers, cores) and m.inflation <= PARALLEL_INFLATION:
        return Judgement(Verdict.PARALLEL, f"{pace}, CPU inflation {m.inflation:.2f}")
    waiting = f", threads waiting to run {wait_share:.0%} of their time" if is_waiting else ""
    return Judgement(Verdict.DEGRADED, f"{pace}, CPU inflation {m.inflation:.2f}{waiting}")


def judge_outcome(outcome: str, reason: str | None, samples: Sequence[Sequence[float]]) -> Judgement | None:
    """Return the verdict on a run that did not finish; None if it did, and `judge` decides."""
    if outcome == FINISHED:
        return None
    if outcome in {FAILED, SKIPPED}:
        return Judgement(Verdict(outcome), reason or "no reason was given")
    late_cores = cores_at_the_end(samples)
    because = f"{late_cores:.2f} cores in use in the last third of its time"
    return Judgement(Verdict.HUNG if late_cores < HUNG_CORES else Verdict.UNFINISHED, because)


def cores_at_the_end(samples: Sequence[Sequence[float]]) -> float:
    """Return how many cores were in use over the last third of a run."""
    if len(samples) < 2:
        return 0.0
    end_s = samples[-1][0]
    third_s = (end_s - samples[0][0]) / 3.0
    return cpu_within_s(samples, end_s - third_s, end_s) / third_s if third_s > 0 else 0.0


def differing(trials: Iterable[TrialRecord], expected: Mapping[int, str]) -> tuple[int, ...]:
    """Return the indices of trials that ended with another result than expected; one that raised has none."""
    return tuple(trial.index for trial in trials if trial.error is None and trial.result_hash != expected[trial.index])
