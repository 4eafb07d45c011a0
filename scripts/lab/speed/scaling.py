"""Islands side by side as real processes, pinned nowhere: N = 1, 2, ... cores, and a whole archipelago at once.

Beside the islands run as many processes that only evaluate: what N cores of this machine give at all.
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.evo import runlog
from atoll.evo.paths import SharedPaths
from atoll.scripts.lab.speed import bare
from atoll.scripts.lab.speed.island import run_together
from atoll.scripts.lab.speed.rounds import Case, Figure, Table, by_round, ratios, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.scripts.lab.kit.rows import Row, Run
    from atoll.scripts.lab.speed.island import Ended
    from atoll.scripts.lab.speed.plan import Plan
    from atoll.scripts.lab.speed.rounds import Round

ARCHIPELAGO_S = 60.0
"""In which 20 islands of 250 individuals and 150 generations are to be done on two cores."""
EFFICIENCY = 0.95


def cases(plan: Plan, place: Path) -> list[Case]:
    """Return every number of islands and of bare evaluators, and the archipelago."""
    counts = _counts(len(os.sched_getaffinity(0)))
    side_by_side = [Case(partial(measure, plan, place, n)) for n in counts for measure in (_islands, _bare)]
    return [*side_by_side, Case(partial(_islands, plan, place, plan.archipelago, what="archipelago"), plan.few_rounds)]


def tables(run: Run) -> list[Table]:
    """Derive speed-up and efficiency against one island of the same round, and the archipelago's time."""
    rounds = by_round(run.rows, "what", "n")
    many = sorted({row["n"] for row in run.rows if row["what"] == "islands" and row["n"] > 1})
    beside_one = [figure for n in many for figure in _beside_one(rounds, n)]
    whole = [row for row in run.rows if row["what"] == "archipelago"]
    name = f"An archipelago of {whole[0]['n']} islands, exec to exit" if whole else ""
    return [
        Table(
            "Islands side by side, each number beside one island of the same round",
            [Figure("one island (genomes/s)", values(rounds, ("islands", 1), _rate)), *beside_one],
        ),
        Table(
            name,
            [
                Figure("wall (s)", [row["wall_s"] for row in whole], at_most=ARCHIPELAGO_S),
                Figure(
                    "processor time / (cores * wall)", [row["cpu_s"] / (row["cores"] * row["wall_s"]) for row in whole]
                ),
                Figure("genomes imported", [row["imports"] for row in whole]),
                Figure("peak memory of the largest island (MB PSS)", [row["peak_pss_bytes"] / 1e6 for row in whole]),
            ],
        ),
    ]


def _beside_one(rounds: list[Round], n: int) -> list[Figure]:
    def against_one(what: str, of: Callable[[Row], float]) -> list[float]:
        return ratios(rounds, (what, n), (what, 1), of)

    speed_up = against_one("islands", _rate)
    return [
        Figure(f"{n} islands / one: throughput", speed_up, at_least=EFFICIENCY * n),
        Figure(f"{n} islands: efficiency", [ratio / n for ratio in speed_up], at_least=EFFICIENCY),
        Figure(f"{n} islands / one: processor time per genome", against_one("islands", _cost)),
        Figure(f"{n} processes that only evaluate / one: throughput", against_one("bare", _rate)),
    ]


def _counts(cores: int) -> list[int]:
    """Return 1, 2, 4, ... and the number of cores."""
    powers = [1 << power for power in range(cores.bit_length())]
    return sorted({*powers, cores})


def _islands(plan: Plan, place: Path, n: int, *, what: str = "islands") -> list[Row]:
    with tempfile.TemporaryDirectory(dir=place) as folder:
        root = Path(folder) / "shared"
        names = [f"island-{number:02}" for number in range(1, n + 1)]
        ended = run_together([["cli.py", *plan.arguments(name, root)] for name in names])
        last = [runlog.read_last(SharedPaths(root).island(name).log)["generation"] for name in names]
    work = sum(line["evaluations"] for line in last)
    return [{"what": what, "n": n, **_together(ended, work), "imports": sum(line["imports"] for line in last)}]


def _bare(plan: Plan, place: Path, n: int) -> list[Row]:  # noqa: ARG001 - measured like islands
    evaluations = plan.population * (plan.generations + 1)
    ended = run_together([bare.arguments(plan, evaluations)] * n)
    return [{"what": "bare", "n": n, **_together(ended, n * evaluations)}]


def _together(ended: list[Ended], work: int) -> Row:
    """Return what processes took that were started together: from the first exec to the last exit."""
    began = min(each.started_unix_s for each in ended)
    wall_s = max(each.started_unix_s - began + each.wall_s for each in ended)
    return {
        "wall_s": wall_s,
        "cpu_s": sum(each.cpu_s for each in ended),
        "work": work,
        "work_per_s": work / wall_s,
        "peak_pss_bytes": max(each.peak_pss_bytes for each in ended),
    }


def _rate(row: Row) -> float:
    return float(row["work_per_s"])


def _cost(row: Row) -> float:
    return float(row["cpu_s"]) / float(row["work"])
