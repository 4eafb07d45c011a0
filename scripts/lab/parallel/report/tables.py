"""Tables on what was measured, and the report: blocks of text by name, plots, and a file for each block.

A table is a block of text for every session and workload that has such rows.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import statistics
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.errors import ConfigError
from atoll.scripts.lab.kit import markdown, stats
from atoll.scripts.lab.kit.markdown import counts, number, table, under, whole
from atoll.scripts.lab.parallel.report import criteria, study
from atoll.scripts.lab.parallel.report.study import SEED, against, changes, noise, summarise
from atoll.scripts.lab.parallel.rows import SKIPPED, read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from atoll.scripts.lab.parallel.report.study import Run, Session, Summary, Workload
    from atoll.scripts.lab.parallel.rows import RunRow

MB = 1e6
POOL = "process_pool"
PAGE = "report.md"
PLOTS = "plots"


def blocks(sessions: Sequence[Session]) -> dict[str, str]:
    """Return every block of text by its name; empty where no row says anything."""
    note = fewest_blocks_note(sessions)
    starred = {
        "verdicts": verdicts(sessions),
        "noise": noise_floor(sessions),
        "factors": factors(sessions),
        "pools": pools(sessions),
    }
    return {
        "provenance": provenance(sessions),
        **{name: f"{text}\n\n{note}" if note and "*" in text else text for name, text in starred.items()},
        "resources": resources(sessions),
        "results": hashes(sessions),
        "faults": faults(sessions),
        **criteria.blocks(sessions),
    }


def report(folder: Path, *, tables_folder: Path | None = None, more: Mapping[str, str] | None = None) -> str:
    """Derive everything from the rows in `folder`; write `report.md` and `plots/` there and return the text."""
    sessions = study.sessions(read_all(folder))
    if not sessions:
        raise ConfigError(f"{folder} holds no rows of runs (*.jsonl, *.jsonl.gz); give the folder that 'run' wrote to")
    found = {**blocks(sessions), **(more or {})}
    with atomic.storage_errors("write the report"):
        files = draw(sessions, folder / PLOTS)
        found["plots"] = markdown.pictures(files, beside=folder / PAGE)
        text = "\n\n".join(f"## {name}\n\n{block}" for name, block in found.items() if block) + "\n"
        atomic.replace_file(folder / PAGE, text.encode(), durable=False)
        if tables_folder is not None:
            links = markdown.pictures(files, beside=tables_folder / "plots.md")
            markdown.write_tables(tables_folder, {**found, "plots": links})
    return text


def draw(sessions: Sequence[Session], folder: Path) -> list[Path]:
    """Draw all plots, those of each session into a folder of its own if there are several."""
    from atoll.scripts.lab.parallel.report import plots  # noqa: PLC0415 - matplotlib takes a second to import

    places = [folder] if len(sessions) == 1 else [folder / re.sub(r"[^\w.-]+", "-", each.name) for each in sessions]
    for place in places:
        atomic.make_directory(place)
    drawn = (plots.draw(session, place) for session, place in zip(sessions, places, strict=True))
    return list(itertools.chain.from_iterable(drawn))


def provenance(sessions: Iterable[Session]) -> str:
    """Return where, with what and how undisturbed each session was measured."""
    return "\n\n".join(_provenance(session) for session in sessions)


def faults(sessions: Iterable[Session]) -> str:
    """Return what became of runs into which a fault was injected."""
    headings = ("arm", "fault", "outcome", "trials with a result", "in time", "results", "strays", "what it says")
    tables = (under(each.name, table(headings, [_fault_cells(run) for run in each.faults])) for each in sessions)
    return "\n\n".join(filter(None, tables))


def _for_each_workload(of: Callable[[Session, Workload], str]) -> Callable[[Iterable[Session]], str]:
    """Make of one table those of all sessions and workloads that have such rows."""

    @functools.wraps(of)
    def tables(sessions: Iterable[Session]) -> str:
        found = [(f"{load} ({session.name})", of(session, load)) for session in sessions for load in session.workloads]
        return "\n\n".join(filter(None, (under(title, text) for title, text in found)))

    return tables


def _provenance(session: Session) -> str:
    where = session.rows[0].provenance
    versions = [(name, getattr(where, name)) for name in ("python", "numpy", "torch", "optuna", "ray", "joblib")]
    commits = sorted(
        {row.provenance.commit[:10] + (" and changes" if row.provenance.dirty else "") for row in session.rows}
    )
    rejected = [re.sub(r"[\d.]+( ?%)?", "…", row.rejected or "") for row in session.rejected]  # equal ones are counted
    reasons = Counter(reason for text in rejected for reason in text.split("; "))
    why = f" ({', '.join(f'{n}: {reason}' for reason, n in reasons.most_common())})" if reasons else ""
    calibrations = [row.calibration_before_s for row in session.rows if row.outcome != SKIPPED] or [0.0]
    spread = f"{min(calibrations):.3f} to {max(calibrations):.3f} s, median {statistics.median(calibrations):.3f} s"
    lines = [
        f"{where.cpu}, {where.cores} cores, kernel {where.kernel}, host {where.host}, boot {where.boot_id[:8]}",
        ", ".join(f"{name} {version}" for name, version in versions if version) + f"; commit {', '.join(commits)}",
        f"{len(session.rows)} runs, {len(session.rejected)} of them rejected{why}",
        *([f"**no run that counts**: {'; '.join(session.without_a_run)}"] if session.without_a_run else []),
        f"calibration kernel before each run: {spread}",
        *_identity(session),
    ]
    return under(session.name, "\n".join(f"- {line}" for line in lines))


def _identity(session: Session) -> list[str]:
    """Say how well S = U / I holds with the processor time that the trials measured inside themselves."""
    found = [run.metrics for run in session.runs if run.metrics and run.metrics.identity_error is not None]
    if not found:
        return []
    n = sum(each.is_consistent for each in found)
    return [f"S = U / I, with I from inside the trials, holds within 10 % in {n} of {len(found)} runs"]


@_for_each_workload
def verdicts(session: Session, load: Workload) -> str:
    """Return what every setting achieved, and by which verdict."""
    measured = ("S (interval)", "S / P", "overlap", "U", "I", "Karp-Flatt")
    headings = ("arm", "P", "verdict", *measured, "outcome", "blocks", "rejected", "S against 1")
    return table(headings, [_verdict_cells(each) for each in summarise(session, load)])


def _verdict_cells(each: Summary) -> tuple[str, ...]:
    return (
        each.setting.label,
        str(each.setting.workers),
        counts(each.verdicts) or "-",
        speedup_cell(each),
        *(number(each.median_metric(attrgetter(name))) for name in METRICS),
        counts(each.outcomes) + (f": {each.reason}" if each.outcomes.keys() & {"skipped", "failed"} else ""),
        str(len(each.runs)),
        str(each.n_rejected),
        each.shown + (f", p = {each.p:.2g}" if each.p is not None else ""),
    )


def speedup_cell(each: Summary) -> str:
    """Return S with its interval, which is called a range where there are too few blocks for an interval."""
    if each.speedup is None:
        return "-"
    bound = "at most " if each.is_bound else ""
    return bound + (number(each.speedup.ratios[0]) if each.speedup.n == 1 else _interval(each.speedup))


def _interval(found: stats.Interval) -> str:
    median, low, high = map(number, found.ratios)
    return f"{median} ({low} to {high}{'' if found.has_enough_blocks else '*'})"


METRICS = ("efficiency", "overlap", "utilisation", "inflation", "karp_flatt")
COUNTED: dict[str, Callable[[RunRow], float]] = {
    "threads": lambda row: row.usage.peak_threads,
    "in one process": lambda row: row.usage.peak_threads_of_one,
    "processes": lambda row: row.usage.peak_processes,
    "at work": lambda row: row.usage.working_processes,
    "PSS MB": lambda row: round(row.usage.peak_pss_bytes / MB),
    "USS MB": lambda row: round(row.usage.peak_uss_bytes / MB),
    "switches/s": lambda row: round(row.usage.voluntary_switches / max(row.exited_s - row.launched_s, 1e-9)),
    "forced/s": lambda row: round(row.usage.involuntary_switches / max(row.exited_s - row.launched_s, 1e-9)),
    "waiting %": lambda row: 100 * row.usage.wait_s / max(row.usage.run_s + row.usage.wait_s, 1e-9),
}


@_for_each_workload
def resources(session: Session, load: Workload) -> str:
    """Return threads, processes, memory, switches and start-up of every setting."""
    found = [each for each in summarise(session, load) if each.outcomes.keys() != {"skipped"}]
    return table(("arm", "P", *COUNTED, "set-up s", "drain s"), [_resource_cells(each) for each in found])


def _resource_cells(each: Summary) -> tuple[str, ...]:
    counted = (whole(each.median(of)) for of in COUNTED.values())
    around = (number(each.median_metric(of)) for of in (lambda m: m.setup_s, lambda m: m.drain_s))
    return (each.setting.label, str(each.setting.workers), *counted, *around)


@_for_each_workload
def noise_floor(session: Session, load: Workload) -> str:
    """Return how far two equal sequential runs of a block are apart, and what so many blocks can show."""
    logs = noise(session, load)
    if not logs:
        return ""
    found = stats.interval(logs, seed=SEED)
    median, low, high = map(number, found.ratios)
    n_tests = sum(each.p is not None for each in summarise(session, load))
    cells = (
        median,
        f"{low} to {high}{'' if found.has_enough_blocks else '*'}",
        f"{100 * math.expm1(stats.noise_floor(logs)):.1f} %",
        str(found.n),
        f"{100 * stats.coverage(found.n):.1f} %",
        number(min(1.0, stats.smallest_p(found.n) * max(1, n_tests))),
    )
    differences = ("second / first", "interval", "largest difference")
    return table((*differences, "blocks", "an interval covers at best", "smallest p, corrected"), [cells])


@_for_each_workload
def hashes(session: Session, load: Workload) -> str:
    """Return whether every arm computed what the sequential one did."""
    rows = []
    for each in summarise(session, load):
        if each.hashes is not None:
            n, n_differing = each.hashes
            answer = (
                "the baseline" if each.setting.is_baseline else "equal" if not n_differing else f"{n_differing} differ"
            )
            rows.append((each.setting.label, str(each.setting.workers), str(n), answer, number(each.mean_fitness)))
    return table(("arm", "P", "trials compared", "results", "mean of their best fitness"), rows)


@_for_each_workload
def factors(session: Session, load: Workload) -> str:
    """Return what one change of setting does, all else left as it is."""
    rows = []
    for each in changes(summarise(session, load)):
        interval = each.bound + _interval(each.ratio)
        rows.append((each.before.label, each.after.label, str(each.before.workers), interval, str(each.ratio.n)))
    return table(("from", "to", "P", "speedup, to / from", "blocks"), rows)


@_for_each_workload
def pools(session: Session, load: Workload) -> str:
    """Return how fast each arm is against a plain pool of processes."""
    rows = []
    for each, ratio, shown in against(summarise(session, load), POOL):
        rows.append((each.setting.label, str(each.setting.workers), _interval(ratio), str(ratio.n), shown))
    return table(("arm", "P", f"speedup, arm / `{POOL}`", "blocks", f"against `{POOL}`"), rows)


def _fault_cells(run: Run) -> tuple[str, ...]:
    row = run.row
    n_good = sum(trial.error is None for trial in row.trials)
    differing = len(run.differing or ())
    return (
        run.setting.label,
        str(row.setting.fault),
        row.outcome,
        f"{n_good} of {row.setting.n_trials}",
        "no, ended at the deadline" if row.outcome == "deadline" else "yes",
        "-" if run.differing is None else "equal" if not differing else f"{differing} differ",
        str(row.usage.stray_processes),
        row.reason or "",
    )


def fewest_blocks_note(sessions: Sequence[Session]) -> str:
    """Return what the star means, where a table has one."""
    few = any(
        each.speedup is not None and each.speedup.n > 1 and not each.speedup.has_enough_blocks
        for session in sessions
        for load in session.workloads
        for each in summarise(session, load)
    )
    text = (
        "\\* Fewer than six blocks: the range of what was seen, which with three blocks covers the true median "
        "three times in four. Nothing is called faster, slower or equal on so few."
    )
    return text if few else ""
