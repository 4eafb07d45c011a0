"""Style of figures for papers, and the one import of Matplotlib: one column, in colours that everybody tells apart.

Figures are files, equal for equal data, whatever backend or style a notebook or a user's file asks for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

os.environ.pop("MPLBACKEND", None)  # with a backend that it does not know, Matplotlib refuses to be imported

import matplotlib as mpl
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from atoll.evo import atomic
from atoll.evo.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

mpl.rcdefaults()  # equal logs give equal files, also beside a matplotlibrc

__all__ = ["Circle", "Figure", "FixedLocator", "MaxNLocator", "NullLocator", "mpl", "to_rgb"]

COLUMN_INCHES = 3.5
FORMATS = (".png", ".svg")
DOTS_PER_INCH = 300
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a89a00", "#8c6d46")
"""Colours that people tell apart who see fewer of them; the yellow is darkened for white paper. Source: Okabe & Ito
2008."""
DASHES = ("-", "--", ":", "-.")
"""For the next round of colours: hue alone does not tell more than eight islands apart."""
MAX_NAME = 16
STYLE: Any = {  # matplotlib names every key in its type
    "font.size": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "atoll",  # and equal logs give equal files
    "text.parse_math": False,  # a name with two dollar signs is a name
}


def check_format(out: Path) -> None:
    """Make sure that a figure can be written to a file of this name.

    Raises:
        ConfigError: Its suffix names no format.
    """
    if out.suffix not in FORMATS:
        raise ConfigError(f"a plot is written as one of {', '.join(FORMATS)}, got {str(out)!r}")


def write_figure(paint: Callable[[Figure], None], out: Path) -> None:
    """Paint a figure of one column and write it.

    Raises:
        StorageError: It cannot be written.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN_INCHES, 0.75 * COLUMN_INCHES), layout="constrained")
        paint(figure)
        with atomic.storage_errors("write the plot"):
            figure.savefig(out, dpi=DOTS_PER_INCH, metadata={"Date": None} if out.suffix == ".svg" else None)


def short(name: str) -> str:
    """Return a name that a figure has space for."""
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"
