"""Figures of an archipelago from its raw logs: fitness, diversity, ancestry, migration; `gene_plots.py` has others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from atoll.evo.errors import ConfigError
from atoll.evo.text import printable
from atoll.migration.observe.flow import read_flow
from atoll.migration.pool import identity as pool
from atoll.migration.pool.islands import unreadable_of
from atoll.scripts.report.gene_plots import ROUNDING, champions, differentiation
from atoll.scripts.report.history import read_history
from atoll.scripts.report.output import check_output
from atoll.scripts.report.paper import COLOURS, COLUMN_INCHES, DASHES, check_format, short, write_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from atoll.evo.genome import Floats
    from atoll.evo.paths import SharedPaths
    from atoll.scripts.report.history import IslandHistory

MANY = 16
"""Beyond so many islands lines are drawn alike, with their median and their range."""
MAX_FOUNDERS = len(COLOURS)
ONE_ISLAND = "one island has nobody to exchange genomes with"
NOTHING_CROSSED = "no genome has gone from one island to another"


def write_plot(what: str, shared: SharedPaths, out: Path, *, is_json: bool) -> int:
    """Draw one figure of an archipelago; return the exit code.

    Raises:
        ConfigError: There is nothing to draw, or the file's suffix names no format.
        StorageError: The directory cannot be read, or the figure not be written.
    """
    check_format(out)
    check_output(out)
    pool.check_directory(shared)
    histories = [history for history in read_history(shared) if history.lines]
    if not histories:
        raise ConfigError(f"no island in {shared.root} has logged a generation, so there is nothing to draw")
    for name, why in unreadable_of(shared).items():
        click.echo(printable(f"note: {name} may not be read, and is not drawn: {why}"), err=True)
    painters: dict[str, Callable[[Figure], None]] = {
        "fitness": lambda figure: _curves(figure, histories, "best", "best fitness of the generation"),
        "diversity": lambda figure: _curves(figure, histories, "diversity", "diversity within the island"),
        "ancestry": lambda figure: _ancestry(figure, histories),
        "migration": lambda figure: _migration(figure, shared),
        "champions": lambda figure: champions(figure, shared, [history.name for history in histories]),
        "differentiation": lambda figure: differentiation(figure, shared),
    }
    write_figure(painters[what], out)
    n = len(histories)
    click.echo(json.dumps({"plot": str(out), "what": what, "islands": n}) if is_json else f"{out}: {what}, {n} islands")
    return 0


def _curves(figure: Figure, histories: Sequence[IslandHistory], name: str, label: str) -> None:
    axes = figure.subplots()
    is_many = len(histories) > MANY
    for i, history in enumerate(histories):
        x = [line.generation for line in history.lines]
        y = [np.nan if (value := getattr(line, name)) is None else value for line in history.lines]
        if is_many:
            axes.plot(x, y, color="0.7", lw=0.5)
        else:
            style = DASHES[i // len(COLOURS) % len(DASHES)]
            dot = "o" if len(x) == 1 else ""  # one point makes no line
            axes.plot(x, y, style, marker=dot, ms=3, color=COLOURS[i % len(COLOURS)], label=short(history.name))
    if is_many:
        x, middle = _median(histories, name)
        axes.plot(x, middle, color=COLOURS[0], lw=1.8, label=f"median of {len(histories)} islands")
        axes.plot([], [], color="0.7", lw=0.5, label="one island")
    axes.set(xlabel="generation", ylabel=label)
    _number_generations(axes)
    axes.margins(x=0.01)
    axes.legend(frameon=False, ncols=1 if is_many else -(-len(histories) // 6))


def _number_generations(axes: Axes) -> None:
    from atoll.scripts.report.agg import MaxNLocator  # noqa: PLC0415 - slow to load

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _median(histories: Sequence[IslandHistory], name: str) -> tuple[list[int], list[float]]:
    at: dict[int, list[float]] = {}
    for history in histories:
        for line in history.lines:
            if (value := getattr(line, name)) is not None:
                at.setdefault(line.generation, []).append(value)
    return sorted(at), [float(np.median(at[generation])) for generation in sorted(at)]


def _ancestry(figure: Figure, histories: Sequence[IslandHistory]) -> None:
    """Draw a small stack of shares for each island, founders in the same colours everywhere."""
    founders = _founders(histories)
    columns = min(len(histories), 4)
    rows = -(-len(histories) // columns)
    figure.set_size_inches(COLUMN_INCHES, 0.55 + 0.62 * rows)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).reshape(-1)
    generations = [line.generation for history in histories for line in history.lines]
    first, last = min(generations), max(generations)
    has_others = False
    for place, history in zip(axes, histories, strict=False):
        x, shares = _shares(history, founders)
        stacks = place.stackplot(x, shares, colors=[*COLOURS[: len(founders)], "0.8"], linewidth=0)
        has_others |= bool(shares[-1].max() > ROUNDING)
        place.set_title(short(history.name), fontsize=6, pad=2)
        place.set(ylim=(0, 1), yticks=[0, 1], xlim=(first, max(last, first + 1)))
        place.tick_params(labelsize=6)
    _number_generations(axes[0])
    for place in axes[len(histories) :]:
        place.set_visible(False)
    figure.supxlabel("generation", fontsize=8)
    figure.supylabel("share of genes", fontsize=8)
    names = [*map(short, founders), *(["others"] if has_others else [])]
    figure.legend(stacks[: len(names)], names, loc="outside upper center", ncols=4, frameon=False, title="founders of")


def _founders(histories: Sequence[IslandHistory]) -> list[str]:
    total: dict[str, float] = {}
    for history in histories:
        for line in history.lines:
            for name, share in line.shares.items():
                total[name] = total.get(name, 0.0) + share / len(history.lines)
    return sorted(sorted(total, key=lambda name: -total[name])[:MAX_FOUNDERS])


def _shares(history: IslandHistory, founders: Sequence[str]) -> tuple[list[int], Floats]:
    """Return generations [G], and the shares of the founders and of all others, [F + 1, G]."""
    x = [line.generation for line in history.lines]
    named = np.array([[line.shares.get(name, 0.0) for line in history.lines] for name in founders], dtype=np.float32)
    whole = np.array([sum(line.shares.values()) for line in history.lines], dtype=np.float32)
    return x, np.concatenate([named, (whole - named.sum(axis=0)).clip(0)[None]])


def _migration(figure: Figure, shared: SharedPaths) -> None:
    """Draw who gave how many genomes to whom, as a matrix."""
    from atoll.scripts.report.agg import MaxNLocator  # noqa: PLC0415

    flow = read_flow(shared)
    givers, takers = list(flow.givers), list(flow.islands)
    counts = np.zeros((len(givers), len(takers)))
    for passage in flow.passages:
        counts[givers.index(passage.giver), takers.index(passage.taker)] = passage.genomes
    figure.set_size_inches(COLUMN_INCHES, COLUMN_INCHES)
    axes = figure.subplots()
    if not counts.any():
        _say_instead(axes, ONE_ISLAND if len(takers) == 1 else NOTHING_CROSSED)
        return
    image = axes.imshow(counts, cmap="cividis", vmin=0)
    size = 6 if len(givers) <= 24 else 3
    axes.set_xticks(range(len(takers)), map(short, takers), rotation=90, fontsize=size)
    axes.set_yticks(range(len(givers)), map(short, givers), fontsize=size)
    axes.set(xlabel="took", ylabel="gave")
    if len(givers) <= 8:
        _write_counts(axes, counts)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, label="genomes", ticks=MaxNLocator(integer=True))
    bar.ax.tick_params(labelsize=6)


def _say_instead(axes: Axes, text: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)


def _write_counts(axes: Axes, counts: np.ndarray[Any, Any]) -> None:
    for (row, column), count in np.ndenumerate(counts):
        is_light = count > 0.6 * counts.max()
        axes.text(column, row, f"{count:.0f}", ha="center", va="center", color="black" if is_light else "white")
