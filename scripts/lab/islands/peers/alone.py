"""Atoll's algorithms beside pygmo's of the same kind, one population each: `python -m scripts.lab peer-algorithms`.

Both have the same function, evaluated by pygmo, as many individuals and generations, and one process on one core; the
rest is what each does by default. pygmo's are held within the bounds, beyond which Schwefel's function has better
points, and from an early stop. Both are looked at every few generations, which is what evaluations are counted in.

Written down before the first run: on each function Atoll is to take at most 1.2 times the expected evaluations of its
peer to the target. That is the median of what both kinds of contenders found together with other seeds, or `ACCURACY`
where that is nearer to the optimum: Atoll's genes are float32, pygmo's float64.
"""

from __future__ import annotations

import time
from dataclasses import astuple
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo.recorder import MemoryRecorder
from atoll.evo.rng import stream
from atoll.scripts.lab.islands import budgeted
from atoll.scripts.lab.islands.budgeted import Arm
from atoll.scripts.lab.islands.equal_budgets.findings import compare, ratio, verdict
from atoll.scripts.lab.islands.equal_budgets.report import chance, quantity, reached, spread
from atoll.scripts.lab.islands.peers import plan
from atoll.scripts.lab.islands.peers.plan import ATOLL, TARGET_SEEDS, Problem, Round, times
from atoll.scripts.lab.islands.peers.tables import MISSING, SEED, YARDSTICKS
from atoll.scripts.lab.kit.markdown import table as markdown_table
from atoll.scripts.lab.kit.stats import holm
from atoll.scripts.lab.kit.study import chosen, command, seed_options
from atoll.scripts.run.archipelago import evolve_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.runlog import Record
    from atoll.evo.tasks.task import Task
    from atoll.scripts.lab.islands.equal_budgets.findings import Times
    from atoll.scripts.lab.kit.study import Call

PEERS = {"cma": ("cmaes",), "de": ("sade", "de1220")}
"""Algorithms of Atoll, and pygmo's of the same kind: covariance matrix adaptation, and self-adapting differential
evolution."""
PYGMO = "pygmo"
PROBLEMS = (*plan.PROBLEMS, Problem("cec2014", number=1, least=100.0))
"""The last has one optimum, and is ill-conditioned and rotated."""
POPULATION, GENERATIONS, INTERVAL = plan.POPULATION, 800, 4
AT_MOST = 1.2
ACCURACY = 1e-3
HEADS = ("function", "target", "peer", "to it", "Atoll: reached, ERT", "peer", "peer / Atoll", "p (Holm)", "verdict")


def contenders(kind: str) -> list[tuple[str, str]]:
    """Return who meets: library and algorithm of each, Atoll's first."""
    return [(ATOLL, kind), *((PYGMO, peer) for peer in PEERS[kind])]


def calls(kinds: Sequence[str], problems: Sequence[Problem], *, seeds: range) -> list[Call]:
    """Return all runs: with the target seeds first; for each seed all contenders on a function in random order."""
    stages = [("targets", TARGET_SEEDS), ("comparison", seeds)]
    blocks = [
        (stage, seed, problem, kind) for stage, of in stages for seed in of for problem in problems for kind in kinds
    ]
    return [call for block in blocks for call in _block(*block)]


def _block(stage: str, seed: int, problem: Problem, kind: str) -> list[Call]:
    who = contenders(kind)
    order = stream(seed, problem.label, 0, f"order of {kind}, {stage}").permutation(len(who))
    return [partial(measure, *who[place], kind=kind, problem=problem, seed=seed, stage=stage) for place in order]


def measure(library: str, algorithm: str, *, kind: str, problem: Problem, seed: int, stage: str) -> Record:
    """Run one population; return its row."""
    from atoll.scripts.lab.islands.peers import run  # noqa: PLC0415 - needs pygmo

    with run.on_one_core():
        if library == ATOLL:
            rounds = evolve(algorithm, run.PygmoTask(problem), seed=seed)
        else:
            sizes = {"population": POPULATION, "generations": GENERATIONS, "interval": INTERVAL}
            rounds = run.evolve_alone(algorithm, problem, seed=seed, **sizes)
    return {
        "stage": stage,
        "kind": kind,
        "library": library,
        "algorithm": algorithm,
        "problem": problem.label,
        "seed": seed,
        "population": POPULATION,
        "generations": GENERATIONS,
        "pygmo": run.VERSION,
        "rounds": [astuple(each) for each in condensed(rounds)],
    }


def evolve(algorithm: str, task: Task, *, seed: int) -> list[Round]:
    """Evolve one population of Atoll's; return where it was after each interval."""
    arm = Arm(ATOLL, 1, POPULATION, {"algorithm": algorithm, "migrants": 1})
    generations: list[Round] = []
    start_s = time.perf_counter(), time.process_time()
    (config,) = budgeted.plan(arm, seed=seed, budget=POPULATION * (GENERATIONS + 1))
    recorder = MemoryRecorder(
        lambda state: generations.append(
            Round(
                state.counts.evaluations,
                state.champion.fitness,
                time.perf_counter() - start_s[0],
                time.process_time() - start_s[1],
            )
        )
    )
    evolve_together([config], task, recorder_of=lambda _: recorder)
    return looked_at(generations)


def looked_at(generations: Sequence[Round]) -> list[Round]:
    """Return where a run was after each interval, up to the evaluations that all have: restarts may need more."""
    budget = POPULATION * (GENERATIONS + 1)
    return [each for each in generations[INTERVAL::INTERVAL] if each.evaluations <= budget]


def condensed(rounds: Sequence[Round]) -> list[Round]:
    """Return rounds without those that brought nothing: `times` finds the same in them."""
    last = len(rounds) - 1
    return [each for n, each in enumerate(rounds) if n in {0, last} or each.best > rounds[n - 1].best]


def target(rows: Sequence[Record], problem: str, kind: str) -> float:
    """Return what is to be reached: the lower median of what a kind found with the target seeds, or `ACCURACY`."""
    found = [row["rounds"][-1][1] for row in rows if _is(row, "targets", problem, kind)]
    return min(float(np.quantile(found, 0.5, method="lower")), -ACCURACY)


def table(rows: Sequence[Record]) -> str:
    """Return Atoll against each peer: ratios above 1 are Atoll's wins, below 1 its losses."""
    met = dict.fromkeys((row["problem"], row["kind"]) for row in rows if row["stage"] == "comparison")
    pairs = [(problem, kind, peer, name) for problem, kind in met for peer in PEERS[kind] for name in YARDSTICKS]
    meetings = {pair: _meeting(rows, *pair) for pair in pairs}
    p = holm({pair: compare(theirs.to_target, ours.to_target).p for pair, (ours, theirs) in meetings.items()})
    lines = []
    for (problem, kind, peer, name), (ours, theirs) in meetings.items():
        found, chance_of = ratio(theirs, ours, seed=SEED), p[problem, kind, peer, name]
        said = verdict(found, chance_of, faster=f"{ATOLL} {kind}", than=f"{PYGMO} {peer}")
        within = f"; within {AT_MOST}" if name == "evaluations" and found.value >= 1 / AT_MOST else ""
        times_found = (reached(ours), reached(theirs), spread(found), chance(chance_of), said + within)
        lines.append((problem, quantity(target(rows, problem, kind)), f"{PYGMO} {peer}", name, *times_found))
    return markdown_table(HEADS, lines)


def _meeting(rows: Sequence[Record], problem: str, kind: str, peer: str, yardstick: str) -> tuple[Times, Times]:
    goal = target(rows, problem, kind)
    of = {
        algorithm: [row for row in rows if _is(row, "comparison", problem, kind) and row["algorithm"] == algorithm]
        for algorithm in (kind, peer)
    }
    return times(of[kind], goal, YARDSTICKS[yardstick]), times(of[peer], goal, YARDSTICKS[yardstick])


def _is(row: Record, stage: str, problem: str, kind: str) -> bool:
    return (row["stage"], row["problem"], row["kind"]) == (stage, problem, kind)


def _line(row: Record) -> str:
    evaluations, best, wall_s, _ = row["rounds"][-1]
    who = f"{row['library']} {row['algorithm']}"
    return f"{row['stage']}, seed {row['seed']}, {row['problem']}, {who}: {best:.3g} ({evaluations:,}, {wall_s:.1f} s)"


@command(line=_line, table=table, out="bench/algorithms.jsonl")
@seed_options(20, first=1, what="Test seeds.")
@click.option("--algorithm", "names", multiple=True, help="Only these of Atoll's, each with its peers.")
@click.option("--function", "functions", multiple=True, help="Only these functions.")
def main(*, seeds: range, names: tuple[str, ...], functions: tuple[str, ...]) -> Sequence[Call]:
    """Let algorithms of one kind meet on the same functions, and say who needs how many evaluations, and what time."""
    kinds = chosen(names, PEERS, kind="algorithm")
    labels = chosen(functions, (problem.label for problem in PROBLEMS), kind="function")
    if find_spec("pygmo") is None:
        raise click.ClickException(MISSING)
    return calls(kinds, [problem for problem in PROBLEMS if problem.label in labels], seeds=seeds)
