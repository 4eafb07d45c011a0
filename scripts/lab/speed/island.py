"""One whole island as a user starts it, exec to exit, beside nothing but the same evaluations in a fresh process."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from atoll.evo import runlog
from atoll.evo.paths import SharedPaths
from atoll.scripts.lab.speed import bare, pools
from atoll.scripts.lab.speed.pairs import Case, by_round, ratios, values
from atoll.scripts.lab.speed.processes import run_together
from atoll.scripts.lab.speed.stages import ISLAND
from atoll.scripts.lab.speed.tables import Figure, Table

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.scripts.lab.kit.rows import Row, Run
    from atoll.scripts.lab.speed.plan import Plan
    from atoll.scripts.lab.speed.processes import Ended

WHOLE, BARE = ("island",), ("bare",)
PER_EVALUATION, START_S = 1.3, 0.6
"""What exec to exit may take: so many times the evaluation, and so many seconds."""


def cases(plan: Plan, place: Path) -> list[Case]:
    """Return an island among 20, and its evaluations alone."""
    root = place / "island"
    pools.populate(root, plan, peers=plan.archipelago - 1)
    return [Case(partial(_island, plan, root)), Case(partial(_bare, plan))]


def tables(run: Run) -> list[Table]:
    """Derive start-up, memory, and exec to exit against pure evaluation."""
    rounds = by_round(run.rows, "what")
    both = [(each[WHOLE], each[BARE]) for each in rounds if WHOLE in each and BARE in each]
    beyond_own = values(rounds, WHOLE, lambda row: row["wall_s"] - PER_EVALUATION * row["evaluate_s"])
    beyond_bare = [island["wall_s"] - PER_EVALUATION * other["evaluate_s"] for island, other in both]
    ratio = [island["wall_s"] / other["evaluate_s"] for island, other in both]
    return [
        Table(
            "One island, exec to exit",
            [
                Figure("wall (s)", values(rounds, WHOLE, lambda row: row["wall_s"])),
                Figure("evaluation that it logged (s)", values(rounds, WHOLE, lambda row: row["evaluate_s"])),
                Figure("the same evaluations alone, in a fresh process (s)", values(rounds, BARE, _evaluate_s)),
                Figure("wall / evaluation alone", ratio),
                Figure("wall / evaluation logged", values(rounds, WHOLE, lambda r: r["wall_s"] / r["evaluate_s"])),
                Figure(f"wall - {PER_EVALUATION} evaluation alone (s)", beyond_bare, at_most=START_S),
                Figure(f"wall - {PER_EVALUATION} evaluation logged (s)", beyond_own, at_most=START_S),
                Figure("evaluation logged / alone", ratios(rounds, WHOLE, BARE, _evaluate_s)),
                Figure("processor time / that of evaluation alone", ratios(rounds, WHOLE, BARE, lambda r: r["cpu_s"])),
                Figure("exec to the founders' line in the log (s)", values(rounds, WHOLE, _startup_s), at_most=0.5),
                Figure("peak memory (MB PSS)", [mb for mb in values(rounds, WHOLE, _peak_mb) if mb], at_most=80),
            ],
        )
    ]


def _island(plan: Plan, root: Path) -> list[Row]:
    [ended] = run_together([["cli.py", *plan.arguments(ISLAND, root)]])
    lines = runlog.read(SharedPaths(root).island(ISLAND).log)
    generations = [line for line in lines if line["kind"] == "generation"]
    pools.forget(root, ISLAND)
    return [
        {
            "what": "island",
            **_of_process(ended),
            "startup_s": generations[0]["time"]["unix_s"] - ended.started_unix_s,
            "evaluate_s": sum(line["time"]["evaluate_s"] for line in generations),
            "evaluations": generations[-1]["evaluations"],
            "imports": generations[-1]["imports"],
        }
    ]


def _bare(plan: Plan) -> list[Row]:
    [ended] = run_together([bare.arguments(plan, plan.population * (plan.generations + 1))])
    return [{"what": "bare", **_of_process(ended), **json.loads(ended.output)}]


def _of_process(ended: Ended) -> Row:
    return {"wall_s": ended.wall_s, "cpu_s": ended.cpu_s, "peak_pss_bytes": ended.peak_pss_bytes}


def _evaluate_s(row: Row) -> float:
    return float(row["evaluate_s"])


def _startup_s(row: Row) -> float:
    return float(row["startup_s"])


def _peak_mb(row: Row) -> float:
    return int(row["peak_pss_bytes"]) / 1e6
