"""Topology, migrants and interval of migration by default: how should islands exchange by themselves?

Archipelagos of creatures of a size that a user would call small and not tiny, with the breeding settings that islands
have by default, that differ in who meets whom and how many come; one pooled population of as many individuals; one of
an island's size, for as many times more generations. The last two were added after the first runs: a rarer exchange,
since who never exchanges was ahead, and the pooled one without crossover, since mixing strangers seemed to be what
holds a large population back. All have the same budget of evaluations, immigrants counted. Each archipelago is a row,
written as soon as it is known; `--table FILE` derives the table from such rows and measures nothing.

Written down before the first run: a variant takes the place of the first if its champions are worth more on unseen
courses, by an interval that lies above 0; of several the best. If there is none, the one with the most effective
ancestors does, provided that these are 2 at least where the first has fewer (the plan's third criterion), and that what
it loses, if anything, is less than half of what another seed does.

Written down after that, and before the first run of 20 islands (the plan's number), since the first table named one
small population and who never exchanges, and since the plan asks for five migrants: the topology becomes a ring if with
20 islands of five migrants each a ring is not worse on unseen courses, by an interval below 0, and leaves 2 effective
ancestors where all that meet do not.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from scipy.stats import wilcoxon

from atoll.evo.tasks.loader import load_task, recorded_options
from atoll.scripts.lab.islands import budgeted
from atoll.scripts.lab.islands.budgeted import Arm
from atoll.scripts.lab.islands.equal_budgets.report import chance
from atoll.scripts.lab.islands.lifespans import mean_interval
from atoll.scripts.lab.kit.markdown import table as markdown_table
from atoll.scripts.lab.kit.stats import holm
from atoll.scripts.lab.kit.study import chosen, command, seed_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.runlog import Record
    from atoll.scripts.lab.kit.study import Call

ISLANDS, POPULATION, GENERATIONS, COURSES = 8, 100, 100, 3
VARIANTS = (
    *(
        Arm(f"{topology}, {migrants} every 10", ISLANDS, POPULATION, {"topology": topology, "migrants": migrants})
        for topology in ("full", "ring")
        for migrants in (5, 1)
    ),
    Arm("never", ISLANDS, POPULATION, {"topology": "none"}),
    Arm("pooled", 1, ISLANDS * POPULATION),
    Arm("one small", 1, POPULATION),
    Arm("ring, 1 every 30", ISLANDS, POPULATION, {"topology": "ring", "migrants": 1, "migrate_every": 30}),
    Arm("pooled, no crossover", 1, ISLANDS * POPULATION, {"crossover_rate": 0.0}),
)
"""The first is what islands did by default when this was written."""
BUDGET = "The budget: so many evaluations for each individual of all islands."
AT_LEAST_2 = click.IntRange(min=2)
SHOWN_HEAD = ("variant", "n", "fitness", "unseen fitness", "ancestors", "F_ST")
HEAD = (*SHOWN_HEAD, "unseen, less the first's", "95 % interval", "p (Holm)")


def measure(arm: Arm, *, seed: int, budget: int) -> Record:
    """Return the row of an archipelago."""
    task: Any = load_task("creatures", recorded_options("creatures", {"courses": COURSES}))
    row = budgeted.run(arm, task, seed=seed, budget=budget, audit=budgeted.walk_unseen(task))
    return budgeted.condensed(row)


def _line(row: Record) -> str:
    return f"seed {row['seed']}, {row['arm']}: {row['best'][-1]:.1f}, unseen {row['unseen_fitness']:.1f}"


def scaled(arm: Arm, islands: int) -> Arm:
    """Return a variant for as many islands, or for a population as large as all of them."""
    if arm.islands > 1:
        return replace(arm, islands=islands)
    return replace(arm, population=arm.population // ISLANDS * islands) if arm.population > POPULATION else arm


def table(rows: Sequence[Record]) -> str:
    """Return a Markdown table with a line for each variant, in the order in which they came.

    Differences are of equal seeds, whose first islands have equal founders; their p-values are those of signed ranks
    (Wilcoxon 1945), corrected for all variants together (Holm 1979).
    """
    of: dict[str, dict[int, Record]] = {}
    for row in rows:
        of.setdefault(row["arm"], {})[row["seed"]] = row
    first = next(iter(of.values()), {})
    differences = {name: _differences(found, first) for name, found in of.items() if found is not first}
    p = holm({name: float(wilcoxon(each).pvalue) for name, each in differences.items() if any(each)})
    return markdown_table(
        HEAD,
        [
            (
                *_showing(name, found),
                *(_gain(differences[name]) if name in differences else ("", "")),
                chance(p[name]) if name in p else "",
            )
            for name, found in of.items()
        ],
    )


def _differences(found: dict[int, Record], first: dict[int, Record]) -> list[float]:
    return [found[seed]["unseen_fitness"] - first[seed]["unseen_fitness"] for seed in found if seed in first]


def _showing(name: str, found: dict[int, Record]) -> tuple[str, ...]:
    unseen = [row["unseen_fitness"] for row in found.values()]
    apart = [row["f_st"] for row in found.values() if row["f_st"] is not None]
    return (
        name,
        str(len(found)),
        f"{np.mean([row['best'][-1] for row in found.values()]):.0f}",
        f"{np.mean(unseen):.0f} ± {np.std(unseen, ddof=1) if len(unseen) > 1 else 0:.0f}",
        f"{np.mean([row['origins'] for row in found.values()]):.2f}",
        f"{np.mean(apart):.2f}" if apart else "-",  # one population differs from nobody
    )


def _gain(differences: Sequence[float]) -> tuple[str, str]:
    mean, low, high = mean_interval(differences)
    return f"{mean:+.0f}", f"{low:+.0f} to {high:+.0f}"


@command(line=_line, table=table, out="bench/exchanging.jsonl", workers=2)
@click.argument("names", nargs=-1, metavar="[VARIANT]...")
@seed_options(20, first=1, what="Archipelagos of each variant.")
@click.option("--islands", default=ISLANDS, type=AT_LEAST_2, help="Islands of who is split.")
@click.option("--generations", default=GENERATIONS, type=AT_LEAST_2, help=BUDGET)
def main(*, names: tuple[str, ...], seeds: range, islands: int, generations: int) -> list[Call]:
    """Evolve with each way to exchange, and see whose champions are worth more on courses that they never saw."""
    wanted = chosen(names, [arm.name for arm in VARIANTS], kind="variant")
    arms = [scaled(arm, islands) for arm in VARIANTS if arm.name in wanted]
    budget = islands * POPULATION * generations
    # Seed by seed: a run cut short has compared all.
    return [partial(measure, arm, seed=seed, budget=budget) for seed in seeds for arm in arms]
