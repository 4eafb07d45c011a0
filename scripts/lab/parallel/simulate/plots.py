"""The plots on what was simulated; each says so in its title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.report.plots import COLOURS, MARKERS, NUMBER, WIDTH_IN, palette, save, style
from atoll.scripts.lab.parallel.simulate import scaling
from atoll.scripts.lab.parallel.simulate.inputs import CORES, PROCESSES
from atoll.scripts.report.style import Figure as Drawing
from atoll.scripts.report.style import NullLocator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from atoll.scripts.lab.parallel.simulate.inputs import Inputs
    from atoll.scripts.lab.parallel.simulate.results import Results
    from atoll.scripts.lab.parallel.simulate.scaling import Point, Swing


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw all plots into a folder that exists; return the SVG files."""
    swept = {workers: swings for (arm, workers), swings in results.swings.items() if arm == PROCESSES}
    return [
        _scaling(next(iter(results.points.values())), folder / "simulated-scaling"),
        _islands(results, folder / "simulated-islands"),
        *(
            _sensitivity(swings, results.inputs, workers, folder / f"simulated-sensitivity-{workers}")
            for workers, swings in swept.items()
        ),
    ]


def _scaling(points: Sequence[Point], stem: Path) -> Path:
    """Draw speedup against workers; bands hold the middle 95 % of draws."""
    with style():
        drawing = Drawing(figsize=(WIDTH_IN, 4.4), layout="constrained")
        axes = drawing.subplots()
        counts = sorted({each.workers for each in points})
        axes.plot(counts, counts, ":", color="black", lw=1, label="P times one")
        for arm, (colour, marker) in palette(each.arm for each in points).items():
            mine = [each.speedup for each in points if each.arm == arm]
            axes.plot(
                counts, [each.median for each in mine], f"{marker}-", ms=5, color=colour, label=arm.replace("`", "")
            )
            axes.fill_between(
                counts, [each.low for each in mine], [each.high for each in mine], color=colour, alpha=0.2, lw=0
            )
        axes.set(xscale="log", yscale="log", xlabel="workers P", ylabel="speedup", xticks=counts)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(NUMBER)
        axes.yaxis.set_major_formatter(NUMBER)
        axes.set_title(f"SIMULATED: speedup of a study on {CORES} cores")
        drawing.legend(loc="outside lower center", ncols=1, frameon=False)
        return save(drawing, stem)


def _sensitivity(swings: Sequence[Swing], inputs: Inputs, workers: int, stem: Path) -> Path:
    """Draw for each input the speedups at both ends of its range, the widest on top."""
    with style():
        drawing = Drawing(figsize=(WIDTH_IN, 1.0 + 0.32 * len(swings)), layout="constrained")
        axes = drawing.subplots()
        for place, each in enumerate(reversed(swings)):
            axes.plot([each.at_low, each.at_high], [place, place], "-", color="#999999", lw=4, zorder=1)
            for value, colour, marker in ((each.at_low, COLOURS[0], "o"), (each.at_high, COLOURS[1], "s")):
                axes.plot([value], [place], marker, ms=7, color=colour, zorder=2)
        names = [getattr(inputs, each.name) for each in reversed(swings)]
        labels = [f"{each.meaning}\n{each.low:g} to {each.high:g} {each.unit}".strip() for each in names]
        axes.set_yticks(range(len(swings)), labels, fontsize=7)
        axes.set(xlabel="speedup; circle: lowest value, square: highest")
        axes.set_title(f"SIMULATED: what {workers} processes are sensitive to")
        axes.set_ylim(-0.6, len(swings) - 0.4)
        return save(drawing, stem)


def _islands(results: Results, stem: Path) -> Path:
    """Draw the share of time in which islands work against their number, with a barrier and without."""
    spreads = list(dict.fromkeys(cv for cv, _ in results.islands))
    with style():
        drawing = Drawing(figsize=(WIDTH_IN, 3.6), layout="constrained")
        axes = drawing.subplots()
        for (cv, barrier), shares in results.islands.items():
            n = spreads.index(cv)
            line, words = ("--", "barrier") if barrier else ("-", "no barrier")
            axes.plot(
                scaling.WORKERS, shares, f"{MARKERS[n]}{line}", ms=5, color=COLOURS[n], label=f"{words}, spread {cv:g}"
            )
        axes.set(
            xscale="log", ylim=(0, 1), xlabel="islands", ylabel="share of the time at work", xticks=scaling.WORKERS
        )
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(NUMBER)
        axes.set_title("SIMULATED: what a barrier at every migration costs")
        drawing.legend(loc="outside lower center", ncols=3, frameon=False)
        return save(drawing, stem)
