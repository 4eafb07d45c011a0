"""Figures of genes themselves: whose the champions have, and how far apart the islands are over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.errors import AtollError, ConfigError
from atoll.migration.observe import snapshot
from atoll.migration.pool import islands
from atoll.migration.pool.access import open_pool
from atoll.scripts.report.champion import Champion, read
from atoll.scripts.report.paper import COLOURS, COLUMN_INCHES, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from atoll.evo.paths import SharedPaths

OTHERS = "0.8"
MAX_ANCESTORS = len(COLOURS)
MAX_LINES = 40
"""Of the champions, the best; more would not be read."""
LINE_INCHES = 0.13
ROUNDING = 1e-6


def champions(figure: Figure, shared: SharedPaths, names: Sequence[str]) -> None:
    """Draw whose founders each island's champion descends from, the best first, and the best one gene by gene.

    Raises:
        ConfigError: No island has a champion that can be read.
    """
    found = sorted(_champions(shared, names), key=lambda champion: -champion.fitness)[:MAX_LINES]
    if not found:
        raise ConfigError(f"no island in {shared.root} has a champion, so there is nothing to draw")
    ancestors = _ancestors(found)
    colours = dict(zip(ancestors, COLOURS, strict=False))
    figure.set_size_inches(COLUMN_INCHES, 1.3 + LINE_INCHES * len(found))
    strip, bars = figure.subplots(2, 1, height_ratios=[1.5, max(len(found), 4)])
    _strip(strip, found[0], colours)
    for line, champion in enumerate(found):
        left = 0.0
        for name in (*ancestors, None):
            share = _share(champion, name, ancestors)
            bars.barh(line, share, left=left, height=0.8, color=colours.get(name or "", OTHERS))
            left += share
    size = 6 if len(found) <= 24 else 4
    labels = [f"{short(champion.island)}  {champion.fitness:.4g}" for champion in found]
    bars.set_yticks(range(len(found)), labels, fontsize=size)
    bars.set(xlim=(0, 1), ylim=(len(found) - 0.4, -0.6), xlabel="share of the champion's genes")
    has_others = any(_share(champion, None, ancestors) > ROUNDING for champion in found)
    keys = [*ancestors, *(["others"] if has_others else [])]
    patches = [strip.bar(0, 0, color=colours.get(key, OTHERS)) for key in keys]
    place: Any = {"loc": "outside upper center", "ncols": 4, "frameon": False}  # matplotlib types every key
    figure.legend(patches, [*map(short, keys)], title="founders of", **place)


def differentiation(figure: Figure, shared: SharedPaths) -> None:
    """Draw F_ST between islands over time, of those who emigrated, and of whole populations as they are now.

    Raises:
        ConfigError: No two islands have published at the same generation.
        PoolMismatchError: There is no pool, or POOL.json is damaged.
    """
    pool = open_pool(shared)
    published = snapshot.differentiation(pool)
    known = [(each.generation, each.f_st) for each in published if each.f_st is not None]
    if not known:
        raise ConfigError(f"no two islands in {shared.root} have published at the same generation: nothing to draw")
    axes = figure.subplots()
    most = max(each.islands for each in published)
    axes.plot(*zip(*known, strict=True), "o-", color=COLOURS[0], ms=3, label=f"emigrants of {most} islands")
    snapshots = snapshot.take(shared, islands.lived(shared))
    whole = snapshot.f_st(snapshots, pool.spec)
    if whole is not None:
        newest = max(each.generation for each in snapshots)
        axes.plot([newest], [whole], "s", color=COLOURS[5], ms=5, mfc="none", label="whole populations")
    axes.set(xlabel="generation", ylabel="F_ST between islands", ylim=(0, 1.02))
    axes.legend(frameon=False)


def _champions(shared: SharedPaths, names: Sequence[str]) -> list[Champion]:
    found = []
    for name in names:
        try:
            found.append(read(shared.island(name).champion))
        except AtollError:
            continue  # an island that has none yet, or whose file is damaged, is left out
    return found


def _ancestors(found: Sequence[Champion]) -> list[str]:
    """Return those of whom the champions have most genes together, by name."""
    total: dict[str, float] = {}
    for champion in found:
        for name in champion.islands:
            total[name] = total.get(name, 0.0) + _share_of(champion, name)
    most = sorted((name for name in total if total[name]), key=lambda name: (-total[name], name))
    return sorted(most[:MAX_ANCESTORS])


def _share(champion: Champion, name: str | None, ancestors: Sequence[str]) -> float:
    if name is not None:
        return _share_of(champion, name)
    return max(0.0, 1.0 - sum(_share_of(champion, each) for each in ancestors))


def _share_of(champion: Champion, name: str) -> float:
    if name not in champion.islands:
        return 0.0
    return float(np.mean(champion.ancestry == champion.islands.index(name)))


def _strip(axes: Axes, best: Champion, colours: dict[str, str]) -> None:
    """Paint each gene of the best champion in the colour of its ancestor."""
    from atoll.scripts.report.agg import to_rgb  # noqa: PLC0415

    table = np.asarray([to_rgb(colours.get(name, OTHERS)) for name in best.islands])
    axes.imshow(table[best.ancestry][None], aspect="auto", interpolation="nearest")
    axes.set_title(f"the best: {short(best.island)}, {best.fitness:.4g}, gene by gene", fontsize=6, pad=2)
    axes.set_yticks([])
    axes.tick_params(labelsize=6)
