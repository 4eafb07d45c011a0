"""Islands of each algorithm beside one population of it, for as many evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.config import GA
from atoll.scripts.lab.islands.algorithms import plan
from atoll.scripts.lab.islands.equal_budgets.findings import Times, compare, running_time
from atoll.scripts.lab.kit.markdown import number, table
from atoll.scripts.lab.kit.stats import holm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from atoll.evo.runlog import Record
    from atoll.scripts.lab.islands.algorithms.plan import Problem

    Found = Mapping[str, Sequence[Record]]

DECIDED_AT = 0.05
KINDS = {"": "5 migrants", f", {plan.ONE_MIGRANT}": "1 migrant", ", isolated": "isolated"}
"""How the name of islands of an algorithm ends, and what that says."""


@dataclass(frozen=True)
class Result:
    """What the runs of a contender found.

    Attributes:
        text: It, as the table has it.
        value: The same as a number.
        of_each: Of each run what a rank test is told, more is better.
    """

    text: str
    value: float
    of_each: Sequence[float]


def splitting(results: Sequence[tuple[Problem, Found]]) -> str:
    """Return what one population and islands of each algorithm find, and where these differ from the first."""
    lines = [line for problem, of in results for line in _lines(problem, of)]
    chances = {
        (place, kind): compare(split.of_each, one.of_each).p
        for place, (_, _, one, splits) in enumerate(lines)
        for kind, split in splits.items()
    }
    p = holm(chances)
    return table(
        ("problem", "algorithm", "one population", *(f"{plan.ISLANDS} islands, {kind}" for kind in KINDS.values())),
        [
            (
                problem,
                name,
                one.text,
                *(_judged(splits[kind], one, p[place, kind]) if kind in splits else "" for kind in KINDS),
            )
            for place, (problem, name, one, splits) in enumerate(lines)
        ],
    )


def _lines(problem: Problem, found: Found) -> Iterator[tuple[str, str, Result, dict[str, Result]]]:
    marks = [mark for mark in problem.marks if mark <= problem.short] if problem.is_walk else [problem.marks[-1]]
    for mark in marks:
        label = f"{problem.name}, {number(float(mark))}" if problem.is_walk else problem.name
        for name in (GA, *plan.OTHERS):
            split = {kind: found.get(f"{plan.ISLANDS} x {name}{kind}") for kind in KINDS}
            splits = {kind: _result(problem, mark, rows) for kind, rows in split.items() if rows}
            if name in found and splits:
                yield label, name, _result(problem, mark, found[name]), splits


def _result(problem: Problem, mark: int, rows: Sequence[Record]) -> Result:
    if problem.is_walk:
        unseen = [row["at"][str(mark)]["unseen_fitness"] for row in rows if str(mark) in row["at"]]
        return Result(number(float(np.median(unseen))), float(np.median(unseen)), unseen)
    times = Times.of(rows, plan.TARGETS[problem.name])
    expected = float(running_time(times.to_target, times.spent))
    text = f"{times.n_reached}/{len(times)}, {number(expected) if np.isfinite(expected) else '∞'}"
    return Result(text, -expected, [-each for each in times.to_target])


def _judged(split: Result, one: Result, p: float) -> str:
    if p > DECIDED_AT:
        return split.text
    return f"{split.text} **{'better' if split.value > one.value else 'worse'}**"
