"""Figures in one style, each as SVG and PNG, wide enough for a column of text; equal rows give equal files."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from atoll.scripts.report.style import Figure as Drawing
from atoll.scripts.report.style import FixedLocator, NullLocator, mpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Literal

    from matplotlib.axes import Axes

__all__ = ["Drawing", "FixedLocator", "NullLocator"]

WIDTH_IN = 6.4
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#000000", "#999999")
"""Told apart by people who see fewer colours; every plot has a second sign for the same. Source: Okabe & Ito 2008."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
NUMBER = "{x:g}"


def style() -> AbstractContextManager[None]:
    """Return the settings of every drawing: text stays text, and equal rows give equal files."""
    return mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "atoll", "font.size": 9, "axes.titlesize": 9, "legend.fontsize": 8}
    )


def save(drawing: Drawing, stem: Path) -> Path:
    """Write a drawing as SVG and as PNG; return the SVG file."""
    svg = stem.with_name(stem.name + ".svg")
    with style():
        drawing.savefig(svg, metadata={"Date": None})
        drawing.savefig(stem.with_name(stem.name + ".png"), dpi=160)
    return svg


def palette(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return a colour and a marker for each name, in the order in which they come; no two names share both."""
    pairs = ((COLOURS[n % len(COLOURS)], MARKERS[(n + n // len(COLOURS)) % len(MARKERS)]) for n in itertools.count())
    return dict(zip(dict.fromkeys(names), pairs, strict=False))


def three_digits(value: float) -> str:
    """Write a number by the three digits that count, never as a power of ten."""
    return np.format_float_positional(value, precision=3, unique=False, fractional=False, trim="-")


def number_axis(axes: Axes, which: Literal["x", "y"], ticks: Sequence[float]) -> None:
    """Label a logarithmic axis at those of the ticks that lie within it, by plain numbers, with a grid behind."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(NUMBER)
    axes.grid(axis=which, color="#dddddd", lw=0.5)
    axes.set_axisbelow(True)


def legend_below(drawing: Drawing, *, columns: int) -> None:
    """Put one legend beneath all panels."""
    drawing.legend(loc="outside lower center", ncols=columns, frameon=False)
