"""Figures for papers: equal files for equal logs, and a line where there is nothing to draw."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from atoll.evo.errors import ConfigError, PoolMismatchError
from atoll.evo.paths import SharedPaths
from atoll.migration.observe import snapshot
from atoll.migration.observe.history import read_histories
from atoll.migration.pool.access import open_pool
from atoll.scripts.commands.inspect import PLOTS
from atoll.scripts.report import champion as champions
from atoll.scripts.report import plots, style
from atoll.scripts.report.style import COLOURS
from tests.processes import atoll, called
from tests.scripts.run.island_process import Job, perform

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("what", PLOTS)
def test_each_figure_is_drawn_one_column_wide(what, archipelago, tmp_path):
    out = tmp_path / f"{what}.png"
    told = called("plot", what, archipelago, "-o", out)
    assert told.stdout == f"{out}: {what}, 3 islands\n"
    with Image.open(out) as image:
        assert image.width == round(style.COLUMN_INCHES * style.DOTS_PER_INCH)
        assert len(np.unique(np.asarray(image.convert("L")))) > 20


@pytest.mark.parametrize("what", PLOTS)
def test_equal_logs_give_equal_files_with_text_in_them(what, archipelago, tmp_path):
    for name in ("one.svg", "two.svg"):
        plots.write_plot(what, SharedPaths(archipelago), tmp_path / name)
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own file
    assert ("whole populations of 3 islands" if what == "differentiation" else "reef-a") in text


def test_islands_that_ended_early_share_the_others_axis(archipelago):
    histories = [history for history in read_histories(SharedPaths(archipelago)) if history.lines]
    histories[-1] = replace(histories[-1], lines=histories[-1].lines[:5])
    figure = Figure(layout="constrained")
    plots._ancestry(figure, histories)
    last = max(len(history.lines) for history in histories) - 1
    assert {axes.get_xlim() for axes in figure.axes if axes.get_visible()} == {(0, last)}


def test_a_format_that_is_none_and_a_place_without_islands_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.png, \.svg"):
        plots.write_plot("fitness", SharedPaths(tmp_path), tmp_path / "x.gif")
    with pytest.raises(ConfigError, match="nothing to draw"):
        plots.write_plot("fitness", SharedPaths(tmp_path), tmp_path / "x.png")


@pytest.mark.parametrize(
    ("islands", "told"),
    [("a", "one island has nobody to exchange genomes with"), ("ab", "no genome has gone from one island to another")],
)
def test_where_nothing_crossed_the_figure_of_migration_says_so_instead_of_drawing_an_empty_scale(
    islands, told, tmp_path
):
    for name in islands:
        assert perform(Job(tmp_path / "s", name, {"topology": "none", "generations": 2})) == 0
    plots.write_plot("migration", SharedPaths(tmp_path / "s"), tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text()
    assert told in text
    assert "took" not in text


def test_one_island_s_ancestry_names_no_others_and_generations_are_whole(tmp_path):
    assert perform(Job(tmp_path / "s", "a", {"topology": "none", "generations": 4})) == 0
    for what in ("ancestry", "fitness"):
        plots.write_plot(what, SharedPaths(tmp_path / "s"), tmp_path / "x.svg")
        text = (tmp_path / "x.svg").read_text()
        assert "others" not in text
        assert ">0.5<" not in text


def test_a_single_generation_is_a_dot(archipelago):
    histories = [history for history in read_histories(SharedPaths(archipelago)) if history.lines]
    one = replace(histories[0], lines=histories[0].lines[:1])
    figure = Figure()
    plots._curves(figure, [one], "best", "best")
    [line] = figure.axes[0].lines
    assert line.get_marker() == "o"


@pytest.mark.parametrize(
    "environment",
    [
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"MPLBACKEND": "nonsense"},
        {"MPLBACKEND": "WebAgg"},
        {"MATPLOTLIBRC": "{rc}"},
    ],
    ids=str,
)
def test_a_figure_is_the_same_whatever_a_notebook_or_a_style_asks_for(environment, archipelago, tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nlines.linewidth: 9\n")
    changed = {name: value.format(rc=tmp_path) for name, value in environment.items()}
    for name, variables in (("usual.svg", {}), ("other.svg", changed)):
        ended = atoll("plot", "fitness", archipelago, "-o", tmp_path / name, **variables)
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "usual.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()


NAMES = ("reef-a", "reef-b", "reef-c")


def test_each_champion_is_a_bar_of_its_shares_the_best_first(archipelago: Path) -> None:
    shared, figure = SharedPaths(archipelago), Figure()
    plots.champions(figure, shared, NAMES)
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


def test_the_curve_is_of_whole_populations_and_the_axis_says_so(archipelago: Path) -> None:
    shared, figure = SharedPaths(archipelago), Figure()
    plots.differentiation(figure, shared)
    found = snapshot.differentiation(open_pool(shared))
    [whole] = figure.axes[0].lines
    assert list(whole.get_xdata()) == [each.generation for each in found]
    assert list(whole.get_ydata()) == [each.f_st for each in found]
    assert figure.axes[0].get_ylabel() == "F_ST between whole populations"


def test_of_a_run_that_kept_only_emigrants_they_are_drawn_and_so_labelled(copy: Path, capsys) -> None:
    """With whole populations as they are now, which is all that is known of them."""
    shared, figure = SharedPaths(copy), Figure()
    for name in NAMES:
        shutil.rmtree(shared.island(name).all_moments)
    plots.differentiation(figure, shared)
    opened = open_pool(shared)
    published = snapshot.differentiation(opened)
    emigrants, whole = figure.axes[0].lines
    assert list(emigrants.get_ydata()) == [each.f_st for each in published]
    assert list(whole.get_ydata()) == [snapshot.f_st(snapshot.take(shared, NAMES), opened.spec)]
    assert emigrants.get_label() == "emigrants of 3 islands"
    assert figure.axes[0].get_ylabel() == "F_ST between emigrants"
    [note] = capsys.readouterr().err.splitlines()
    assert note.startswith("note: where islands have kept only their emigrants")


def test_where_there_is_nothing_to_draw_it_is_said(tmp_path: Path, archipelago: Path) -> None:
    with pytest.raises(ConfigError, match=r"no island .* has a champion"):
        plots.champions(Figure(), SharedPaths(archipelago), ("nobody",))
    with pytest.raises(PoolMismatchError, match="no island has used"):
        plots.differentiation(Figure(), SharedPaths(tmp_path))
