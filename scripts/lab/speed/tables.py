"""Figures as Markdown: a median, its spread, how many it rests on, and what it is held against."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADINGS = ("what", "median", "min to max", "n", "target", "held")


@dataclass(frozen=True)
class Figure:
    """One line of a table.

    Attributes:
        what: What was measured, with its unit.
        values: One for each round.
        at_least: What the median should reach, if anything.
        at_most: What it should not exceed, if anything.
    """

    what: str
    values: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def is_held(self) -> bool:
        """Whether the median keeps to its bounds."""
        return (self.at_least is None or self.median >= self.at_least) and (
            self.at_most is None or self.median <= self.at_most
        )

    def cells(self) -> tuple[str, ...]:
        """Return the line, cell by cell."""
        spread = f"{_short(min(self.values))} to {_short(max(self.values))}"
        bounds = [f"≥ {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"≤ {self.at_most:g}"] if self.at_most is not None else []
        held = ("yes" if self.is_held else "no") if bounds else ""
        return (self.what, _short(self.median), spread, str(len(self.values)), ", ".join(bounds), held)


@dataclass(frozen=True)
class Table:
    """Figures under a title; those without any value are left out."""

    title: str
    figures: Sequence[Figure]

    def markdown(self) -> str:
        """Return the table as text that is readable as it is; nothing if it has no figures."""
        lines = [HEADINGS, *(figure.cells() for figure in self.figures if figure.values)]
        if len(lines) == 1:
            return ""
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rule = "| " + " | ".join("-" * width for width in widths) + " |"
        texts = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        return "\n".join([f"**{self.title}**", "", texts[0], rule, *texts[1:]])


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
