"""Everything that is simulated, computed once, for tables and plots alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.simulate import failure, scaling, validation
from atoll.scripts.lab.parallel.simulate.chance import DRAWS, Chance
from atoll.scripts.lab.parallel.simulate.inputs import ARMS, BREAKING, PROCESSES, SPINNING, THREADS, Inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.scripts.lab.parallel.report.study import Session
    from atoll.scripts.lab.parallel.simulate.failure import Count, Fact
    from atoll.scripts.lab.parallel.simulate.inputs import Quantity
    from atoll.scripts.lab.parallel.simulate.scaling import Point, Swing
    from atoll.scripts.lab.parallel.simulate.validation import Check

SEED = 20261123
SLOWDOWNS = (1.0, 1.5, 2.0)
"""What memory bandwidth and shared cores cost past two cores nobody has measured here; 2 stands for 64 real cores."""
SPREADS = (0.1, 0.3, 0.6)
SWEPT = ((PROCESSES, 64), (PROCESSES, 128), (BREAKING, 128), (THREADS, 5), (SPINNING, 5))
SMALL_SWING = 1.02


@dataclass(frozen=True)
class Reproduced:
    """A published fact and how many trials had ended in the simulation.

    Attributes:
        fact: As published.
        as_measured: With what was measured on two cores.
        lock_alone: With nothing but one interpreter lock; None where there are no threads.
        fitted: With the speedup that is fitted to the eight hours; None where there are no threads.
    """

    fact: Fact
    as_measured: Count
    lock_alone: Count | None
    fitted: Count | None


@dataclass(frozen=True)
class Results:
    """What came out.

    Attributes:
        inputs: What it rests on.
        draws: How often trial times were drawn for each case.
        checks: Held against measurements, for each workload that was measured, by its name.
        reproduced: The published failure.
        fitted_speedup: Joint speedup of threads that finish as many trials in eight hours as was published.
        points: Speedup and time of a study, by slowdown.
        islands: Share of time at work by (spread, barrier), for each number of workers.
        swings: What hangs on which input, by way and number of workers; small ones are left out.
    """

    inputs: Inputs
    draws: int
    checks: dict[str, list[Check]]
    reproduced: list[Reproduced]
    fitted_speedup: float
    points: dict[float, list[Point]]
    islands: dict[tuple[float, bool], list[float]]
    swings: dict[tuple[str, int], list[Swing]]


def compute(
    sessions: Sequence[Session],
    *,
    seed: int = SEED,
    draws: int = DRAWS,
    tell: Callable[[str], object] = lambda _: None,
) -> Results:
    """Simulate everything.

    Args:
        sessions: What was measured; without any, the inputs are those of earlier explorations and nothing is validated.
        seed: Of all draws.
        draws: How often trial times are drawn for each case.
        tell: Is told what is simulated next.
    """
    inputs = inputs_of(sessions)
    chance = Chance(seed, draws)
    tell("the published failure")
    reproduced, fitted_speedup = _reproduce(inputs, chance)
    tell(f"{', '.join(map(str, scaling.WORKERS))} workers")
    points = {slowdown: _study(inputs.with_value("slowdown", slowdown), chance) for slowdown in SLOWDOWNS}
    islands = {
        (cv, barrier): [scaling.island_efficiency(each, cv, chance, barrier=barrier) for each in scaling.WORKERS]
        for cv in SPREADS
        for barrier in (True, False)
    }
    tell("what it is most sensitive to")
    swings = {(arm, workers): _swings(arm, workers, inputs, chance) for arm, workers in SWEPT}
    return Results(inputs, draws, _checks(sessions), reproduced, fitted_speedup, points, islands, swings)


def inputs_of(sessions: Sequence[Session]) -> Inputs:
    """Return the inputs, measured ones where there are rows that tell them."""
    found: dict[str, Quantity] = {}
    for session, load in validation.smallest_first(sessions):
        found |= validation.measured_inputs(session, load)
    return Inputs().with_measured(found)


def _checks(sessions: Sequence[Session]) -> dict[str, list[Check]]:
    return {
        f"{load}, {session.name}": validation.validate(session, load)
        for session in sessions
        for load in session.workloads
    }


def _reproduce(inputs: Inputs, chance: Chance) -> tuple[list[Reproduced], float]:
    best = failure.lock_alone(inputs)
    fit, speedup = failure.fitted(inputs, chance)
    found = []
    for fact in failure.FACTS:
        measured = failure.count(fact, inputs, chance)
        others = [failure.count(fact, each, chance) if fact.arm == THREADS else None for each in (best, fit)]
        found.append(Reproduced(fact, measured, *others))
    return found, speedup


def _study(inputs: Inputs, chance: Chance) -> list[Point]:
    return [scaling.point(arm, workers, inputs, chance) for arm in ARMS for workers in scaling.WORKERS]


def _swings(arm: str, workers: int, inputs: Inputs, chance: Chance) -> list[Swing]:
    return [each for each in scaling.sensitivity(arm, workers, inputs, chance) if each.width > SMALL_SWING]
