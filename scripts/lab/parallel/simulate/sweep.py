"""Parallel trials on 5 to 128 workers, simulated: speedup of each way, and the cost of a barrier between islands.

Each input has a value, how far off it may be, and where it comes from: `published` is what the reference project logged
on its machine of 128 virtual cores; `exploratory` is what this project measured with that engine on two cores before
the harness existed; `measured` is taken from the rows of this harness; `assumed` is a guess.

The model was held against measurements once, and missed some (`MISSES`): nothing here stands in for a measurement.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo import atomic
from atoll.scripts.lab.kit import figures, markdown
from atoll.scripts.lab.kit.markdown import number, table, under, whole
from atoll.scripts.lab.kit.study import tables_option
from atoll.scripts.lab.parallel.metrics import times_alone
from atoll.scripts.lab.parallel.report import study
from atoll.scripts.lab.parallel.report.study import summarise
from atoll.scripts.lab.parallel.rows import FINISHED, read_all
from atoll.scripts.lab.parallel.simulate.engine import Epochs, Machine, Queue, Way, draw_trials, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from atoll.scripts.lab.parallel.metrics import Metrics
    from atoll.scripts.lab.parallel.report.study import Session, Summary, Workload

PAGE = "simulated.md"
SEED = 20261123
DRAWS = 40
SLOWDOWNS = (1.0, 1.5, 2.0)
"""What memory bandwidth and shared cores cost past two cores nobody has measured here; 2 stands for 64 real cores."""
SPREADS = (0.1, 0.3, 0.6)
WORKERS = (5, 20, 64, 128)
EPOCHS = 15
"""Migrations of a run of 150 generations that migrates every 10."""
STRAGGLER_FACTOR = 3.0
PROCESSES = "processes, one thread each"
CHUNKS = "the same, in chunks as `Pool.map` makes them"
SPINNING = "processes, default threads"
THREADS = "threads of one process (`n_jobs`)"
ARMS = (PROCESSES, CHUNKS, SPINNING, THREADS)
MISSES = (
    "Of what was measured on two cores, times were simulated up to 16 % too short where each process has one thread, "
    "up to 36 % off where threads spin or share a lock, and for islands of short trials, each of which starts a "
    "process, 66 to 72 % too short. The published 12 trials in eight hours are not predicted: with what was measured "
    "on two cores the model promises 25, with one interpreter lock and nothing else 40."
)
CORES = 128
"""Of the machine on which the published runs failed."""
TEAM = 64
"""Threads that a numeric library starts there by default, one for each physical core."""


@dataclass(frozen=True)
class Quantity:
    """An input."""

    value: float
    low: float
    high: float
    unit: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Inputs:
    """All of them."""

    n_trials: Quantity = Quantity(100, 100, 1000, "", "trials of a study", "published plan")
    trial_s: Quantity = Quantity(
        684, 342, 1368, "s", "mean time of a trial alone", "published (11.4 min); range assumed"
    )
    trial_cv: Quantity = Quantity(0.3, 0.0, 0.6, "", "spread of trial times, standard deviation / mean", "assumed")
    straggler_p: Quantity = Quantity(0.0, 0.0, 0.05, "", "share of trials that take three times as long", "assumed")
    startup_s: Quantity = Quantity(
        1.1, 0.01, 19, "s", "start of a worker", "exploratory (spawn and import); cold: published"
    )
    lock_s: Quantity = Quantity(
        0.017, 0.003, 0.08, "s", "ask and tell, under one lock", "exploratory (journal; memory; SQLite)"
    )
    slowdown: Quantity = Quantity(1.0, 1.0, 2.0, "", "a trial's time with all cores busy / alone", "unknown: swept")
    crash_p: Quantity = Quantity(0.0, 0.0, 0.02, "", "probability that a trial ends its worker", "assumed")
    gil_cores: Quantity = Quantity(
        1.35, 1.0, 4.0, "cores", "cores that threads of one process keep busy", "exploratory; published"
    )
    gil_inflation: Quantity = Quantity(
        2.15, 1.0, 14, "", "processor time of trials in threads / alone", "exploratory; published"
    )
    spin_inflation: Quantity = Quantity(
        2.95,
        1.0,
        7.0,
        "",
        "the same of processes that spin, for each thread of a team",
        "exploratory (5.9 to 14, teams of two)",
    )

    def with_value(self, name: str, value: float) -> Inputs:
        """Return the inputs with one value changed."""
        return replace(self, **{name: replace(getattr(self, name), value=value)})

    def trials(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw a study: seconds, [n_trials]."""
        return draw_trials(
            int(self.n_trials.value),
            mean_s=self.trial_s.value,
            cv=self.trial_cv.value,
            straggler_p=self.straggler_p.value,
            straggler_factor=STRAGGLER_FACTOR,
            rng=rng,
        )

    def way(self, arm: str, workers: int) -> Way:
        """Return how `arm`, one of `ARMS`, runs trials with so many workers."""
        processes = Way(workers, startup_s=self.startup_s.value, lock_s=self.lock_s.value, crash_p=self.crash_p.value)
        return {
            PROCESSES: processes,
            CHUNKS: replace(processes, chunk=-(-int(self.n_trials.value) // (4 * workers))),
            SPINNING: replace(processes, cores_per_trial=TEAM, inflation=TEAM * self.spin_inflation.value),
            THREADS: Way(
                workers,
                lock_s=self.lock_s.value,
                cap_cores=max(1.0, self.gil_cores.value),
                inflation=self.gil_inflation.value,
            ),
        }[arm]


def inputs_of(sessions: Iterable[Session]) -> Inputs:
    """Return the inputs, measured ones where there are rows that tell them: those of the largest trials."""
    found: dict[str, Quantity] = {}
    for session, load in smallest_first(sessions):
        found |= measured_inputs(session, load)
    return replace(Inputs(), **found)


def smallest_first(sessions: Iterable[Session]) -> list[tuple[Session, Workload]]:
    """Return what was measured with the reference evaluator; the last says most of a large machine."""
    found = [(session, load) for session in sessions for load in session.workloads if load.evaluator == "reference"]
    return sorted(found, key=lambda each: -each[1].rank)


def measured_inputs(session: Session, load: Workload) -> dict[str, Quantity]:
    """Return the inputs that rows tell, with the smallest and largest run as their range."""
    source = f"measured ({load}, {session.name})"
    found: dict[str, Quantity] = {}
    cores = session.rows[0].provenance.cores
    for each in summarise(session, load):
        setting = each.setting
        if setting.workers < 2 or each.is_bound:
            continue
        if setting.arm == "optuna_threads" and setting.threads == "1":
            found |= _quantity(each, "gil_cores", lambda m: max(1.0, m.utilisation), source)
            found |= _quantity(each, "gil_inflation", lambda m: max(1.0, m.inflation), source)
        elif setting.arm == "process_pool" and setting.threads == "1" and setting.limit == "before_import":
            found |= _quantity(each, "startup_s", lambda m: m.setup_s, source)
        elif setting.arm == "process_pool" and setting.threads == "default" and setting.wait_policy == "default":
            found |= _quantity(each, "spin_inflation", lambda m: max(1.0, m.inflation / cores), source)
    baselines = [run for runs in session.settings(load).values() for run in runs if run.setting.is_baseline]
    alone = [times_alone(run.row.trials) for run in baselines if run.row.outcome == FINISHED]
    spreads = [float(np.std(list(times.values())) / np.mean(list(times.values()))) for times in alone]
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


@dataclass(frozen=True)
class Range:
    """A quantity over many draws: the median and the middle 95 %."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """One way with one number of workers."""

    arm: str
    workers: int
    speedup: Range
    hours: Range


def _generators(draws: int) -> list[np.random.Generator]:
    return [np.random.default_rng(each) for each in np.random.SeedSequence(SEED).spawn(draws)]


def point(arm: str, workers: int, inputs: Inputs, *, draws: int = DRAWS) -> Point:
    """Simulate a study many times."""
    way, machine = inputs.way(arm, workers), Machine(CORES, inputs.slowdown.value)
    ended = [simulate(Queue(inputs.trials(rng), chunk=way.chunk), way, machine, rng=rng) for rng in _generators(draws)]
    return Point(arm, workers, _range(each.speedup for each in ended), _range(each.total_s / 3600 for each in ended))


def island_efficiency(islands: int, cv: float, *, barrier: bool, draws: int = DRAWS) -> float:
    """Return which share of the time islands work, the others waiting at migrations or at the end, as a mean."""
    found = []
    for rng in _generators(draws):
        times = draw_trials(islands * EPOCHS, mean_s=1.0, cv=cv, rng=rng).reshape(islands, EPOCHS)
        ended = simulate(Epochs(times, barrier=barrier), Way(islands), Machine(max(CORES, islands)), rng=rng)
        found.append(ended.alone_s / (islands * ended.wall_s))
    return float(np.mean(found))


def _range(values: Iterable[float]) -> Range:
    low, median, high = np.quantile(list(values), (0.025, 0.5, 0.975))
    return Range(float(median), float(low), float(high))


def _inputs(inputs: Inputs) -> str:
    rows = [
        (
            each.meaning,
            f"{number(each.value)} {each.unit}".strip(),
            f"{number(each.low)} to {number(each.high)}",
            each.source,
        )
        for each in vars(inputs).values()
    ]
    return under("Inputs of the simulation", table(("input", "value", "swept from, to", "source"), rows))


def _scaling_table(points: Mapping[float, Sequence[Point]], inputs: Inputs, draws: int) -> str:
    slowdowns = list(points)
    rows = []
    for several in zip(*points.values(), strict=True):
        first, last = several[0], several[-1]
        hours = f"{number(first.hours.median)} to {number(last.hours.median)}"
        speedups = (_interval(each.speedup) for each in several)
        rows.append((first.arm, str(first.workers), *speedups, hours))
    headings = ("way", "P", *(f"speedup, slowdown {slowdown:g}" for slowdown in slowdowns), "hours")
    n = whole(inputs.n_trials.value)
    note = (
        "Slowdown is how many times longer a trial takes when all cores are busy than alone; hours are those of the "
        f"smallest and of the largest slowdown. Ranges hold the middle 95 % of {draws} draws."
    )
    return under(f"Simulated: a study of {n} trials on {CORES} cores", table(headings, rows), note)


def _islands_table(islands: Mapping[tuple[float, bool], Sequence[float]]) -> str:
    spreads = list(dict.fromkeys(cv for cv, _ in islands))
    rows = [
        (str(workers), f"{cv:g}", *(f"{islands[cv, barrier][place]:.2f}" for barrier in (True, False)))
        for cv in spreads
        for place, workers in enumerate(WORKERS)
    ]
    headings = ("islands", "spread of an epoch's time", "barrier at each migration", "no barrier")
    title = f"Simulated: share of the time in which islands work, {EPOCHS} epochs each"
    return under(title, table(headings, rows))


def _interval(each: Range) -> str:
    return f"{number(each.median)} ({number(each.low)} to {number(each.high)})"


def _draw_scaling(points: Sequence[Point], stem: Path) -> Path:
    """Draw speedup against workers; bands hold the middle 95 % of draws."""
    with figures.style():
        drawing = figures.Drawing(figsize=(figures.WIDTH_IN, 4.4), layout="constrained")
        axes = drawing.subplots()
        counts = sorted({each.workers for each in points})
        axes.plot(counts, counts, ":", color="black", lw=1, label="P times one")
        for arm, (colour, marker) in figures.palette(each.arm for each in points).items():
            mine = [each.speedup for each in points if each.arm == arm]
            axes.plot(
                counts, [each.median for each in mine], f"{marker}-", ms=5, color=colour, label=arm.replace("`", "")
            )
            axes.fill_between(
                counts, [each.low for each in mine], [each.high for each in mine], color=colour, alpha=0.2, lw=0
            )
        axes.set(xscale="log", yscale="log", xlabel="workers P", ylabel="speedup", xticks=counts)
        axes.xaxis.set_minor_locator(figures.NullLocator())
        axes.xaxis.set_major_formatter(figures.NUMBER)
        axes.yaxis.set_major_formatter(figures.NUMBER)
        axes.set_title(f"SIMULATED: speedup of a study on {CORES} cores")
        figures.legend_below(drawing, columns=1)
        return figures.save(drawing, stem)


def _draw_islands(islands: Mapping[tuple[float, bool], Sequence[float]], stem: Path) -> Path:
    """Draw the share of time in which islands work against their number, with a barrier and without."""
    spreads = list(dict.fromkeys(cv for cv, _ in islands))
    with figures.style():
        drawing = figures.Drawing(figsize=(figures.WIDTH_IN, 3.6), layout="constrained")
        axes = drawing.subplots()
        for (cv, barrier), shares in islands.items():
            n = spreads.index(cv)
            line, words = ("--", "barrier") if barrier else ("-", "no barrier")
            axes.plot(
                WORKERS,
                shares,
                f"{figures.MARKERS[n]}{line}",
                ms=5,
                color=figures.COLOURS[n],
                label=f"{words}, spread {cv:g}",
            )
        axes.set(xscale="log", ylim=(0, 1), xlabel="islands", ylabel="share of the time at work", xticks=WORKERS)
        axes.xaxis.set_minor_locator(figures.NullLocator())
        axes.xaxis.set_major_formatter(figures.NUMBER)
        axes.set_title("SIMULATED: what a barrier at every migration costs")
        figures.legend_below(drawing, columns=3)
        return figures.save(drawing, stem)


def write(folder: Path, *, tables_folder: Path | None = None, draws: int = DRAWS) -> str:
    """Simulate everything; write `simulated.md`, the plots and a file for each table, and return the text.

    Inputs are taken from the rows that lie in the folder; without rows they are those of earlier measurements.
    """
    inputs = inputs_of(study.sessions(read_all(folder)))
    click.echo(f"simulating {', '.join(map(str, WORKERS))} workers ...", err=True)
    points = {
        slowdown: [
            point(arm, workers, inputs.with_value("slowdown", slowdown), draws=draws)
            for arm in ARMS
            for workers in WORKERS
        ]
        for slowdown in SLOWDOWNS
    }
    islands = {
        (cv, barrier): [island_efficiency(each, cv, barrier=barrier, draws=draws) for each in WORKERS]
        for cv in SPREADS
        for barrier in (True, False)
    }
    blocks = {
        "simulated-inputs": _inputs(inputs),
        "simulated-scaling": _scaling_table(points, inputs, draws),
        "simulated-islands": _islands_table(islands),
        "simulated-misses": under("Simulated: what the model missed", MISSES),
    }
    text = "\n\n".join(blocks.values()) + "\n"
    with atomic.storage_errors("write what was simulated"):
        plots = folder / "plots"
        atomic.make_directory(plots)
        atomic.replace_file(folder / PAGE, text.encode(), durable=False)
        files = [
            _draw_scaling(points[SLOWDOWNS[0]], plots / "simulated-scaling"),
            _draw_islands(islands, plots / "simulated-islands"),
        ]
        if tables_folder is not None:
            links = markdown.pictures(files, beside=tables_folder / "simulated-plots.md")
            markdown.write_tables(tables_folder, {**blocks, "simulated-plots": links})
    return text


@click.command()
@click.option(
    "--out",
    default=Path("bench/compare"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where tables and plots go; rows that lie there give inputs.",
)
@tables_option
@click.option("--draws", default=DRAWS, show_default=True, type=click.IntRange(min=1), help="Of trial times, per case.")
def main(out: Path, tables_folder: Path | None, draws: int) -> None:
    """Simulate 5 to 128 workers; everything is labelled simulated."""
    click.echo(write(out, tables_folder=tables_folder, draws=draws), nl=False)
