"""Randomised rounds, in which each case is measured once in a new order, and the figures derived from them.

A noisy minute hits all cases alike. What is compared was measured in the same round; what is summarised are ratios
within a round: a median, its spread, how many it rests on, and what it is held against.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atoll.scripts.lab.kit import markdown
from atoll.scripts.lab.kit.rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


Key = tuple[Any, ...]
Round = dict[Key, Row]
"""The rows of one round by what was measured."""


@dataclass(frozen=True)
class Case:
    """Something to measure.

    Attributes:
        rounds: Only the first so many rounds measure it, and none before them to warm up; None: all.
    """

    measure: Callable[[], Iterable[Row]]
    rounds: int | None = None


def measure(cases: Sequence[Case], *, rounds: int, write: Callable[[Row], None]) -> None:
    """Measure all cases in each of `rounds` rounds, after one that is not written."""
    for repetition in range(-1, rounds):
        due = [case for case in cases if case.rounds is None or 0 <= repetition < case.rounds]
        for case in random.Random(repetition).sample(due, len(due)):  # noqa: S311 - an order, no secret
            for row in case.measure():
                if repetition >= 0:
                    write({**row, "repetition": repetition})


def by_round(rows: Iterable[Row], *names: str) -> list[Round]:
    """Sort the rows of one run into rounds, those of a round by the fields called `names`."""
    rounds: dict[int, Round] = {}
    for row in rows:
        rounds.setdefault(row["repetition"], {})[tuple(row.get(name) for name in names)] = row
    return [rounds[repetition] for repetition in sorted(rounds)]


def values(rounds: Iterable[Round], key: Key, of: Callable[[Row], float]) -> list[float]:
    """Return a number for each round that measured `key`."""
    return [of(each[key]) for each in rounds if key in each]


def ratios(rounds: Iterable[Round], over: Key, under: Key, of: Callable[[Row], float]) -> list[float]:
    """Return the ratio of two cases for each round that measured both."""
    return [of(each[over]) / of(each[under]) for each in rounds if over in each and under in each]


HEADINGS = ("what", "median", "min to max", "n", "target", "held")


@dataclass(frozen=True)
class Figure:
    """One line of a table."""

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
        return markdown.under(
            self.title, markdown.table(HEADINGS, [figure.cells() for figure in self.figures if figure.values])
        )


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
