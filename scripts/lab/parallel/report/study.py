"""Rows put in order: sessions, settings, and for each run what it was, held against the sequential run of its block."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel import metrics, verdict
from atoll.scripts.lab.parallel.arms.arm import NAMES
from atoll.scripts.lab.parallel.rows import FINISHED, WARM_UP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Place = tuple["Workload", int, int]
    """A trial of the list: of which workload, by which seed, which index."""

    from atoll.scripts.lab.parallel.metrics import Metrics
    from atoll.scripts.lab.parallel.rows import RunRow
    from atoll.scripts.lab.parallel.verdict import Judgement

BASELINE = "sequential"
TIERS = ("production", "medium", "small", "tiny")


@dataclass(frozen=True, order=True)
class Workload:
    """What a trial is: only runs of one workload share a table.

    Attributes:
        tier: Its size.
        evaluator: Who evaluates.
    """

    tier: str
    evaluator: str

    def __str__(self) -> str:
        return f"{self.tier}, {self.evaluator} evaluator"

    @property
    def rank(self) -> int:
        """Place by the size of trials, the largest first."""
        return TIERS.index(self.tier) if self.tier in TIERS else len(TIERS)


@dataclass(frozen=True)
class Setting:
    """An arm with everything that was chosen for it; fields are those of a row."""

    arm: str
    workers: int
    threads: str
    limit: str
    wait_policy: str
    start_method: str | None
    migrate_every: int
    sampler: str | None

    @classmethod
    def of(cls, row: RunRow) -> Setting:
        """Return the setting of a run."""
        return cls(*(getattr(row, field.name) for field in fields(cls)))

    @property
    def label(self) -> str:
        """The arm, and what departs from one thread for each worker, set before anything is imported."""
        parts = [self.start_method] if self.start_method else []
        if self.threads != "1" or self.limit != "before_import":
            count = "default threads" if self.threads == "default" else f"{self.threads} thread(s)"
            parts.append(count if self.limit in {"none", "before_import"} else f"{count}, {LIMITS[self.limit]}")
        parts += ["passive waiting"] if self.wait_policy == "passive" else []
        parts += [f"migration every {self.migrate_every}"] if self.migrate_every else []
        parts += [f"sampler {self.sampler}"] if self.sampler else []
        return f"{self.arm} ({'; '.join(parts)})" if parts else self.arm

    @property
    def place(self) -> tuple[int, str, int, str]:
        """Where it stands in a table: by arm, then workers, the usual setting first."""
        rank = NAMES.index(self.arm) if self.arm in NAMES else len(NAMES)
        return rank, self.arm, self.workers, self.label

    @property
    def is_usual(self) -> bool:
        """Whether it has one thread for each worker, set in time, and nothing else that is special."""
        usual = ("1", "before_import", "default", None)
        return (self.threads, self.limit, self.wait_policy, self.sampler) == usual and (
            self.start_method in {None, "spawn"}
        )

    @property
    def is_baseline(self) -> bool:
        """Whether others are held against it."""
        return (self.arm, self.workers) == (BASELINE, 1) and self.is_usual


STARTING_EACH = ("islands",)
"""Arms in which a trial starts processes of its own, and its time and processor time contain their start."""
LIMITS = {"after_import": "set after the import", "set_num_threads": "by set_num_threads"}


@dataclass(frozen=True)
class Run:
    """A run and what is to be said of it.

    Attributes:
        row: As it was written.
        setting: Its setting.
        metrics: Held against the sequential run of its block; None where there is none to hold it against, or where
            the run tells nothing.
        judgement: What it was; None where there is nothing to hold it against.
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
        name: Which.
        rows: All rows, as written.
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
        wanted = dict.fromkeys((Setting.of(row), workload(row)) for row in self.rejected if row.fault is None)
        lost = [(setting, load) for setting, load in wanted if (setting, load) not in there]
        return tuple(f"{setting.label}, P = {setting.workers} ({load})" for setting, load in lost)

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """What trials there were to compare by time, in the order in which they were run.

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
        return {setting: tuple(found[setting]) for setting in sorted(found, key=lambda setting: setting.place)}

    def repeats(self, load: Workload) -> tuple[Run, ...]:
        """Return the second runs of the baseline."""
        return tuple(run for run in self.runs if run.row.is_repeat and workload(run.row) == load)


def workload(row: RunRow) -> Workload:
    """Return what trials a run had."""
    return Workload(row.tier, row.evaluator)


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
    expected = {(workload(row), row.seed, trial.index): trial.result_hash for row in sequential for trial in row.trials}
    runs = [
        _run(row, (first if row.is_repeat else alone).get((row.block, workload(row)), {}), expected)
        for row in counted
        if row.fault is None
    ]
    faults = [_run(row, {}, expected) for row in rows if row.fault is not None]
    return Session(name, tuple(rows), tuple(runs), tuple(faults))


def _is_sequential(row: RunRow) -> bool:
    """Whether others are held against a run: its times, and its results, which noise does not change."""
    return Setting.of(row).is_baseline and row.fault is None and row.outcome == FINISHED


def _run(row: RunRow, alone_s: Mapping[int, float], expected: Mapping[Place, str]) -> Run:
    measured = _measured(row, alone_s) if row.sampler is None else None
    ended = verdict.judge_outcome(row.outcome, row.reason, row.samples)
    manner = _manner(row, measured) if measured else None
    meanwhile = manner if ended and ended.verdict is verdict.Verdict.UNFINISHED else None
    return Run(row, Setting.of(row), measured, ended or manner, meanwhile, _differing(row, expected))


def _manner(row: RunRow, measured: Metrics) -> Judgement:
    all_s = row.run_s + row.wait_s
    share = row.wait_s / all_s if all_s else 0.0
    return verdict.judge(
        measured,
        workers=row.workers,
        cores=row.provenance.cores,
        wait_share=share,
        is_starting_each=row.arm in STARTING_EACH,
    )


def _measured(row: RunRow, alone_s: Mapping[int, float]) -> Metrics | None:
    needed = range(row.n_trials) if row.outcome == "deadline" else (trial.index for trial in row.trials)
    return metrics.measure(row, alone_s) if set(needed) <= alone_s.keys() and alone_s else None


def _differing(row: RunRow, expected: Mapping[Place, str]) -> tuple[int, ...] | None:
    mine = {trial.index: expected.get((workload(row), row.seed, trial.index)) for trial in row.trials}
    hashes = {index: result for index, result in mine.items() if result is not None}
    known = [trial for trial in row.trials if trial.error is None and trial.index in hashes]
    return verdict.differing(known, hashes) if known and row.sampler is None else None
