"""Sessions, settings and runs: rows in order, each run held against the sequential run of its block, and summarised."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from atoll.scripts.lab.kit import stats
from atoll.scripts.lab.parallel import metrics
from atoll.scripts.lab.parallel.arms.arm import ARMS
from atoll.scripts.lab.parallel.metrics import Verdict
from atoll.scripts.lab.parallel.rows import FINISHED, WARM_UP
from atoll.scripts.lab.parallel.setting import Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Place = tuple["Workload", int, int]
    """A trial of the list: of which workload, by which seed, which index."""

    from atoll.scripts.lab.parallel.metrics import Judgement, Metrics
    from atoll.scripts.lab.parallel.rows import RunRow

SEED = 20261123
"""Of the bootstrap: equal rows give equal tables."""
TIERS = ("production", "medium", "small", "tiny")


@dataclass(frozen=True, order=True)
class Workload:
    """Workload: what a trial is. Only runs of one workload share a table."""

    tier: str
    evaluator: str

    def __str__(self) -> str:
        return f"{self.tier}, {self.evaluator} evaluator"

    @property
    def rank(self) -> int:
        """Place by the size of trials, the largest first."""
        return TIERS.index(self.tier) if self.tier in TIERS else len(TIERS)


STARTING_EACH = ("islands",)
"""Arms in which a trial starts processes of its own, and its time and processor time contain their start."""


@dataclass(frozen=True)
class Run:
    """A run and what is to be said of it.

    Attributes:
        metrics: Held against the sequential run of its block; None where there is none to hold it against, or where
            the run tells nothing.
        meanwhile: Of a run that did not finish, what it was like until it was ended.
        differing: Trials whose result is not that of a sequential run; None where that cannot be said.
    """

    row: RunRow
    setting: Setting
    metrics: Metrics | None
    judgement: Judgement | None
    meanwhile: Judgement | None
    differing: tuple[int, ...] | None

    @property
    def words(self) -> str:
        """The verdict; of a run that did not finish, also that on what it was like until then."""
        if self.judgement is None:
            return "-"
        return f"{self.judgement.verdict} ({self.meanwhile.verdict})" if self.meanwhile else str(self.judgement.verdict)


@dataclass(frozen=True)
class Session:
    """The runs of one call of the harness, which all took place on one host between two boots.

    Attributes:
        runs: Those that count, warm-up, faults and rejected ones left out.
        faults: Those into which a fault was injected, rejected ones too: what happens to them is no question of time.
    """

    name: str
    rows: tuple[RunRow, ...]
    runs: tuple[Run, ...]
    faults: tuple[Run, ...]

    @property
    def rejected(self) -> tuple[RunRow, ...]:
        """The rows that do not count."""
        return tuple(row for row in self.rows if row.rejected is not None)

    @property
    def without_a_run(self) -> tuple[str, ...]:
        """The settings all of whose runs were rejected: they would be missing from every table in silence."""
        there = {(run.setting, workload(run.row)) for run in self.runs}
        wanted = dict.fromkeys((compared(row), workload(row)) for row in self.rejected if row.setting.fault is None)
        lost = [each for each in wanted if each not in there]
        return tuple(f"{setting.label}, P = {setting.workers} ({load})" for setting, load in lost)

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """Workloads that can be compared by time, in the order in which they were run.

        Baselines that were run for the sake of faults alone are nothing to compare.
        """
        compared = {workload(run.row) for run in self.runs if not run.setting.is_baseline}
        loads = dict.fromkeys(workload(run.row) for run in self.runs)
        return tuple(load for load in loads if load in compared or not self.faults)

    def settings(self, load: Workload) -> dict[Setting, tuple[Run, ...]]:
        """Return the runs of each setting in the order of their blocks, repetitions of the baseline left out."""
        found: dict[Setting, list[Run]] = {}
        for run in sorted(self.runs, key=lambda run: run.row.block):
            if workload(run.row) == load and not run.row.is_repeat:
                found.setdefault(run.setting, []).append(run)
        return {setting: tuple(found[setting]) for setting in sorted(found, key=_place)}


def _place(setting: Setting) -> tuple[int, str, int, str]:
    """Return where a setting stands in a table: by arm, then workers, the usual setting first."""
    rank = list(ARMS).index(setting.arm) if setting.arm in ARMS else len(ARMS)
    return rank, setting.arm, setting.workers, setting.label


def compared(row: RunRow) -> Setting:
    """Return the setting that a run counts for: its fault, its seed and how many trials it had are its own affair."""
    return replace(row.setting, fault=None, seed=Setting.seed, n_trials=Setting.n_trials)


def workload(row: RunRow) -> Workload:
    """Return what trials a run had."""
    return Workload(row.setting.tier, row.setting.evaluator)


def sessions(rows: Iterable[RunRow]) -> list[Session]:
    """Put rows in order.

    A session that went on after a restart of the machine, or on another one, is split there: its halves never share a
    table.
    """
    found: dict[tuple[str, str, str], list[RunRow]] = {}
    for row in rows:
        found.setdefault((row.session, row.provenance.host, row.provenance.boot_id), []).append(row)
    several = {name for name, _, _ in found if sum(key[0] == name for key in found) > 1}
    return [
        _session(f"{name} on {host}, boot {boot[:8]}" if name in several else name, of_it)
        for (name, host, boot), of_it in found.items()
    ]


def _session(name: str, rows: list[RunRow]) -> Session:
    counted = [row for row in rows if row.rejected is None and row.block != WARM_UP]
    sequential = [row for row in rows if _is_sequential(row)]
    first, second = (
        {
            (row.block, workload(row)): metrics.times_alone(row.trials)
            for row in counted
            if _is_sequential(row) and row.is_repeat == is_repeat
        }
        for is_repeat in (False, True)
    )
    alone = second | first  # where the first was lost the second stands in, but never for itself
    expected = {
        (workload(row), row.setting.seed, trial.index): trial.result_hash for row in sequential for trial in row.trials
    }
    runs = [
        _run(row, (first if row.is_repeat else alone).get((row.block, workload(row)), {}), expected)
        for row in counted
        if row.setting.fault is None
    ]
    faults = [_run(row, {}, expected) for row in rows if row.setting.fault is not None]
    return Session(name, tuple(rows), tuple(runs), tuple(faults))


def _is_sequential(row: RunRow) -> bool:
    """Whether others are held against a run: its times, and its results, which noise does not change."""
    return row.setting.is_baseline and row.setting.fault is None and row.outcome == FINISHED


def _run(row: RunRow, alone_s: Mapping[int, float], expected: Mapping[Place, str]) -> Run:
    measured = _measured(row, alone_s) if row.setting.sampler is None else None
    ended = metrics.judge_outcome(row.outcome, row.reason, row.usage.samples)
    manner = _manner(row, measured) if measured else None
    meanwhile = manner if ended and ended.verdict is Verdict.UNFINISHED else None
    return Run(row, compared(row), measured, ended or manner, meanwhile, _differing(row, expected))


def _manner(row: RunRow, measured: Metrics) -> Judgement:
    all_s = row.usage.run_s + row.usage.wait_s
    share = row.usage.wait_s / all_s if all_s else 0.0
    return metrics.judge(
        measured,
        workers=row.setting.workers,
        cores=row.provenance.cores,
        wait_share=share,
        is_starting_each=row.setting.arm in STARTING_EACH,
    )


def _measured(row: RunRow, alone_s: Mapping[int, float]) -> Metrics | None:
    needed = range(row.setting.n_trials) if row.outcome == "deadline" else (trial.index for trial in row.trials)
    return metrics.measure(row, alone_s) if set(needed) <= alone_s.keys() and alone_s else None


def _differing(row: RunRow, expected: Mapping[Place, str]) -> tuple[int, ...] | None:
    mine = {trial.index: expected.get((workload(row), row.setting.seed, trial.index)) for trial in row.trials}
    hashes = {index: result for index, result in mine.items() if result is not None}
    known = [trial for trial in row.trials if trial.error is None and trial.index in hashes]
    return metrics.differing(known, hashes) if known and row.setting.sampler is None else None


@dataclass(frozen=True)
class Summary:
    """One setting over all blocks.

    Attributes:
        n_rejected: Runs that did not, and were repeated.
        speedup: Median and interval of the logarithm of S; None where nothing could be held against the baseline.
        is_bound: Some run did not finish, so that S is at most that.
        p: Of the sign test of S against 1, corrected for the number of tests; None where there was none.
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
        """Number of runs by verdict."""
        return Counter(run.words for run in self.runs if run.judgement)

    @property
    def outcomes(self) -> Counter[str]:
        """Number of runs by outcome."""
        return Counter(run.row.outcome for run in self.runs)

    @property
    def reason(self) -> str | None:
        """Reason for which it did not simply finish, in the words of the first run that has one."""
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
        """Number of results that were compared with the sequential ones, and of those that differ."""
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
    rejected = Counter(
        (compared(row), workload(row)) for row in session.rejected if row.setting.fault is None and not row.is_repeat
    )
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
    return log_speedups(run for run in session.runs if run.row.is_repeat and workload(run.row) == load)


@dataclass(frozen=True)
class Change:
    """Two settings of an arm that differ in one respect, compared within blocks.

    Attributes:
        ratio: Of their speedups, other / one, as logarithms.
        bound: "at most " or "at least " where one of them met its deadline, so that its speedup is an upper bound.
    """

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
                found.append(Change(one.setting, other.setting, ratio, bound))
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
