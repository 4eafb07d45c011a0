"""Figures of an archipelago for papers: fitness, diversity, ancestry and migration, from its raw logs; and of genes.

Of genes themselves: whose the champions have, and how far apart the islands are over time.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from atoll.evo.errors import ConfigError, printable
from atoll.migration.observe import snapshot
from atoll.migration.observe.history import read_flow, read_histories
from atoll.migration.pool import identity as pool
from atoll.migration.pool.access import open_pool
from atoll.migration.pool.islands import lived, unreadable_of
from atoll.scripts.report.champion import Champion, read_all
from atoll.scripts.report.style import (
    COLOURS,
    COLUMN_INCHES,
    DASHES,
    MaxNLocator,
    check_format,
    short,
    to_rgb,
    write_figure,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from atoll.evo.genome import Floats, GenomeSpec
    from atoll.evo.paths import SharedPaths
    from atoll.migration.observe.history import History

MANY = 16
"""Beyond so many islands lines are drawn alike, with their median and their range."""
OTHERS = "0.8"
MAX_FOUNDERS = len(COLOURS)
MAX_LINES = 40
"""Of the champions, the best; more would not be read."""
LINE_INCHES = 0.13
ROUNDING = 1e-6
ONE_ISLAND = "one island has nobody to exchange genomes with"
NOTHING_CROSSED = "no genome has gone from one island to another"
ONLY_EMIGRANTS = (
    "note: where islands have kept only their emigrants, as in older versions, F_ST is of these; of clones it is about "
    "1, however alike the populations"
)


def write_plot(what: str, shared: SharedPaths, out: Path) -> int:
    """Draw one figure of an archipelago; return how many islands it shows.

    Raises:
        ConfigError: There is nothing to draw, or the file's suffix names no format.
        StorageError: The directory cannot be read, or the figure not be written.
    """
    check_format(out)
    pool.check_directory(shared)
    histories = [history for history in read_histories(shared) if history.lines]
    if not histories:
        raise ConfigError(f"no island in {shared.root} has logged a generation, so there is nothing to draw")
    for name, why in unreadable_of(shared).items():
        click.echo(printable(f"note: {name} may not be read, and is not drawn: {why}"), err=True)
    painters: dict[str, Callable[[Figure], None]] = {
        "fitness": lambda figure: _curves(figure, histories, "best", "best fitness of the generation"),
        "diversity": lambda figure: _curves(figure, histories, "diversity", "diversity within the island"),
        "ancestry": lambda figure: _ancestry(figure, histories),
        "migration": lambda figure: _migration(figure, shared),
        "champions": lambda figure: champions(figure, shared, [history.island for history in histories]),
        "differentiation": lambda figure: differentiation(figure, shared),
    }
    write_figure(painters[what], out)
    return len(histories)


def _curves(figure: Figure, histories: Sequence[History], name: str, label: str) -> None:
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
            axes.plot(x, y, style, marker=dot, ms=3, color=COLOURS[i % len(COLOURS)], label=short(history.island))
    if is_many:
        x, middle = _median(histories, name)
        axes.plot(x, middle, color=COLOURS[0], lw=1.8, label=f"median of {len(histories)} islands")
        axes.plot([], [], color="0.7", lw=0.5, label="one island")
    axes.set(xlabel="generation", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.01)
    axes.legend(frameon=False, ncols=1 if is_many else -(-len(histories) // 6))


def _median(histories: Sequence[History], name: str) -> tuple[list[int], list[float]]:
    at: dict[int, list[float]] = {}
    for history in histories:
        for line in history.lines:
            if (value := getattr(line, name)) is not None:
                at.setdefault(line.generation, []).append(value)
    return sorted(at), [float(np.median(at[generation])) for generation in sorted(at)]


def _ancestry(figure: Figure, histories: Sequence[History]) -> None:
    """Draw a small stack of shares for each island, founders in the same colours everywhere."""
    founders = _largest(
        {name: share / len(history.lines) for name, share in (line.ancestry or {}).items()}
        for history in histories
        for line in history.lines
    )
    columns = min(len(histories), 4)
    rows = -(-len(histories) // columns)
    figure.set_size_inches(COLUMN_INCHES, 0.55 + 0.62 * rows)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).reshape(-1)
    generations = [line.generation for history in histories for line in history.lines]
    first, last = min(generations), max(generations)
    has_others = False
    for place, history in zip(axes, histories, strict=False):
        x, shares = _shares(history, founders)
        stacks = place.stackplot(x, shares, colors=[*COLOURS[: len(founders)], OTHERS], linewidth=0)
        has_others |= bool(shares[-1].max() > ROUNDING)
        place.set_title(short(history.island), fontsize=6, pad=2)
        place.set(ylim=(0, 1), yticks=[0, 1], xlim=(first, max(last, first + 1)))
        place.tick_params(labelsize=6)
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    for place in axes[len(histories) :]:
        place.set_visible(False)
    figure.supxlabel("generation", fontsize=8)
    figure.supylabel("share of genes", fontsize=8)
    names = [*map(short, founders), *(["others"] if has_others else [])]
    figure.legend(stacks[: len(names)], names, loc="outside upper center", ncols=4, frameon=False, title="founders of")


def _shares(history: History, founders: Sequence[str]) -> tuple[list[int], Floats]:
    """Return generations [G], and the shares of the founders and of all others, [F + 1, G]."""
    x = [line.generation for line in history.lines]
    lines = [line.ancestry or {} for line in history.lines]
    named = np.array([[line.get(name, 0.0) for line in lines] for name in founders], dtype=np.float32)
    whole = np.array([sum(line.values()) for line in lines], dtype=np.float32)
    return x, np.concatenate([named, (whole - named.sum(axis=0)).clip(0)[None]])


def _migration(figure: Figure, shared: SharedPaths) -> None:
    """Draw who gave how many genomes to whom, as a matrix."""
    flow = read_flow(shared)
    givers, takers = list(flow.givers), list(flow.islands)
    counts = np.zeros((len(givers), len(takers)))
    for passage in flow.passages:
        counts[givers.index(passage.giver), takers.index(passage.taker)] = passage.genomes
    figure.set_size_inches(COLUMN_INCHES, COLUMN_INCHES)
    axes = figure.subplots()
    if not counts.any():
        axes.set_axis_off()
        text = ONE_ISLAND if len(takers) == 1 else NOTHING_CROSSED
        axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
        return
    image = axes.imshow(counts, cmap="cividis", vmin=0)
    size = 6 if len(givers) <= 24 else 3
    axes.set_xticks(range(len(takers)), map(short, takers), rotation=90, fontsize=size)
    axes.set_yticks(range(len(givers)), map(short, givers), fontsize=size)
    axes.set(xlabel="took", ylabel="gave")
    for (row, column), count in np.ndenumerate(counts) if len(givers) <= 8 else ():
        colour = "black" if count > 0.6 * counts.max() else "white"
        axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, label="genomes", ticks=MaxNLocator(integer=True))
    bar.ax.tick_params(labelsize=6)


def champions(figure: Figure, shared: SharedPaths, names: Sequence[str]) -> None:
    """Draw whose founders each island's champion descends from, the best first, and the best one gene by gene.

    Raises:
        ConfigError: No island has a champion that can be read.
    """
    known, _ = read_all(shared, names)  # an island that has none yet, or whose file is damaged, is left out
    found = sorted(known.values(), key=lambda champion: -champion.fitness)[:MAX_LINES]
    if not found:
        raise ConfigError(f"no island in {shared.root} has a champion, so there is nothing to draw")
    ancestors = _largest(champion.shares for champion in found)
    colours = dict(zip(ancestors, COLOURS, strict=False))
    figure.set_size_inches(COLUMN_INCHES, 1.3 + LINE_INCHES * len(found))
    strip, bars = figure.subplots(2, 1, height_ratios=[1.5, max(len(found), 4)])
    _strip(strip, found[0], colours)
    has_others = False
    for line, champion in enumerate(found):
        left, shares = 0.0, champion.shares
        for name in ancestors:
            share = shares.get(name, 0.0)
            bars.barh(line, share, left=left, height=0.8, color=colours[name])
            left += share
        bars.barh(line, max(0.0, 1.0 - left), left=left, height=0.8, color=OTHERS)
        has_others |= 1.0 - left > ROUNDING
    size = 6 if len(found) <= 24 else 4
    labels = [f"{short(champion.island)}  {champion.fitness:.4g}" for champion in found]
    bars.set_yticks(range(len(found)), labels, fontsize=size)
    bars.set(xlim=(0, 1), ylim=(len(found) - 0.4, -0.6), xlabel="share of the champion's genes")
    keys = [*ancestors, *(["others"] if has_others else [])]
    patches = [strip.bar(0, 0, color=colours.get(key, OTHERS)) for key in keys]
    place: Any = {"loc": "outside upper center", "ncols": 4, "frameon": False}  # matplotlib types every key
    figure.legend(patches, [*map(short, keys)], title="founders of", **place)


def differentiation(figure: Figure, shared: SharedPaths) -> None:
    """Draw F_ST between islands over time: of whole populations, or of emigrants where nothing else was kept.

    Raises:
        ConfigError: No two islands have kept moments, or published, at the same generation.
        PoolMismatchError: There is no pool, or POOL.json is damaged.
    """
    opened = open_pool(shared)
    known = [each for each in snapshot.differentiation(opened) if each.f_st is not None]
    if not known:
        raise ConfigError(
            f"no two islands in {shared.root} have kept their moments or published at the same generation: nothing to "
            f"draw"
        )
    axes = figure.subplots()
    drawn = [of for of in (snapshot.POPULATIONS, snapshot.EMIGRANTS) if any(each.of == of for each in known)]
    for of, colour in zip(drawn, COLOURS, strict=False):
        own = [each for each in known if each.of == of]
        x, y = [each.generation for each in own], np.asarray([each.f_st for each in own], dtype=np.float64)
        axes.plot(x, y, "o-", color=colour, ms=3, label=f"{of} of {max(each.islands for each in own)} islands")
    if snapshot.EMIGRANTS in drawn:
        click.echo(ONLY_EMIGRANTS, err=True)
        _mark_newest(axes, shared, opened.spec)
    axes.set(xlabel="generation", ylabel=f"F_ST between {' or '.join(drawn)}", ylim=(0, 1.02))
    axes.legend(frameon=False)


def _mark_newest(axes: Axes, shared: SharedPaths, spec: GenomeSpec) -> None:
    """Mark F_ST of whole populations as they are now: what a run knows that kept its newest checkpoints alone."""
    snapshots = snapshot.take(shared, lived(shared))
    whole = snapshot.f_st(snapshots, spec)
    if whole is not None:
        newest = max(each.generation for each in snapshots)
        label = f"{snapshot.POPULATIONS}, newest"
        axes.plot([newest], [whole], "s", color=COLOURS[5], ms=5, mfc="none", label=label)


def _largest(lines: Iterable[Mapping[str, float]]) -> list[str]:
    """Return the ancestors that have the largest shares of all lines together, by name."""
    total: Counter[str] = Counter()
    for shares in lines:
        total.update(shares)
    return sorted(sorted(total, key=lambda name: (-total[name], name))[:MAX_FOUNDERS])


def _strip(axes: Axes, best: Champion, colours: dict[str, str]) -> None:
    """Paint each gene of the best champion in the colour of its ancestor."""
    table = np.asarray([to_rgb(colours.get(name, OTHERS)) for name in best.islands])
    axes.imshow(table[best.ancestry][None], aspect="auto", interpolation="nearest")
    axes.set_title(f"the best: {short(best.island)}, {best.fitness:.4g}, gene by gene", fontsize=6, pad=2)
    axes.set_yticks([])
    axes.tick_params(labelsize=6)
