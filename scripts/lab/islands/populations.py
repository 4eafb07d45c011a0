"""A figure of whole populations over time: how far apart the islands are, and how many ancestors their genes have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.errors import ConfigError
from atoll.scripts.report.style import COLOURS, COLUMN_INCHES, DASHES, check_format, write_figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from atoll.evo.runlog import Record


def write_populations(rows: Sequence[Record], out: Path) -> None:
    """Draw the rows of `atoll.scripts.lab.islands.relive`, a curve for each run.

    Raises:
        ConfigError: The file's suffix names no format, or there are no rows.
        StorageError: The figure cannot be written.
    """
    check_format(out)
    if not rows:
        raise ConfigError("there are no rows to draw; 'python -m scripts.lab relive run DIR' makes them")
    write_figure(lambda figure: _paint(figure, rows), out)


def _paint(figure: Figure, rows: Sequence[Record]) -> None:
    figure.set_size_inches(COLUMN_INCHES, 1.15 * COLUMN_INCHES)
    above, below = figure.subplots(2, 1, sharex=True)
    for i, run in enumerate(dict.fromkeys(row["run"] for row in rows)):
        own = sorted((row for row in rows if row["run"] == run), key=lambda row: row["generation"])
        style: Any = {"color": COLOURS[i % len(COLOURS)], "ls": DASHES[i // len(COLOURS) % len(DASHES)], "label": run}
        x = [row["generation"] for row in own]
        above.plot(x, [np.nan if row["f_st"] is None else row["f_st"] for row in own], marker="o", ms=2.5, **style)
        below.plot(x, [row["origins"] for row in own], marker="o", ms=2.5, **style)
    above.set(ylabel="F_ST, whole populations", ylim=(0, 1.02))
    below.set(xlabel="generation", ylabel="effective ancestors", ylim=(0, None))
    below.axhline(1.0, color="0.7", lw=0.5, zorder=0)
    above.legend(frameon=False)
