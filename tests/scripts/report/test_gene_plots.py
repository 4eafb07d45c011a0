"""Bars of ancestry are shares of a champion's genes, and the curve of F_ST is what `pool flow` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from atoll.evo.errors import ConfigError, PoolMismatchError
from atoll.evo.paths import SharedPaths
from atoll.migration.observe import snapshot
from atoll.migration.observe.verify import spec_of
from atoll.migration.pool import identity as pool
from atoll.scripts.report import champion as champions
from atoll.scripts.report import gene_plots
from atoll.scripts.report.style import COLOURS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

NAMES = ("reef-a", "reef-b", "reef-c")


def test_each_champion_is_a_bar_of_its_shares_the_best_first(archipelago: Path) -> None:
    shared, figure = SharedPaths(archipelago), Figure()
    gene_plots.champions(figure, shared, NAMES)
    strip, bars = figure.axes
    found = sorted((champions.read(shared.island(name).champion) for name in NAMES), key=lambda each: -each.fitness)
    labels = [label.get_text() for label in bars.get_yticklabels()]
    assert [label.split()[0] for label in labels] == [each.island for each in found]
    for line, each in enumerate(found):
        parts = [patch for patch in bars.patches if abs(patch.get_y() + 0.4 - line) < 0.01]
        drawn = {to_rgb(patch.get_facecolor()): patch.get_width() for patch in parts if patch.get_width() > 0}
        shares = np.bincount(each.ancestry, minlength=len(each.islands)) / each.ancestry.size
        assert sorted(drawn.values()) == pytest.approx(sorted(share for share in shares if share))
        assert sum(drawn.values()) == pytest.approx(1.0)
    [image] = strip.images
    painted = {tuple(colour) for colour in np.asarray(image.get_array())[0]}
    assert len(painted) == len(np.unique(found[0].ancestry))
    assert painted <= {to_rgb(colour) for colour in COLOURS}


def test_the_curve_is_what_was_published_and_the_square_whole_populations(archipelago: Path) -> None:
    shared, figure = SharedPaths(archipelago), Figure()
    gene_plots.differentiation(figure, shared)
    identity = pool.read(shared)
    assert identity is not None
    spec = spec_of(identity.task)
    published = snapshot.differentiation(shared, run_id=identity.run_id, spec=spec)
    emigrants, whole = figure.axes[0].lines
    assert list(emigrants.get_xdata()) == [each.generation for each in published]
    assert list(emigrants.get_ydata()) == [each.f_st for each in published]
    assert list(whole.get_ydata()) == [snapshot.f_st(snapshot.take(shared, NAMES), spec)]


def test_where_there_is_nothing_to_draw_it_is_said(tmp_path: Path, archipelago: Path) -> None:
    with pytest.raises(ConfigError, match=r"no island .* has a champion"):
        gene_plots.champions(Figure(), SharedPaths(archipelago), ("nobody",))
    with pytest.raises(PoolMismatchError, match="no island has used"):
        gene_plots.differentiation(Figure(), SharedPaths(tmp_path))
