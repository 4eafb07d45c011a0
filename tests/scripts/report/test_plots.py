"""Figures for papers are files of one column, the same for the same logs, and say what is missing."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from atoll.evo.errors import ConfigError
from atoll.evo.paths import SharedPaths
from atoll.scripts.commands.inspect import PLOTS
from atoll.scripts.report import paper, plots
from atoll.scripts.report.history import read_history
from tests.processes import atoll
from tests.scripts.run.island_process import Job, perform

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("what", PLOTS)
def test_each_figure_is_drawn_one_column_wide(what, archipelago, tmp_path, capsys):
    out = tmp_path / f"{what}.png"
    assert plots.write_plot(what, SharedPaths(archipelago), out, is_json=False) == 0
    with Image.open(out) as image:
        assert image.width == round(paper.COLUMN_INCHES * paper.DOTS_PER_INCH)
        assert len(np.unique(np.asarray(image.convert("L")))) > 20
    assert "3 islands" in capsys.readouterr().out


@pytest.mark.parametrize("what", PLOTS)
def test_equal_logs_give_equal_files_with_text_in_them(what, archipelago, tmp_path):
    for name in ("one.svg", "two.svg"):
        plots.write_plot(what, SharedPaths(archipelago), tmp_path / name, is_json=True)
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own file
    assert ("emigrants of 3 islands" if what == "differentiation" else "reef-a") in text


def test_islands_that_ended_early_share_the_others_axis(archipelago):
    histories = [history for history in read_history(SharedPaths(archipelago)) if history.lines]
    histories[-1] = replace(histories[-1], lines=histories[-1].lines[:5])
    figure = Figure(layout="constrained")
    plots._ancestry(figure, histories)
    last = max(len(history.lines) for history in histories) - 1
    assert {axes.get_xlim() for axes in figure.axes if axes.get_visible()} == {(0, last)}


def test_a_format_that_is_none_and_a_place_without_islands_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.png, \.svg"):
        plots.write_plot("fitness", SharedPaths(tmp_path), tmp_path / "x.gif", is_json=False)
    with pytest.raises(ConfigError, match="nothing to draw"):
        plots.write_plot("fitness", SharedPaths(tmp_path), tmp_path / "x.png", is_json=False)


@pytest.mark.parametrize(
    ("islands", "told"),
    [("a", "one island has nobody to exchange genomes with"), ("ab", "no genome has gone from one island to another")],
)
def test_where_nothing_crossed_the_figure_of_migration_says_so_instead_of_drawing_an_empty_scale(
    islands, told, tmp_path
):
    for name in islands:
        assert perform(Job(tmp_path / "s", name, {"topology": "none", "generations": 2})) == 0
    plots.write_plot("migration", SharedPaths(tmp_path / "s"), tmp_path / "x.svg", is_json=True)
    text = (tmp_path / "x.svg").read_text()
    assert told in text
    assert "took" not in text


def test_one_island_s_ancestry_names_no_others_and_generations_are_whole(tmp_path):
    assert perform(Job(tmp_path / "s", "a", {"topology": "none", "generations": 4})) == 0
    for what in ("ancestry", "fitness"):
        plots.write_plot(what, SharedPaths(tmp_path / "s"), tmp_path / "x.svg", is_json=True)
        text = (tmp_path / "x.svg").read_text()
        assert "others" not in text
        assert ">0.5<" not in text


def test_a_single_generation_is_a_dot(archipelago):
    histories = [history for history in read_history(SharedPaths(archipelago)) if history.lines]
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
