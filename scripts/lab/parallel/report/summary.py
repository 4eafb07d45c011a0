"""The runs of one setting in a few figures."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.scripts.lab.kit import stats
from atoll.scripts.lab.parallel.report.study import Setting, workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from atoll.scripts.lab.parallel.metrics import Metrics
    from atoll.scripts.lab.parallel.report.study import Run, Session, Workload
    from atoll.scripts.lab.parallel.rows import RunRow

SEED = 20261123
"""Of the bootstrap: equal rows give equal tables."""


@dataclass(frozen=True)
class Summary:
    """One setting over all blocks.

    Attributes:
        setting: Which.
        runs: That count, one for each block.
        n_rejected: Runs that did not, and were repeated.
        speedup: Median and interval of the logarithm of S; None where nothing could be held against the baseline.
        is_bound: Some run did not finish, so that S is at most that.
        p: Of the sign test of S against 1, corrected for the number of tests; None where there was none.
        shown: What that shows.
    """

    setting: Setting
    runs: tuple[Run, ...]
    n_rejected: int
    speedup: stats.Interval | None
    is_bound: bool
    p: float | None
    shown: str

    @property
    def verdicts(self) -> Counter[str]:
        """How often which verdict was given."""
        return Counter(run.words for run in self.runs if run.judgement)

    @property
    def outcomes(self) -> Counter[str]:
        """How often runs ended in which way."""
        return Counter(run.row.outcome for run in self.runs)

    @property
    def reason(self) -> str | None:
        """Why it did not simply finish, in the words of the first run that says so."""
        return next((run.row.reason for run in self.runs if run.row.reason), None)

    def median(self, of: Callable[[RunRow], float]) -> float:
        """Return the median of something that every row has."""
        return float(statistics.median(of(run.row) for run in self.runs))

    def median_metric(self, of: Callable[[Metrics], float | None]) -> float | None:
        """Return the median of a metric; None where no run has it."""
        found = [of(run.metrics) for run in self.runs if run.metrics]
        known = [value for value in found if value is not None]
        return float(statistics.median(known)) if known else None

    @property
    def mean_fitness(self) -> float | None:
        """Mean over trials and seeds of the best fitness, of the first run that has all trials."""
        whole = (run.row.trials for run in self.runs if all(trial.error is None for trial in run.row.trials))
        found = next((trials for trials in whole if trials), ())
        return statistics.fmean(value for trial in found for value in trial.fitness) if found else None

    @property
    def hashes(self) -> tuple[int, int] | None:
        """How many trials' results were compared with the sequential ones, and how many differ."""
        found = [run for run in self.runs if run.differing is not None]
        n_differing = sum(len(run.differing or ()) for run in found)
        n = sum(sum(trial.error is None for trial in run.row.trials) for run in found)
        return (n, n_differing) if found else None


def summarise(session: Session, load: Workload) -> list[Summary]:
    """Summarise every setting of a workload.

    Tested are the settings with enough blocks to show anything, and p-values are corrected for their number; those with
    fewer are described. Which is which was decided with the number of blocks, before any result was known.
    """
    settings = session.settings(load)
    intervals = {setting: _speedup(runs) for setting, runs in settings.items()}
    tested = {
        setting: stats.sign_test(logs)
        for setting, runs in settings.items()
        if not setting.is_baseline and stats.coverage(len(logs := log_speedups(runs))) >= stats.LEVEL
    }
    corrected = stats.holm(tested)
    rejected = Counter(_key(row) for row in session.rejected if row.fault is None and not row.is_repeat)
    return [
        Summary(
            setting=setting,
            runs=runs,
            n_rejected=rejected[setting, load],
            speedup=intervals[setting],
            is_bound=any(run.metrics.is_bound for run in runs if run.metrics),
            p=corrected.get(setting),
            shown=_shown(setting, intervals[setting], corrected.get(setting)),
        )
        for setting, runs in settings.items()
    ]


def log_speedups(runs: Iterable[Run]) -> list[float]:
    """Return log S of each run that has one."""
    return [math.log(run.metrics.speedup) for run in runs if run.metrics and run.metrics.speedup > 0]


def noise(session: Session, load: Workload) -> list[float]:
    """Return log ratios of the second sequential run of each block to the first."""
    return log_speedups(session.repeats(load))


@dataclass(frozen=True)
class Change:
    """Two settings of an arm that differ in one respect, compared within blocks.

    Attributes:
        arm: Which.
        workers: How many.
        before: The one setting.
        after: The other.
        ratio: Of their speedups, other / one, as logarithms.
        bound: "at most " or "at least " where one of them met its deadline, so that its speedup is an upper bound.
    """

    arm: str
    workers: int
    before: Setting
    after: Setting
    ratio: stats.Interval
    bound: str


def changes(summaries: Iterable[Summary]) -> list[Change]:
    """Compare all pairs of settings that differ in nothing but threads, or waiting, or how processes are started.

    Two that both met their deadline are left out: of two bounds there is no ratio.
    """
    several = list(summaries)
    found = []
    for place, one in enumerate(several):
        for other in several[place + 1 :]:
            logs = stats.log_ratios(_by_block(other), _by_block(one))
            is_known = logs and not (one.is_bound and other.is_bound)
            if is_known and len(_differences(one.setting, other.setting)) == 1:
                ratio = stats.interval(logs, seed=SEED)
                bound = "at most " if other.is_bound else "at least " if one.is_bound else ""
                found.append(Change(one.setting.arm, one.setting.workers, one.setting, other.setting, ratio, bound))
    return found


def against(summaries: Iterable[Summary], arm: str) -> list[tuple[Summary, stats.Interval, str]]:
    """Compare each arm with another within blocks, at the same number of workers, both in their usual setting.

    Returns:
        Each with the interval of the logarithm of its speedup over the other's, and what that shows.
    """
    usual = [each for each in summaries if each.setting.is_usual and not each.is_bound]
    found: list[tuple[Summary, stats.Interval, str]] = []
    for one in (each for each in usual if each.setting.arm == arm):
        for other in usual:
            logs = stats.log_ratios(_by_block(other), _by_block(one))
            if other is not one and other.setting.workers == one.setting.workers and logs:
                ratio = stats.interval(logs, seed=SEED)
                is_tested = stats.coverage(len(logs)) >= stats.LEVEL
                shown = stats.judge(ratio, stats.sign_test(logs)) if is_tested else "too few blocks to tell"
                found.append((other, ratio, shown))
    return found


def _differences(one: Setting, other: Setting) -> list[str]:
    """Return in which respects two settings differ; the number of threads and how it is set are one."""
    names = ("arm", "workers", "wait_policy", "start_method", "migrate_every", "sampler")
    found = [name for name in names if getattr(one, name) != getattr(other, name)]
    if {"arm", "workers", "sampler", "migrate_every"} & set(found):
        return [*found, "not comparable"]
    return found + (["threads"] if (one.threads, one.limit) != (other.threads, other.limit) else [])


def _by_block(summary: Summary) -> Mapping[int, float]:
    return {run.row.block: run.metrics.speedup for run in summary.runs if run.metrics and run.metrics.speedup > 0}


def _speedup(runs: Iterable[Run]) -> stats.Interval | None:
    logs = log_speedups(runs)
    return stats.interval(logs, seed=SEED) if logs else None


def _shown(setting: Setting, found: stats.Interval | None, p: float | None) -> str:
    if setting.is_baseline:
        return "the baseline"
    if found is None:
        return "not compared"
    return "too few blocks to tell" if p is None else stats.judge(found, p)


def _key(row: RunRow) -> tuple[Setting, Workload]:
    return Setting.of(row), workload(row)
