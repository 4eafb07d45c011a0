"""Algorithms at equal budgets of evaluations: `python -m scripts.lab algorithms run|report`, tables from rows alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo.config import GA, SEP_CMA, SNES
from atoll.scripts.lab.islands.algorithms import plan
from atoll.scripts.lab.islands.algorithms.run import measure, read
from atoll.scripts.lab.islands.algorithms.splitting import splitting
from atoll.scripts.lab.islands.equal_budgets.findings import SEED, Times, compare, ratio, running_time
from atoll.scripts.lab.kit.markdown import number, table, write_tables
from atoll.scripts.lab.kit.stats import holm, interval
from atoll.scripts.lab.kit.study import AT_LEAST_1, tables_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atoll.evo.runlog import Record
    from atoll.scripts.lab.islands.algorithms.plan import Problem

Rows = dict[str, "Record"]
folder_option = click.option(
    "--out",
    default=Path("docs/measurements/algorithms"),
    type=click.Path(path_type=Path, file_okay=False),
    show_default=True,
    help="Where the rows are.",
)


@click.group()
def main() -> None:
    """Compare algorithms at equal numbers of evaluations, on creatures and functions."""


@main.command()
@click.argument("problems", nargs=-1)
@click.option("--seeds", default=plan.SEEDS, type=AT_LEAST_1, show_default=True, help="Seeds of each contender.")
@click.option("--arm", "arms", multiple=True, help="Only this contender; may be given several times.")
@click.option("--most", type=AT_LEAST_1, help="Only runs of at most this many evaluations.")
@click.option("--workers", default=2, type=AT_LEAST_1, show_default=True, help="Processes.")
@folder_option
def run(
    *, problems: tuple[str, ...], seeds: int, arms: tuple[str, ...], most: int | None, workers: int, out: Path
) -> None:
    """Run what has no row yet."""
    jobs = [
        job
        for job in plan.jobs(plan.named(problems), range(seeds))
        if (not arms or job.arm.name in arms) and (most is None or job.marks[-1] <= most)
    ]
    measure(jobs, out, workers=workers, tell=click.echo)


@main.command()
@folder_option
@tables_option
def report(out: Path, tables_folder: Path | None) -> None:
    """Print the tables of the rows that are there."""
    rows = read(out)
    blocks = {
        **{f"creatures-{mark}": walks(rows, mark) for mark in plan.MARKS},
        "strategies": strategies(rows),
        "splitting": splitting([(each, found(rows, each)) for each in plan.PROBLEMS if each.has_islands]),
        "functions": functions(rows),
        "environments": environments(rows),
        "soundness": soundness(rows),
    }
    if tables_folder:
        write_tables(tables_folder, blocks)
    click.echo("\n\n".join(f"{name}\n\n{block}" for name, block in blocks.items() if block))


def found(rows: Rows, problem: Problem) -> dict[str, list[Record]]:
    """Return the rows of each contender of a problem, by seed; of who has none, nothing."""
    of: dict[str, list[Record]] = {}
    for job in plan.jobs([problem], range(plan.SEEDS)):
        if job.key in rows:
            of.setdefault(job.arm.name, []).append(rows[job.key])
    return of


def walks(rows: Rows, mark: int) -> str:
    """Return what champions score on unseen courses after so many evaluations, and how often more than the GA's."""
    lines, chances = [], {}
    for problem in plan.PROBLEMS:
        marked = {
            name: {row["seed"]: row["at"][str(mark)] for row in of if str(mark) in row["at"]}
            for name, of in found(rows, problem).items()
            if problem.is_walk
        }
        before = marked.get(GA, {})
        for name, of in marked.items():
            if not of:
                continue
            unseen = {seed: each["unseen_fitness"] for seed, each in of.items()}
            theirs = {seed: each["unseen_fitness"] for seed, each in before.items()}
            if name != GA and theirs:
                chances[problem.name, name] = compare(list(unseen.values()), list(theirs.values())).p
            lines.append((problem.name, name, unseen, theirs, [each["unseen_pellets"] for each in of.values()]))
    p = holm(chances)
    heads = ("problem", "contender", "n", "unseen, median [quartiles]", "pellets", "of the GA's", "p (Holm)")
    return table(
        heads,
        [
            (
                problem,
                name,
                str(len(unseen)),
                quartiles(list(unseen.values())),
                number(float(np.median(pellets))),
                "" if name == GA else times_as_much(unseen, theirs),
                chance(p.get((problem, name))),
            )
            for problem, name, unseen, theirs, pellets in lines
        ],
    )


def strategies(rows: Rows) -> str:
    """Return the two strategies that learn a step for each gene side by side, on all creatures and budgets."""
    lines, chances = [], {}
    for problem in (each for each in plan.PROBLEMS if each.is_walk):
        of = found(rows, problem)
        for mark in (str(each) for each in problem.marks if each <= problem.short):
            ours, theirs = (
                {row["seed"]: row["at"][mark]["unseen_fitness"] for row in of.get(name, ())} for name in (SNES, SEP_CMA)
            )
            if ours and theirs:
                chances[problem.name, mark] = compare(list(ours.values()), list(theirs.values())).p
                lines.append((problem.name, mark, ours, theirs))
    p = holm(chances)
    return table(
        ("problem", "evaluations", SNES, SEP_CMA, f"{SNES} / {SEP_CMA}", "p (Holm)"),
        [
            (
                problem,
                number(float(mark)),
                quartiles(list(ours.values())),
                quartiles(list(theirs.values())),
                times_as_much(ours, theirs),
                chance(p[problem, mark]),
            )
            for problem, mark, ours, theirs in lines
        ],
    )


def times_as_much(ours: Mapping[int, float], theirs: Mapping[int, float]) -> str:
    """Return the median ratio of two contenders, seed by seed, with its interval; what does not walk counts as 1."""
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return "-"
    logs = [float(np.log(max(ours[seed], 1.0) / max(theirs[seed], 1.0))) for seed in seeds]
    middle, low, high = interval(logs, seed=SEED).ratios
    return f"{number(middle)} ({number(low)} to {number(high)})"


def functions(rows: Rows) -> str:
    """Return the expected evaluations to the final targets of *When do islands help?*, and beside the GA's."""
    lines, chances = [], {}
    for problem in plan.PROBLEMS:
        if not problem.is_function:
            continue
        times = {name: Times.of(of, plan.TARGETS[problem.name]) for name, of in found(rows, problem).items()}
        for name, of in times.items():
            if name != GA and GA in times:
                chances[problem.name, name] = compare(of.to_target, times[GA].to_target).p
            lines.append((problem.name, name, of, times.get(GA)))
    p = holm(chances)
    heads = ("function", "contender", "reached", "expected evaluations", "GA's / its own", "p (Holm)")
    return table(
        heads,
        [
            (
                problem,
                name,
                f"{of.n_reached}/{len(of)}",
                expected(of),
                "" if name == GA or before is None else spread(before, of),
                chance(p.get((problem, name))),
            )
            for problem, name, of, before in lines
        ],
    )


def environments(rows: Rows) -> str:
    """Return what champions are paid in fresh episodes, and by how much that differs from the GA's, seed by seed."""
    lines, chances = [], {}
    for problem in plan.PROBLEMS:
        if not problem.is_environment:
            continue
        unseen = {
            name: {row["seed"]: row["at"][str(problem.marks[-1])]["unseen_fitness"] for row in of}
            for name, of in found(rows, problem).items()
        }
        theirs = unseen.get(GA, {})
        for name, of in unseen.items():
            more = [value - theirs[seed] for seed, value in of.items() if seed in theirs]
            if name != GA and more:
                chances[problem.name, name] = compare(list(of.values()), list(theirs.values())).p
            lines.append((problem.name, name, of, more))
    p = holm(chances)
    heads = ("environment", "contender", "n", "fresh episodes, median [quartiles]", "more than the GA's", "p (Holm)")
    return table(
        heads,
        [
            (
                problem,
                name,
                str(len(of)),
                quartiles(list(of.values())),
                "" if name == GA or not more else quartiles(more),
                chance(p.get((problem, name))),
            )
            for problem, name, of, more in lines
        ],
    )


def expected(times: Times) -> str:
    """Return the expected running time in evaluations."""
    value = float(running_time(times.to_target, times.spent))
    return number(value) if np.isfinite(value) else "∞"


def spread(over: Times, under: Times) -> str:
    """Return the ratio of two expected running times with its interval; a word where one or both never arrive."""
    if not over.n_reached:
        return "∞" if under.n_reached else "neither arrives"
    found_ratio = ratio(over, under, seed=SEED)
    return " ".join([number(found_ratio.value), f"({number(found_ratio.low)} to {number(found_ratio.high)})"])


def soundness(rows: Rows) -> str:
    """Return how many champions walk by fair means, and how close they come to the limits of the audit."""
    lines = []
    for problem in plan.PROBLEMS:
        for name, of in found(rows, problem).items():
            audits = [each for row in of for each in row["at"].values() if "is_sound" in each]
            if audits:
                worst = [
                    number(max(each[key] for each in audits))
                    for key in ("max_node_m_s", "max_stretch", "airborne_share")
                ]
                kept = number(min(each["retained_share"] for each in audits))
                sound = f"{sum(each['is_sound'] for each in audits)}/{len(audits)}"
                lines.append((problem.name, name, sound, *worst, kept))
    return table(("problem", "contender", "sound", "node m/s", "stretch", "airborne", "least kept"), lines)


def quartiles(values: Sequence[float]) -> str:
    """Return the median and the quartiles."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{number(float(middle))} [{number(float(low))}, {number(float(high))}]"


def chance(p: float | None) -> str:
    """Return a p-value, or nothing where there is none."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


if __name__ == "__main__":
    sys.exit(main())
