"""The tables on what was simulated; each says so. The check against measurements is the one place where both meet."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from atoll.scripts.lab.kit.markdown import number, table, under, whole
from atoll.scripts.lab.parallel.simulate import failure, scaling
from atoll.scripts.lab.parallel.simulate.inputs import CORES
from atoll.scripts.lab.parallel.simulate.results import SMALL_SWING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.scripts.lab.parallel.simulate.inputs import Inputs, Quantity
    from atoll.scripts.lab.parallel.simulate.results import Results
    from atoll.scripts.lab.parallel.simulate.scaling import Swing
    from atoll.scripts.lab.parallel.simulate.validation import Check


def blocks(results: Results) -> dict[str, str]:
    """Return every block of text by its name."""
    return {
        "simulated-inputs": _inputs(results.inputs),
        "simulated-validation": "\n\n".join(
            filter(None, (_validation(checks, where) for where, checks in results.checks.items()))
        ),
        "simulated-failure": _failure(results),
        "simulated-scaling": _scaling(results),
        "simulated-islands": _islands(results),
        "simulated-sensitivity": _sensitivity(results),
    }


def _inputs(inputs: Inputs) -> str:
    rows = [
        (each.meaning, _with_unit(each.value, each), f"{number(each.low)} to {number(each.high)}", each.source)
        for _, each in inputs.items()
    ]
    return under("Inputs of the simulation", table(("input", "value", "swept from, to", "source"), rows))


def _validation(checks: Sequence[Check], where: str) -> str:
    headings = ("arm", "P", "fitted", "measured W (s)", "simulated W (s)", "difference, median", "largest", "blocks")
    rows = [
        (
            each.setting.label,
            str(each.setting.workers),
            "U and I, on other blocks" if each.is_fitted else "nothing",
            number(each.measured_s),
            number(each.simulated_s),
            f"{100 * statistics.median(each.differences):+.1f} %",
            f"{100 * max(each.differences, key=abs):+.1f} %",
            str(len(each.differences)),
        )
        for each in checks
    ]
    return under(f"Simulated, held against measurements ({where})", table(headings, rows))


def _failure(results: Results) -> str:
    rows = [
        (
            each.fact.what,
            f"{each.fact.finished} of {each.fact.n_trials}",
            _count(each.lock_alone),
            _count(each.as_measured),
            _count(each.fitted),
        )
        for each in results.reproduced
    ]
    headings = (
        "published run",
        "finished, published",
        "one lock and nothing else",
        "as on two cores",
        "fitted to 8 hours",
    )
    note = (
        f"Counts are medians and the middle 95 % of {results.draws} draws of trial times. The last column is fitted to "
        f"the second row, which it therefore must match, by a joint speedup of {results.fitted_speedup:.2f}; the first "
        "row tests it."
    )
    return under("Simulated: the published failure", table(headings, rows), note)


def _scaling(results: Results) -> str:
    slowdowns = list(results.points)
    rows = []
    for several in zip(*results.points.values(), strict=True):
        first, last = several[0], several[-1]
        hours = f"{number(first.hours.median)} to {number(last.hours.median)}"
        speedups = (_range(each.speedup) for each in several)
        rows.append((first.arm, str(first.workers), *speedups, hours))
    headings = ("way", "P", *(f"speedup, slowdown {slowdown:g}" for slowdown in slowdowns), "hours")
    n = whole(results.inputs.n_trials.value)
    note = (
        "Slowdown is how many times longer a trial takes when all cores are busy than alone; hours are those of the "
        f"smallest and of the largest slowdown. Ranges hold the middle 95 % of {results.draws} draws."
    )
    return under(f"Simulated: a study of {n} trials on {CORES} cores", table(headings, rows), note)


def _islands(results: Results) -> str:
    spreads = list(dict.fromkeys(cv for cv, _ in results.islands))
    rows = [
        (str(workers), f"{cv:g}", *(f"{results.islands[cv, barrier][place]:.2f}" for barrier in (True, False)))
        for cv in spreads
        for place, workers in enumerate(scaling.WORKERS)
    ]
    headings = ("islands", "spread of an epoch's time", "barrier at each migration", "no barrier")
    title = f"Simulated: share of the time in which islands work, {scaling.EPOCHS} epochs each"
    return under(title, table(headings, rows))


def _sensitivity(results: Results) -> str:
    parts = []
    for (arm, workers), swings in results.swings.items():
        rows = [_swing_cells(each, results.inputs) for each in swings]
        first = " and ".join(getattr(results.inputs, each.name).meaning for each in swings[:2]) or "no input"
        title = f"Simulated: {arm}, P = {workers}; most sensitive to: {first}"
        parts.append(under(title, table(("input", "from, to", "speedup, from, to", "factor"), rows)))
    note = (
        f"Inputs that change the speedup from launch to end by less than {100 * (SMALL_SWING - 1):.0f} % are left out."
    )
    return "\n\n".join([*filter(None, parts), note])


def _swing_cells(each: Swing, inputs: Inputs) -> tuple[str, ...]:
    quantity: Quantity = getattr(inputs, each.name)
    return (
        quantity.meaning,
        f"{number(quantity.low)} to {_with_unit(quantity.high, quantity)}",
        f"{number(each.at_low)} to {number(each.at_high)}",
        number(each.width),
    )


def _with_unit(value: float, each: Quantity) -> str:
    return f"{number(value)} {each.unit}".strip()


def _range(each: scaling.Range) -> str:
    return f"{number(each.median)} ({number(each.low)} to {number(each.high)})"


def _count(each: failure.Count | None) -> str:
    return f"{each.median:.0f} ({each.low:.0f} to {each.high:.0f})" if each else "-"
