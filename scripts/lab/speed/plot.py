"""The figures of the suite in one drawing: throughput against population, stages of a generation, islands on cores."""

from __future__ import annotations

import statistics
from functools import partial
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.scripts.lab.speed.evaluator import NOMINAL_FLOP, PEAK
from atoll.scripts.lab.speed.generation import WHOLE
from atoll.scripts.lab.speed.rounds import by_round, ratios, values
from atoll.scripts.report.style import Figure as Drawing
from atoll.scripts.report.style import NullLocator, mpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from atoll.scripts.lab.kit.rows import Run

LINES = {
    ("native", "live"): ("native, lives alone", "#56b4e9"),
    ("native", "evaluate"): ("native", "#0072b2"),
    ("reference", "evaluate"): ("reference", "#d55e00"),
}
STAGES = {"evaluation": "#0072b2", "breeding": "#009e73", "scoring": "#56b4e9", "files": "#e69f00", "loop": "#999999"}
PROCESSES = {"islands": ("islands", "#0072b2"), "bare": ("evaluation alone", "#999999")}
"""Colours that people tell apart who see fewer of them. Source: Okabe & Ito 2008."""
NUMBER = "{x:g}"


def draw(runs: Iterable[Run], file: Path) -> None:
    """Draw what the runs hold; bands and bars reach from the smallest to the largest value."""
    painters = {"evaluator": _throughput, "generation": _stages, "scaling": _scaling}
    found = {run.bench: run for run in runs if run.bench in painters}
    if not found:
        raise click.UsageError(f"no rows to draw: expected some of {', '.join(painters)}")
    # Text stays text, and equal rows give equal files.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "atoll", "font.size": 9}):
        drawing = Drawing(figsize=(5 * len(found), 4), layout="constrained")
        axes = drawing.subplots(1, len(found), squeeze=False)[0]
        for place, (bench, paint) in zip(axes, [item for item in painters.items() if item[0] in found], strict=True):
            paint(place, found[bench])
        drawing.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def _throughput(axes: Axes, run: Run) -> None:
    rounds = by_round(run.rows, "what", "part", "population")
    for (what, part), (label, colour) in LINES.items():
        sizes = sorted({key[2] for each in rounds for key in each if key[:2] == (what, part)})
        rates = [values(rounds, (what, part, size), lambda row: row["work_per_s"] / 1e6) for size in sizes]
        _line(axes, sizes, rates, label, colour)
    axes.set(xscale="log", yscale="log", xlabel="population", ylabel="M creature-steps/s, one thread")
    axes.set_title("Throughput of the evaluators")
    axes.set_xticks(sorted({key[2] for each in rounds for key in each if key != PEAK}), minor=False)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params("x", rotation=90)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(NUMBER)
    peaks = values(rounds, PEAK, lambda row: row["work_per_s"])
    if peaks:
        whole = statistics.median(peaks) / NOMINAL_FLOP / 1e6
        second = axes.secondary_yaxis("right", functions=(partial(np.multiply, 1 / whole), partial(np.multiply, whole)))
        second.set_ylabel(f"fraction of the peak at {NOMINAL_FLOP:,.0f} flop per creature-step")
        second.yaxis.set_major_formatter(NUMBER)
    axes.legend()


def _stages(axes: Axes, run: Run) -> None:
    rounds = by_round(run.rows, "what", "part")
    keys = {key for each in rounds for key in each if key[1]}
    shares = {key: [100 * share for share in ratios(rounds, key, WHOLE, lambda row: row["wall_s"])] for key in keys}
    order = sorted(keys, key=lambda key: statistics.median(shares[key]))
    for place, key in enumerate(order):
        middle = statistics.median(shares[key])
        reach = [[middle - min(shares[key])], [max(shares[key]) - middle]]
        axes.barh(place, middle, xerr=reach, color=STAGES[str(key[0])], error_kw={"lw": 0.8})
    axes.set_yticks(range(len(order)), [f"{what}: {part}" for what, part in order])
    axes.set(xlabel="share of a generation (%)", title="Where a generation's time goes")


def _scaling(axes: Axes, run: Run) -> None:
    rounds = by_round(run.rows, "what", "n")
    for what, (label, colour) in PROCESSES.items():
        counts = sorted({row["n"] for row in run.rows if row["what"] == what})
        speed = [ratios(rounds, (what, n), (what, 1), lambda row: row["work_per_s"]) for n in counts]
        _line(axes, counts, speed, label, colour)
    counts = sorted({row["n"] for row in run.rows if row["what"] in PROCESSES})
    axes.plot(counts, counts, ":", color="black", lw=0.8, label="N times one")
    axes.set(xlabel="processes side by side, N", ylabel="throughput / that of one", xticks=counts)
    axes.set_title(f"Islands on {run.rows[0]['cores']} cores")
    axes.legend()


def _line(axes: Axes, x: Sequence[float], found: Sequence[Sequence[float]], label: str, colour: str) -> None:
    """Draw medians, and a band from the smallest to the largest value."""
    if x:
        axes.plot(x, [statistics.median(each) for each in found], ".-", color=colour, label=label)
        axes.fill_between(
            x, [min(each) for each in found], [max(each) for each in found], color=colour, alpha=0.2, lw=0
        )
