"""What a run was, in one word, by thresholds that were fixed before anything was measured.

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
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.metrics import cpu_within_s
from atoll.scripts.lab.parallel.rows import FAILED, FINISHED, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atoll.scripts.lab.parallel.metrics import Metrics
    from atoll.scripts.lab.parallel.rows import TrialRecord

SEQUENTIAL_OVERLAP = 1.2
CONVOY_OVERLAP_SHARE = 0.8
CONVOY_SPEEDUP = 1.2
WASTE_INFLATION = 1.5
SPINNING_CORES_SHARE = 0.8
WAITING_SHARE = 0.2
PARALLEL_SHARE = 0.7
PARALLEL_INFLATION = 1.2
HUNG_CORES = 0.05


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
    """Return the verdict on a run that finished, or what an unfinished one was like until it was ended.

    Args:
        metrics: What it achieved.
        workers: P, those asked for.
        cores: N, those the run could use.
        wait_share: Of the time in which its threads could run, the part in the queue for a processor.
        is_starting_each: Each trial starts processes of its own.
    """
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
    """Return the verdict on a run that did not finish; None if it did, and `judge` decides.

    Args:
        outcome: "finished", "deadline", "failed" or "skipped".
        reason: In one line, if there is one.
        samples: As in a run's row.
    """
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
    """Return the indices of trials that ended with another result than expected; one that raised has none.

    Args:
        trials: Of one run.
        expected: The result's hash by index, from a sequential run.
    """
    return tuple(trial.index for trial in trials if trial.error is None and trial.result_hash != expected[trial.index])
