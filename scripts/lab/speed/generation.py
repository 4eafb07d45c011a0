"""The share of each stage of a generation: one real island with its files, among 20, timed from inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.scripts.lab.speed import pools, stages
from atoll.scripts.lab.speed.pairs import Case, by_round, ratios, values
from atoll.scripts.lab.speed.tables import Figure, Table

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.scripts.lab.kit.rows import Row, Run
    from atoll.scripts.lab.speed.pairs import Round
    from atoll.scripts.lab.speed.plan import Plan

WHOLE, EVALUATION = ("whole", ""), ("evaluation", "")


def cases(plan: Plan, place: Path) -> list[Case]:
    """Return one case: an island's whole loop."""
    root = place / "generation"
    pools.populate(root, plan, peers=plan.archipelago - 1)
    return [Case(lambda: _measure(plan, root))]


def tables(run: Run) -> list[Table]:
    """Derive what a generation takes, and the share of each stage."""
    rounds = by_round(run.rows, "what", "part")
    parts = sorted({key for each in rounds for key in each if key[1]})
    shares = {key: ratios(rounds, key, WHOLE, _wall_s) for key in parts}
    largest_first = sorted(parts, key=lambda key: -sum(shares[key]))
    return [
        Table(
            "A generation, all included",
            [
                Figure("whole / its evaluation", ratios(rounds, WHOLE, EVALUATION, _wall_s), at_most=1.25),
                Figure("whole (ms)", values(rounds, WHOLE, _each_ms)),
                Figure("evaluation (ms)", values(rounds, EVALUATION, _each_ms)),
            ],
        ),
        Table(
            "Share of each stage in a generation (%)",
            [Figure(f"{what}: {part}", [100 * share for share in shares[what, part]]) for what, part in largest_first],
        ),
        Table(
            "Cost of one call of a stage (ms)",
            [
                Figure(f"{what}: {part}", _calls_ms(rounds, what, part))
                for what, part in largest_first
                if what != "loop"
            ],
        ),
    ]


def _measure(plan: Plan, root: Path) -> list[Row]:
    stopwatch = stages.live(plan.config(stages.ISLAND), root)
    generations = {"generations": plan.generations + 1}  # the founders are one too
    whole_s, evaluation_s = (sum(lap.wall_s for lap in stopwatch.of(s)) for s in (stages.LOOP, stages.EVALUATION))
    found: list[Row] = [
        {"what": "whole", "part": "", "wall_s": whole_s, **generations},
        {"what": "evaluation", "part": "", "wall_s": evaluation_s, **generations},
    ]
    for stage, own_s in stopwatch.totals_s().items():
        what, _, part = stage.partition("/")
        calls = len(stopwatch.of(stage))
        found.append({"what": what, "part": part, "wall_s": own_s, "calls": calls, **generations})
    return found


def _wall_s(row: Row) -> float:
    return float(row["wall_s"])


def _each_ms(row: Row) -> float:
    return 1000 * _wall_s(row) / int(row["generations"])


def _calls_ms(rounds: list[Round], what: object, part: object) -> list[float]:
    return values(rounds, (what, part), lambda row: 1000 * _wall_s(row) / int(row["calls"]))
