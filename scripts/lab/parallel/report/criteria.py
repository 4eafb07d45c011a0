"""Criteria of the plan and of the task, each held against rows: met, not met, not testable here, or not measured.

The plan's criteria are taken as they were written, also where what is known by now says that they ask for the wrong
thing; the remark says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from atoll.scripts.lab.kit.markdown import counts, number, table
from atoll.scripts.lab.parallel.metrics import Verdict
from atoll.scripts.lab.parallel.report.study import Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from atoll.scripts.lab.parallel.report.study import Run, Session

MET, NOT_MET = "met", "not met"
NOT_MEASURED, NOT_TESTABLE, SIMULATED = "not measured", "not testable on this machine", "simulated only"
THREADED = "optuna_threads"
POOLS = ("pool", "process_pool")


@dataclass(frozen=True)
class Answer:
    """Answer to a criterion.

    Attributes:
        status: One of the words above; "met in n of m" settings and workloads where they differ.
    """

    status: str
    found: str = ""


@dataclass(frozen=True)
class Criterion:
    """Something that was asked for."""

    where: str
    asked: str
    answer: Callable[[Evidence], Answer]


@dataclass(frozen=True)
class Evidence:
    """Everything that was measured, the largest trials first."""

    summaries: tuple[tuple[str, Summary], ...]
    faults: tuple[Run, ...]
    cores: int

    @classmethod
    def of(cls, sessions: Sequence[Session]) -> Evidence:
        """Collect it."""
        found = [
            (load, each) for session in sessions for load in session.workloads for each in summarise(session, load)
        ]
        found.sort(key=lambda item: (item[0].evaluator != "reference", item[0].rank))
        faults = tuple(run for session in sessions for run in session.faults)
        cores = max((row.provenance.cores for session in sessions for row in session.rows), default=0)
        return cls(tuple((str(load), each) for load, each in found), faults, cores)

    def all(
        self, arm: str | tuple[str, ...], *, threads: str = "1", limit: str = "before_import", least: int = 2
    ) -> list[tuple[str, Summary]]:
        """Return the settings of an arm with so many workers at least, on one wait policy, for each workload.

        Migration is off: with it an island is another algorithm.
        """
        arms = (arm,) if isinstance(arm, str) else arm
        return [
            (load, each)
            for load, each in self.summaries
            if each.setting.arm in arms
            and each.setting.workers >= least
            and (each.setting.threads, each.setting.limit) == (threads, limit)
            and each.setting.wait_policy == "default"
            and each.setting.sampler is None
            and not each.setting.migrate_every
            and each.outcomes.keys() != {"skipped"}
        ]


def blocks(sessions: Sequence[Session]) -> dict[str, str]:
    """Return the tables by the name of their block."""
    evidence = Evidence.of(sessions)
    return {"criteria": _table(PLAN, evidence), "expected": _table(EXPECTED, evidence)}


def _table(criteria: Iterable[Criterion], evidence: Evidence) -> str:
    answers = [(each, each.answer(evidence)) for each in criteria]
    rows = [(each.where, each.asked, answer.status, answer.found) for each, answer in answers]
    return table(("where", "asked for", "answer", "what was found"), rows)


def _judged(found: Sequence[tuple[str, Summary]], is_met: Callable[[Summary], bool], *, more: str = "") -> Answer:
    """Hold every setting and workload against a criterion: met only if all are."""
    if not found:
        return Answer(NOT_MEASURED, more)
    texts = [f"{each.setting.label}, P = {each.setting.workers} ({load}): {_figures(each)}" for load, each in found]
    n_met = sum(is_met(each) for _, each in found)
    status = MET if n_met == len(found) else f"{MET} in {n_met} of {len(found)}" if n_met else NOT_MET
    return Answer(status, "; ".join([*texts, *([more] if more else [])]))


def _figures(each: Summary) -> str:
    metrics = {"S": "speedup", "overlap": "overlap", "U": "utilisation", "I": "inflation"}
    figures = [f"{name} {number(each.median_metric(attrgetter(of)))}" for name, of in metrics.items()]
    return f"{counts(each.verdicts) or counts(each.outcomes)}, {', '.join(figures)}"


def _is_always(each: Summary, *allowed: Verdict) -> bool:
    """Say whether every run was like that, those that did not finish until they were ended."""
    found = [run.meanwhile or run.judgement for run in each.runs]
    return bool(found) and all(judgement is not None and judgement.verdict in allowed for judgement in found)


def _median_speedup(each: Summary) -> float:
    return each.speedup.ratios[0] if each.speedup else 0.0


def _processor_per_worker(evidence: Evidence) -> Answer:
    found = evidence.all("ray_tasks")[:1]
    remark = "one thread in each worker can use 100 % at most, and that is what to ask for"

    def share(each: Summary) -> float:
        return (each.median_metric(lambda m: m.utilisation) or 0.0) / each.setting.workers

    return _judged(found, lambda each: 2.0 <= share(each) <= 3.0, more=remark)


def _memory_per_worker(evidence: Evidence) -> Answer:
    found = evidence.all("ray_tasks")[:1]
    if not found:
        return Answer(NOT_MEASURED)
    each = found[0][1]
    gigabytes = each.median(lambda row: row.usage.peak_pss_bytes) / 1e9 / each.setting.workers
    status = MET if gigabytes <= 1.5 else NOT_MET
    return Answer(status, f"{number(gigabytes)} GB of PSS for each of {each.setting.workers}")


def _times(needed: float, workers: int) -> Callable[[Evidence], Answer]:
    def answer(evidence: Evidence) -> Answer:
        if evidence.cores < workers:
            where = f"see the simulation of {workers} workers or the next above"
            return Answer(SIMULATED, f"{evidence.cores} cores here; {where}")
        found = evidence.all((*POOLS, "ray_tasks", "optuna_processes", "islands"), least=workers)
        return _judged(found, lambda each: _median_speedup(each) >= needed)

    return answer


def _cores_at_once(evidence: Evidence) -> Answer:
    if evidence.cores < 5:
        found = evidence.all(POOLS)[:1]
        figures = f"; on {evidence.cores} cores: {_figures(found[0][1])}" if found else ""
        return Answer(NOT_TESTABLE, f"{evidence.cores} cores{figures}")
    return _judged(evidence.all(POOLS, least=5), lambda each: (each.median_metric(lambda m: m.utilisation) or 0) >= 4.5)


def _no_hangs(evidence: Evidence) -> Answer:
    found = [(load, each) for arm in POOLS for load, each in evidence.all(arm)]
    if not found:
        return Answer(NOT_MEASURED)
    outcomes = sum((each.outcomes for _, each in found), start=type(found[0][1].outcomes)())
    return Answer(MET if outcomes.keys() == {"finished"} else NOT_MET, f"{outcomes.total()} runs: {counts(outcomes)}")


def _threads_in_one(evidence: Evidence) -> Answer:
    limits = [("1", "after_import"), ("default", "none"), ("1", "before_import"), ("1", "set_num_threads")]
    found = [each for threads, limit in limits for _, each in evidence.all(THREADED, threads=threads, limit=limit)[:1]]
    if not found:
        return Answer(NOT_MEASURED)
    texts = [f"{each.setting.label}: {each.median(lambda row: row.usage.peak_threads_of_one):g}" for each in found]
    team = f"a team here has {evidence.cores} threads and not 64; threads of the process: "
    return Answer(NOT_TESTABLE, team + "; ".join(texts))


def _limit_fixes_it(evidence: Evidence) -> Answer:
    return _judged(_in_pytorch(evidence.all(THREADED)), lambda each: _is_always(each, Verdict.PARALLEL))


def _equal_without_migration(evidence: Evidence) -> Answer:
    found = [(load, each) for load, each in evidence.all("islands") if each.hashes]
    if not found:
        return Answer(NOT_MEASURED)
    n, n_differing = (sum(values) for values in zip(*(each.hashes for _, each in found if each.hashes), strict=True))
    remark = "20 islands at once are another experiment"
    return Answer(MET if not n_differing else NOT_MET, f"{n} trials, {n_differing} differ from sequential; {remark}")


def _elsewhere(evidence: Evidence) -> Answer:  # noqa: ARG001 - asked like all others
    return Answer(NOT_MEASURED, "by this harness; docs/islands.md has it")


def _gpu(evidence: Evidence) -> Answer:
    found = evidence.all("gpu_batch", least=1)
    if not found:
        return Answer(NOT_TESTABLE, "no GPU, or not run")
    return _judged(found, lambda each: _median_speedup(each) >= 5.0)


def _same_results(evidence: Evidence) -> Answer:
    found = [(load, each) for load, each in evidence.summaries if each.hashes and each.setting.arm != THREADED]
    kept = [(load, each) for load, each in found if not each.setting.migrate_every and each.setting.arm != "gpu_batch"]
    if not kept:
        return Answer(NOT_MEASURED)
    wrong = [f"{each.setting.label} ({load})" for load, each in kept if each.hashes and each.hashes[1]]
    n = sum(each.hashes[0] for _, each in kept if each.hashes)
    threads = [each.hashes for _, each in evidence.summaries if each.setting.arm == THREADED and each.hashes]
    of_threads = f"; threads: {sum(h[1] for h in threads)} of {sum(h[0] for h in threads)} differ" if threads else ""
    results = f"other results in {', '.join(wrong)}" if wrong else "all equal"
    return Answer(NOT_MET if wrong else MET, f"{n} trials in {len(kept)} settings, {results}{of_threads}")


def _faults(evidence: Evidence) -> Answer:
    if not evidence.faults:
        return Answer(NOT_MEASURED)
    wrong = []
    for run in evidence.faults:
        n_good = sum(trial.error is None for trial in run.row.trials)
        if run.row.outcome == "skipped":
            continue
        if n_good < run.row.setting.n_trials - 1 or run.row.usage.stray_processes or run.differing:
            lost = f"{n_good} of {run.row.setting.n_trials}, {run.row.usage.stray_processes} strays"
            wrong.append(f"{run.setting.label} with {run.row.setting.fault}: {lost}")
    return Answer(NOT_MET if wrong else MET, "; ".join(wrong) or f"{len(evidence.faults)} runs with a fault")


def _convoy(evidence: Evidence) -> Answer:
    found = [(load, each) for load, each in _in_pytorch(evidence.all(THREADED)) if each.setting.workers == 2]
    return _judged(
        found,
        lambda each: _is_always(each, Verdict.CONVOYED) and each.median(lambda row: row.usage.working_processes) == 1,
    )


def _spinning(evidence: Evidence) -> Answer:
    found = _in_pytorch(evidence.all((*POOLS, "optuna_processes"), threads="default", limit="none"))
    loky = evidence.all("loky", threads="default", limit="none")
    remark = f"loky, which limits its workers by itself: {_figures(loky[0][1])}" if loky else ""
    return _judged(found, lambda each: _is_always(each, Verdict.SPINNING, Verdict.OVERSUBSCRIBED), more=remark)


def _one_thread_each(evidence: Evidence) -> Answer:
    found = [(load, each) for load, each in evidence.all((*POOLS, "optuna_processes")) if each.setting.workers == 2]
    return _judged(found, lambda each: _is_always(each, Verdict.PARALLEL) and _median_speedup(each) >= 1.8)


def _islands_at_work(evidence: Evidence) -> Answer:
    """Judge long trials only: of short ones the start of a process for each is most of the time."""
    found = [(load, each) for load, each in evidence.all("islands") if each.setting.workers == 2]
    long, short = ([one for one in found if one[0].startswith("production") == is_long] for is_long in (True, False))
    rest = [
        f"not judged, since a trial there is mostly the start of its process: {load}: {_figures(each)}"
        for load, each in short
    ]
    return _judged(
        long, lambda each: _is_always(each, Verdict.PARALLEL) and _median_speedup(each) >= 1.8, more="; ".join(rest)
    )


def _in_pytorch(found: Iterable[tuple[str, Summary]]) -> list[tuple[str, Summary]]:
    """Leave out the native evaluator: it has no teams, and holds no lock while it computes."""
    return [(load, each) for load, each in found if "native" not in load]


PLAN = (
    Criterion("1 Ray", "200 to 300 % of a core for each worker", _processor_per_worker),
    Criterion("1 Ray", "memory grows with workers, 1.5 GB each", _memory_per_worker),
    Criterion("1 Ray", "about 5 times faster with 5 workers", _times(4.5, 5)),
    Criterion("2 Pool", "5 cores active at the same time", _cores_at_once),
    Criterion("2 Pool", "no hangs", _no_hangs),
    Criterion("3 Islands", "all islands run independently", _equal_without_migration),
    Criterion("3 Islands", "migration files appear periodically", _elsewhere),
    Criterion("3 Islands", "the final population is diverse", _elsewhere),
    Criterion("4 Threads", "10 to 20 threads in a process, not 387", _threads_in_one),
    Criterion("4 Threads", "limiting threads makes `n_jobs` parallel", _limit_fixes_it),
    Criterion("5 GPU", "a trial 5 to 10 times faster", _gpu),
    Criterion("good result", "10 times faster with 20 workers", _times(10.0, 20)),
    Criterion("acceptable result", "5 times faster with 10 workers", _times(5.0, 10)),
)

EXPECTED = (
    Criterion("`optuna_threads`, P = 2", "convoyed: overlap about 2, speedup below 1.2, one process at work", _convoy),
    Criterion("processes, default threads", "spinning or oversubscribed", _spinning),
    Criterion("processes, one thread each", "parallel, speedup at least 1.8 on two cores", _one_thread_each),
    Criterion("islands, long trials", "the same", _islands_at_work),
    Criterion("kill, raise, hang", "at most that one trial lost, no stray process", _faults),
    Criterion("every isolated arm", "the same results as one after the other", _same_results),
)
