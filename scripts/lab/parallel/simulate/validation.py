"""The simulation held against what was measured on one and two cores, and its inputs taken from there.

Where a way needs an inflation, it is fitted on the blocks with odd numbers and tried on the others; else nothing is
fitted. What a trial takes alone is taken from the sequential run of the block that is predicted.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.scripts.lab.parallel.metrics import times_alone
from atoll.scripts.lab.parallel.report.summary import summarise
from atoll.scripts.lab.parallel.simulate.engine import simulate
from atoll.scripts.lab.parallel.simulate.feed import Queue
from atoll.scripts.lab.parallel.simulate.inputs import Inputs, Quantity
from atoll.scripts.lab.parallel.simulate.scenario import Machine, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from atoll.scripts.lab.parallel.metrics import Metrics
    from atoll.scripts.lab.parallel.report.study import Run, Session, Setting, Workload
    from atoll.scripts.lab.parallel.report.summary import Summary

THREADED_ARM = "optuna_threads"


@dataclass(frozen=True)
class Check:
    """A measured time and what the simulation says of it.

    Attributes:
        setting: Whose.
        is_fitted: An inflation was fitted, on other blocks.
        measured_s: Wall time W, median over the blocks.
        simulated_s: The same, simulated.
        differences: simulated / measured - 1 for each block.
    """

    setting: Setting
    is_fitted: bool
    measured_s: float
    simulated_s: float
    differences: tuple[float, ...]


def smallest_first(sessions: Iterable[Session]) -> list[tuple[Session, Workload]]:
    """Return what was measured with the reference evaluator; the last says most of a large machine."""
    found = [(session, load) for session in sessions for load in session.workloads if load.evaluator == "reference"]
    return sorted(found, key=lambda each: -each[1].rank)


def validate(session: Session, load: Workload) -> list[Check]:
    """Predict every run that finished, as far as its block has a sequential run to predict it from."""
    checks = (_check(each, _alone(session, load)) for each in summarise(session, load))
    return [check for check in checks if check is not None]


def measured_inputs(session: Session, load: Workload) -> dict[str, Quantity]:
    """Return the inputs that rows tell, with the smallest and largest run as their range."""
    source = f"measured ({load}, {session.name})"
    found: dict[str, Quantity] = {}
    cores = session.rows[0].provenance.cores
    for each in summarise(session, load):
        setting = each.setting
        if setting.workers < 2 or each.is_bound:
            continue
        if setting.arm == THREADED_ARM and setting.threads == "1":
            found |= _quantity(each, "gil_cores", lambda m: max(1.0, m.utilisation), source)
            found |= _quantity(each, "gil_inflation", lambda m: max(1.0, m.inflation), source)
        elif setting.arm == "process_pool" and setting.threads == "1" and setting.limit == "before_import":
            found |= _quantity(each, "startup_s", lambda m: m.setup_s, source)
        elif setting.arm == "process_pool" and setting.threads == "default" and setting.wait_policy == "default":
            found |= _quantity(each, "spin_inflation", lambda m: max(1.0, m.inflation / cores), source)
    alone = _alone(session, load)
    spreads = [float(np.std(list(times.values())) / np.mean(list(times.values()))) for times in alone.values()]
    if spreads:
        found["trial_cv"] = _named("trial_cv", statistics.median(spreads), 0.0, 0.6, source)
    return found


def _quantity(each: Summary, name: str, of: Callable[[Metrics], float], source: str) -> dict[str, Quantity]:
    values = [of(run.metrics) for run in each.runs if run.metrics]
    return {name: _named(name, statistics.median(values), min(values), max(values), source)} if values else {}


def _named(name: str, value: float, low: float, high: float, source: str) -> Quantity:
    """Return a measured quantity; where a published or assumed range is wider, the sweep keeps that."""
    usual: Quantity = getattr(Inputs(), name)
    return Quantity(value, min(low, usual.low), max(high, usual.high), usual.unit, usual.meaning, source)


def _alone(session: Session, load: Workload) -> dict[int, dict[int, float]]:
    """Return what each trial takes alone, by block and index."""
    runs = [run for setting, of_it in session.settings(load).items() if setting.is_baseline for run in of_it]
    return {run.row.block: times_alone(run.row.trials) for run in runs if run.row.outcome == "finished"}


def _check(each: Summary, alone: dict[int, dict[int, float]]) -> Check | None:
    known = [run for run in each.runs if run.metrics and not run.metrics.is_bound and run.row.block in alone]
    is_fitted = each.setting.workers > 1 and (each.setting.arm == THREADED_ARM or _team(each.setting, 2) > 1)
    fitting = [run for run in known if run.row.block % 2 == 1] if is_fitted else []
    tried = [run for run in known if not is_fitted or run.row.block % 2 == 0]
    if not tried or (is_fitted and not fitting):
        return None
    way = _way(each.setting, fitting, cores=tried[0].row.provenance.cores)
    pairs = [(run.metrics.wall_s, _predict(run, way, alone[run.row.block])) for run in tried if run.metrics]
    return Check(
        each.setting,
        is_fitted,
        statistics.median(measured for measured, _ in pairs),
        statistics.median(simulated for _, simulated in pairs),
        tuple(simulated / measured - 1 for measured, simulated in pairs),
    )


def _team(setting: Setting, cores: int) -> int:
    """Return how many threads a trial's library uses; a limit set after the import has no effect."""
    if setting.threads == "default" or setting.limit in {"none", "after_import"}:
        return cores
    return int(setting.threads)


def _way(setting: Setting, fitting: Sequence[Run], *, cores: int) -> Way:
    found = [run.metrics for run in fitting if run.metrics]
    inflation = max(1.0, statistics.median(each.inflation for each in found)) if found else 1.0
    cap = max(1.0, statistics.median(each.utilisation for each in found)) if found else float(cores)
    team = 1 if setting.arm == THREADED_ARM else _team(setting, cores)
    return Way(setting.workers, cores_per_trial=team, cap_cores=cap, inflation=inflation)


def _predict(run: Run, way: Way, alone: dict[int, float]) -> float:
    trials_s = [alone[trial.index] for trial in run.row.trials if trial.index in alone]
    machine = Machine(run.row.provenance.cores)
    return simulate(Queue(trials_s), way, machine, rng=np.random.default_rng(0)).wall_s
