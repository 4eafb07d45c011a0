"""Plots on what was measured, each as SVG and PNG, wide enough for a column of text."""

from __future__ import annotations

import math
import statistics
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from atoll.scripts.lab.kit import figures, stats
from atoll.scripts.lab.parallel.report.study import noise, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from atoll.scripts.lab.parallel.records import TrialStart
    from atoll.scripts.lab.parallel.report.study import Run, Session, Summary, Workload

ROW_IN = 0.3
LABEL_CHARACTERS = 34
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 50, 100)


def draw(session: Session, folder: Path) -> list[Path]:
    """Draw everything for every workload of a session; return the SVG files."""
    found = []
    for load in session.workloads:
        summaries = summarise(session, load)
        for name, paint in PAINTERS.items():
            with figures.style():
                drawing = paint(session, load, summaries)
                if drawing is not None:
                    found.append(figures.save(drawing, folder / f"{name}-{load.tier}-{load.evaluator}"))
    return found


def _speedups(session: Session, load: Workload, summaries: Sequence[Summary]) -> figures.Drawing | None:
    """Every run as a point, every median with its interval, and the band within which two equal runs differ."""
    shown = [each for each in summaries if each.speedup is not None]
    if not shown:
        return None
    shown.sort(key=lambda each: each.speedup.median if each.speedup else 0.0)
    drawing, axes = _rows(len(shown))
    logs = noise(session, load)
    if logs:
        floor = stats.noise_floor(logs)
        axes.axvspan(math.exp(-floor), math.exp(floor), color="#999999", alpha=0.3, lw=0, label="two equal runs (A/A)")
    for place, each in enumerate(shown):
        if each.speedup is None:
            continue
        median, low, high = each.speedup.ratios
        colour = figures.COLOURS[1] if high < 1 and not each.setting.is_baseline else figures.COLOURS[0]
        points = [run.metrics.speedup for run in each.runs if run.metrics]
        axes.plot(points, [place] * len(points), "o", ms=3, color=colour, alpha=0.4, mew=0)
        axes.plot([low, high], [place, place], "-", lw=2, color=colour)
        axes.plot([median], [place], "<" if each.is_bound else "|", ms=8, mew=2, color=colour)
    axes.axvline(1, color="black", lw=0.8, label="as fast as one after the other")
    axes.set_xscale("log")
    figures.number_axis(axes, "x", TICKS)
    axes.set_yticks(range(len(shown)), [_label(each) for each in shown])
    axes.set(xlabel="speedup S; points are blocks, < is at most", title=f"Speedup ({load})")
    figures.legend_below(drawing, columns=3)
    return drawing


def _workers(_: Session, load: Workload, summaries: Sequence[Summary]) -> figures.Drawing | None:
    """Speedup against the number of workers, one line for each arm that was run with several."""
    by_label: dict[str, list[Summary]] = {}
    for each in summaries:
        if each.speedup is not None:
            by_label.setdefault(each.setting.label, []).append(each)
    by_label = {label: several for label, several in by_label.items() if len(several) > 1}
    counts = sorted({each.setting.workers for several in by_label.values() for each in several})
    if len(counts) < 2:
        return None
    cores = summaries[0].runs[0].row.provenance.cores
    drawing = figures.Drawing(figsize=(figures.WIDTH_IN, 4), layout="constrained")
    axes = drawing.subplots()
    axes.plot(counts, [min(n, cores) for n in counts], ":", color="black", lw=1, label=f"P times one, on {cores} cores")
    signs = figures.palette(by_label)
    for place, (label, several) in enumerate(by_label.items()):
        colour, marker = signs[label]
        aside = (place - len(by_label) / 2) * 0.3 / len(by_label)
        ratios = [each.speedup.ratios for each in several if each.speedup]
        x = [each.setting.workers + aside for each in several]
        y = [median for median, _, _ in ratios]
        reach = [[m - low for m, low, _ in ratios], [high - m for m, _, high in ratios]]
        axes.errorbar(x, y, yerr=reach, fmt=f"{marker}-", ms=5, lw=1, capsize=2, color=colour, label=label)
    axes.set(xlabel="workers P", ylabel="speedup S", title=f"Speedup against workers ({load})", xticks=counts)
    axes.set_ylim(bottom=0)
    figures.legend_below(drawing, columns=2)
    return drawing


def _utilisation(_: Session, load: Workload, summaries: Sequence[Summary]) -> figures.Drawing | None:
    """Busy cores against processor time for the same work; lines of equal speedup go through S = U / I."""
    shown = [each for each in summaries if each.median_metric(lambda m: m.utilisation) is not None]
    if not shown:
        return None
    drawing = figures.Drawing(figsize=(figures.WIDTH_IN, 3.9 + 0.14 * len(shown)), layout="constrained")
    axes = drawing.subplots()
    most = max(1.2, *(run.metrics.inflation for each in shown for run in each.runs if run.metrics)) * 1.25
    least = min(0.85, *(run.metrics.inflation / 1.1 for each in shown for run in each.runs if run.metrics))
    top = 1.15 * max(run.metrics.utilisation for each in shown for run in each.runs if run.metrics)
    inflations = np.geomspace(least, most, 50)
    for speedup in (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0):
        inside = inflations[(speedup * inflations <= top)]
        if len(inside) > 1:
            axes.plot(inside, speedup * inside, "-", color="#bbbbbb", lw=0.8, zorder=0)
            place = (inside[-2], speedup * inside[-2])
            axes.annotate(f"S = {speedup:g}", place, fontsize=7, color="#666666", ha="right", va="top")
    signs = figures.palette(_label(each) for each in shown)
    for each in shown:
        colour, marker = signs[_label(each)]
        points = [(run.metrics.inflation, run.metrics.utilisation) for run in each.runs if run.metrics]
        axes.plot(*zip(*points, strict=True), marker, ms=3, mew=0, color=colour, alpha=0.35)
        x, y = (statistics.median(values) for values in zip(*points, strict=True))
        axes.plot([x], [y], marker, ms=8, mec="white", mew=0.5, color=colour, label=_label(each))
    axes.set(xscale="log", xlim=(least, most), ylim=(0, top))
    axes.set(xlabel="processor time for the same work, I", ylabel="busy cores, U")
    axes.xaxis.set_major_locator(figures.FixedLocator([tick for tick in TICKS if least <= tick <= most]))
    axes.xaxis.set_minor_locator(figures.NullLocator())
    axes.xaxis.set_major_formatter(figures.NUMBER)
    axes.set_title(f"Busy cores are no speedup ({load})")
    figures.legend_below(drawing, columns=2)
    return drawing


def _threads(_: Session, load: Workload, summaries: Sequence[Summary]) -> figures.Drawing | None:
    cores = summaries[0].runs[0].row.provenance.cores
    bars = {
        "all processes together": lambda each: each.median(lambda row: row.usage.peak_threads),
        "in one process": lambda each: each.median(lambda row: row.usage.peak_threads_of_one),
    }
    drawing = _bars(summaries, bars)
    if drawing is not None:
        axes = drawing.axes[0]
        axes.axvline(cores, color="black", lw=0.8, ls=":", label=f"{cores} cores")
        axes.set(xlabel="threads at most; idle ones harm nobody", title=f"Threads ({load})")
        figures.legend_below(drawing, columns=3)
    return drawing


def _memory(_: Session, load: Workload, summaries: Sequence[Summary]) -> figures.Drawing | None:
    bars = {
        "all (PSS)": lambda each: each.median(lambda row: row.usage.peak_pss_bytes) / 1e6,
        "not shared with others (USS)": lambda each: each.median(lambda row: row.usage.peak_uss_bytes) / 1e6,
    }
    drawing = _bars(summaries, bars, write=figures.three_digits)
    if drawing is not None:
        drawing.axes[0].set(xlabel="memory at most (MB), all processes of a run", title=f"Memory ({load})")
        figures.legend_below(drawing, columns=3)
    return drawing


def _bars(
    summaries: Sequence[Summary],
    bars: Mapping[str, Callable[[Summary], float]],
    *,
    write: Callable[[float], str] = "{:g}".format,
) -> figures.Drawing | None:
    """Draw for each setting a bar for each of `bars`, one beneath the other; the first has its number written by it."""
    shown = [each for each in reversed(summaries) if each.outcomes.keys() != {"skipped"}]
    if not shown:
        return None
    drawing, axes = _rows(len(shown))
    height = 0.8 / len(bars)
    for n, (name, of) in enumerate(bars.items()):
        places = [place + 0.4 - (n + 0.5) * height for place in range(len(shown))]
        found = axes.barh(places, [of(each) for each in shown], height, color=figures.COLOURS[3 * n], label=name)
        if n == 0:
            axes.bar_label(found, fmt=write, fontsize=7, padding=2)
    axes.set_yticks(range(len(shown)), [_label(each) for each in shown])
    axes.margins(x=0.12)
    return drawing


def _gantt(_: Session, load: Workload, summaries: Sequence[Summary]) -> figures.Drawing | None:
    """One run of each setting, the one with the median speedup: who ran which trial from when to when."""
    several = [each for each in summaries if each.setting.workers > 1 or each.setting.is_baseline]
    shown = [(each, run) for each in several if (run := _typical(each)) is not None]
    if not shown:
        return None
    lanes = [_lanes(run) for _, run in shown]
    heights = [max(2, len(each) + len(_never_ended(run))) for each, (_, run) in zip(lanes, shown, strict=True)]
    size = (figures.WIDTH_IN, 0.9 + sum(0.17 * height + 0.28 for height in heights))
    drawing = figures.Drawing(figsize=size, layout="constrained")
    places = drawing.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (each, run), workers, height in zip(places, shown, lanes, heights, strict=True):
        for lane, worker in enumerate(workers):
            for trial in (trial for trial in run.row.trials if (trial.pid, trial.tid) == worker):
                start_s = trial.start_s - run.row.launched_s
                colour = figures.COLOURS[trial.index % 6]
                axes.barh(lane, trial.end_s - trial.start_s, 0.85, start_s, color=colour, ec="white", lw=0.5)
                axes.text(start_s, lane, f" {trial.index}", va="center", fontsize=6, color="white", clip_on=True)
        end_s = run.row.exited_s - run.row.launched_s
        for lane, start in enumerate(_never_ended(run), start=len(workers)):
            start_s = start.start_s - run.row.launched_s
            axes.barh(lane, end_s - start_s, 0.85, start_s, color="white", ec="#666666", hatch="////", lw=0.5)
            axes.text(start_s, lane, f" {start.index}", va="center", fontsize=6, backgroundcolor="white")
        axes.axvline(end_s, color="black", lw=0.8)
        speedup = f"S = {run.metrics.speedup:.2f}" if run.metrics else run.row.outcome
        axes.set_title(f"{each.setting.label}, P = {each.setting.workers}: {speedup}", loc="left", fontsize=8, pad=2)
        axes.set(yticks=[], ylim=(-0.6, height - 0.4))
        axes.spines[["top", "right", "left"]].set_visible(False)
    places[-1].set_xlim(left=0)
    places[-1].set_xlabel("s since the launch; a row is a worker, hatched what never ended, the line the exit")
    drawing.suptitle(f"Who ran which trial when ({load})", fontsize=9)
    return drawing


def _typical(each: Summary) -> Run | None:
    """Return the run with the (lower) median speedup; any one with trials where none has a speedup."""
    known = [(run.metrics.speedup, run.row.block, run) for run in each.runs if run.metrics and run.row.trials]
    if known:
        return sorted(known, key=lambda item: item[:2])[(len(known) - 1) // 2][2]
    return next((run for run in each.runs if run.row.trials), None)


def _never_ended(run: Run) -> list[TrialStart]:
    """Return what was begun and has no record: trials that were ended, or begun anew after their worker died."""
    recorded = {trial.index for trial in run.row.trials}
    last = {start.index: start for start in run.row.starts}
    return [start for start in run.row.starts if start.index not in recorded or start is not last[start.index]]


def _lanes(run: Run) -> list[tuple[int, int]]:
    return list(dict.fromkeys((trial.pid, trial.tid) for trial in sorted(run.row.trials, key=lambda t: t.start_s)))


def _label(each: Summary) -> str:
    text = textwrap.fill(f"{each.setting.label}, P_=_{each.setting.workers}", LABEL_CHARACTERS)
    return text.replace("_=_", " = ")  # which is not to be broken


def _rows(n: int) -> tuple[figures.Drawing, Axes]:
    drawing = figures.Drawing(figsize=(figures.WIDTH_IN, 1.3 + ROW_IN * n), layout="constrained")
    return drawing, drawing.subplots()


PAINTERS: dict[str, Callable[[Session, Workload, Sequence[Summary]], figures.Drawing | None]] = {
    "speedups": _speedups,
    "workers": _workers,
    "utilisation": _utilisation,
    "threads": _threads,
    "memory": _memory,
    "gantt": _gantt,
}
