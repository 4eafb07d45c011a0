"""Randomised rounds: each measures every case once, in a new order, so that a noisy minute hits all alike.

What is compared was measured in the same round; what is summarised are ratios within a round.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
        measure: Does it once and returns what it found, one or more rows.
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
