"""Figures of the findings, each as SVG and PNG, as wide as a column of text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from atoll.scripts.lab.islands.equal_budgets import plan
from atoll.scripts.lab.islands.equal_budgets.findings import SEED, median
from atoll.scripts.lab.kit import figures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from atoll.scripts.lab.islands.equal_budgets.findings import Findings, Interval

HEADS = (plan.POOLED, plan.STRONG, plan.SMALL, plan.ISOLATED, plan.ISLANDS)
SIGNS = figures.palette(HEADS)
LOWEST, HIGHEST = 0.05, 50.0
"""Ratios beyond are drawn at the edge."""
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
PACE = f"{plan.REFERENCE['migrants']} every {plan.REFERENCE['migrate_every']}"
"""Of the islands that all others are departures from."""
NEVER = 100
"""Where an infinite interval stands on a logarithmic axis."""


def draw(findings: Sequence[Findings], folder: Path) -> dict[str, Path]:
    """Draw everything into a folder that exists; return the SVG file of each figure by its name."""
    files = {}
    for name, paint in PAINTERS.items():
        with figures.style():
            drawing = paint(findings)
            if drawing is not None:
                files[name] = figures.save(drawing, folder / name)
    return files


def _ratios(findings: Sequence[Findings]) -> figures.Drawing:
    """Each tuned contender against the pooled population, problem by problem."""
    drawing = figures.Drawing(figsize=(figures.WIDTH_IN, 1.0 + 0.95 * len(findings)), layout="constrained")
    axes = drawing.subplots()
    shown = [name for name in HEADS if name != plan.POOLED]
    for place, each in enumerate(reversed(findings)):
        for n, name in enumerate(shown):
            y = place + 0.3 - 0.2 * n
            label = name if place == 0 else None
            _whisker(axes, each.ratio(plan.POOLED, name), y, name=name, label=label)
    axes.axvline(1, color="black", lw=0.8)
    axes.axvline(2, color="black", lw=0.8, ls=":")
    axes.set_yticks(range(len(findings)), [each.problem.name for each in reversed(findings)])
    axes.set(xlabel="expected evaluations to the target: pooled / contender (above 1: faster)")
    axes.set_xscale("log")
    figures.number_axis(axes, "x", TICKS)
    axes.set_title("Who reaches the pooled population's median first?")
    figures.legend_below(drawing, columns=4)
    return drawing


def _whisker(axes: Axes, found: Interval, y: float, *, name: str, label: str | None) -> None:
    colour, marker = SIGNS[name]
    low, high = (min(max(each, LOWEST), HIGHEST) for each in (found.low, found.high))
    axes.plot([low, high], [y, y], "-", lw=1.5, color=colour)
    if found.high > HIGHEST:
        axes.plot([HIGHEST], [y], ">", ms=4, color=colour)
    if found.low < LOWEST:
        axes.plot([LOWEST], [y], "<", ms=4, color=colour)
    axes.plot([min(max(found.value, LOWEST), HIGHEST)], [y], marker, ms=5, color=colour, label=label)


def _reached(findings: Sequence[Findings]) -> figures.Drawing:
    """The share of runs that had reached the final target after so many evaluations."""
    drawing, places = _panels(findings)
    for axes, each in zip(places, findings, strict=False):
        for name in HEADS:
            times = np.sort(each.showings[name].times.to_target)
            known = times[np.isfinite(times)]
            share = np.arange(1, len(known) + 1) / len(times)
            x = np.concatenate([[0], known, [each.problem.budget]]) / 1000
            y = np.concatenate([[0], share, share[-1:] if len(share) else [0]])
            axes.step(x, y, where="post", color=SIGNS[name][0], lw=1.5, label=name)
            axes.plot(x[1:-1], y[1:-1], SIGNS[name][1], ms=3, color=SIGNS[name][0])
        axes.set(ylim=(-0.03, 1.03), xlim=(0, each.problem.budget / 1000), title=each.problem.name)
    _label_panels(drawing, places, "thousand evaluations", "runs at the target")
    return drawing


def _rates(findings: Sequence[Findings]) -> figures.Drawing | None:
    """The ratio over the interval between migrations, a line for each rate."""
    swept = [each for each in findings if each.problem.is_swept]
    if not swept:
        return None
    drawing, places = _panels(swept)
    for axes, each in zip(places, swept, strict=False):
        never = each.ratio(plan.POOLED, "never")
        for n, rate in enumerate(plan.RATES):
            names = [f"{rate} every {interval}" for interval in plan.INTERVALS]
            ratios = [each.ratio(plan.POOLED, plan.ISLANDS if name == PACE else name) for name in names]
            x = [interval * 1.06 ** (n - 1) for interval in plan.INTERVALS]
            _error_bars(axes, x, ratios, n, label=f"{rate} migrant{'s' if rate > 1 else ''}")
        _error_bars(axes, [NEVER], [never], 3, label="never")
        axes.axhline(1, color="black", lw=0.8)
        axes.set(xscale="log", yscale="log", title=each.problem.name)
        axes.set_xticks([*plan.INTERVALS, NEVER], [*map(str, plan.INTERVALS), "∞"])
        axes.xaxis.set_minor_locator(figures.NullLocator())
        figures.number_axis(axes, "y", TICKS)
    _label_panels(drawing, places, "generations between migrations", "ERT of pooled / islands")
    return drawing


def _sizes(findings: Sequence[Findings]) -> figures.Drawing:
    """The ratio over the number of islands that the same population is split among."""
    drawing, places = _panels(findings)
    for axes, each in zip(places, findings, strict=False):
        problem = each.problem
        counts = sorted((*problem.splits, problem.islands))
        names = [plan.ISLANDS if n == problem.islands else f"{n} x {problem.population // n}" for n in counts]
        _error_bars(axes, counts, [each.ratio(plan.POOLED, name) for name in names], 0, label="split among islands")
        axes.plot([1], [1], "s", ms=5, color=figures.COLOURS[1], label="pooled")
        axes.axhline(1, color="black", lw=0.8)
        axes.set(xscale="log", yscale="log", title=problem.name)
        axes.set_xticks([1, *counts], [f"1 x {problem.population}", *(f"{n}" for n in counts)])
        axes.xaxis.set_minor_locator(figures.NullLocator())
        figures.number_axis(axes, "y", TICKS)
    _label_panels(drawing, places, "islands", "ERT of pooled / islands")
    return drawing


def _error_bars(axes: Axes, x: Sequence[float], ratios: Sequence[Interval], n: int, *, label: str) -> None:
    """Draw ratios with intervals; what lies beyond the edge is drawn at it."""
    middle, low, high = (
        [min(max(value, LOWEST), HIGHEST) for value in values]
        for values in zip(*((each.value, each.low, each.high) for each in ratios), strict=True)
    )
    reach = [
        [max(0.0, m - each) for m, each in zip(middle, low, strict=True)],
        [max(0.0, each - m) for m, each in zip(middle, high, strict=True)],
    ]
    axes.errorbar(
        x,
        middle,
        yerr=reach,
        fmt=f"{figures.MARKERS[n]}-",
        ms=4,
        lw=1,
        capsize=2,
        color=figures.COLOURS[n],
        label=label,
    )


def _creatures(findings: Sequence[Findings]) -> figures.Drawing | None:
    """Fitness of champions on courses they were trained on and on others: each run, and medians with intervals."""
    walked = [each for each in findings if each.showings[plan.POOLED].column("unseen_fitness")]
    if not walked:
        return None
    names = list(walked[0].showings)
    drawing = figures.Drawing(figsize=(figures.WIDTH_IN, 1.2 + 0.26 * len(names)), layout="constrained")
    places = drawing.subplots(1, 2, sharey=True)
    columns: tuple[tuple[str, Callable[[str], list[float]]], ...] = (
        ("fitness", lambda name: walked[0].showings[name].best),
        ("unseen_fitness", lambda name: walked[0].showings[name].column("unseen_fitness")),
    )
    for axes, (column, of) in zip(places, columns, strict=True):
        for place, name in enumerate(reversed(names)):
            values = of(name)
            middle = median(values, seed=SEED)
            colour = figures.COLOURS[1] if name == plan.POOLED else figures.COLOURS[0]
            axes.plot(values, [place] * len(values), "o", ms=3, mew=0, alpha=0.35, color=colour)
            axes.plot([middle.low, middle.high], [place, place], "-", lw=2.5, color=colour)
            axes.plot([middle.value], [place], "|", ms=9, mew=2, color=colour)
        axes.axvline(float(np.median(of(plan.POOLED))), color=figures.COLOURS[1], lw=0.8, ls=":")
        axes.set(xlabel=column.replace("_", " "))
    places[0].set_yticks(range(len(names)), list(reversed(names)))
    drawing.suptitle("Creatures: champions on courses they were trained on, and on 40 others", fontsize=9)
    return drawing


def _panels(findings: Sequence[Findings]) -> tuple[figures.Drawing, list[Axes]]:
    rows = math.ceil(len(findings) / 2)
    drawing = figures.Drawing(figsize=(figures.WIDTH_IN, 0.8 + 2.2 * rows), layout="constrained")
    places = list(drawing.subplots(rows, 2, squeeze=False).flat)
    for unused in places[len(findings) :]:
        unused.set_visible(False)
    return drawing, places[: len(findings)]


def _label_panels(drawing: figures.Drawing, places: Sequence[Axes], x: str, y: str) -> None:
    for place in places[-2:]:
        place.set_xlabel(x)
    for place in places[::2]:
        place.set_ylabel(y)
    handles, labels = places[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)


PAINTERS: dict[str, Callable[[Sequence[Findings]], figures.Drawing | None]] = {
    "ratios": _ratios,
    "reached": _reached,
    "rates": _rates,
    "sizes": _sizes,
    "creatures": _creatures,
}
