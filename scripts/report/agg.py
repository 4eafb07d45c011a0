"""The one import of Matplotlib: figures are files, whatever backend or style a notebook or a user's file asks for."""

from __future__ import annotations

import os

os.environ.pop("MPLBACKEND", None)  # with a backend that it does not know, Matplotlib refuses to be imported

import matplotlib as mpl
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

mpl.rcdefaults()  # equal logs give equal files, also beside a matplotlibrc

__all__ = ["Circle", "Figure", "FixedLocator", "MaxNLocator", "NullLocator", "mpl", "to_rgb"]
