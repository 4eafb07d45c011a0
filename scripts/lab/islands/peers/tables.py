"""Atoll's islands beside pygmo's archipelago: `python -m scripts.lab peers`, whose tables come from rows alone.

pygmo is needed to measure, and for this alone: `pip install 'atoll[peers]'`. Where it is missing nothing is measured,
and the rows and tables say so.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo import atomic, runlog
from atoll.scripts.lab.islands.equal_budgets.findings import compare, median, ratio, verdict
from atoll.scripts.lab.islands.equal_budgets.report import chance, reached, spread
from atoll.scripts.lab.islands.peers.plan import ATOLL, CONTENDERS, ISLANDS, TUNING_SEEDS, Round, grid, times
from atoll.scripts.lab.kit.machine import describe
from atoll.scripts.lab.kit.markdown import number, table, write_tables
from atoll.scripts.lab.kit.rows import records
from atoll.scripts.lab.kit.stats import holm
from atoll.scripts.lab.kit.study import tables_option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.evo.runlog import Record

MISSING = "pygmo is not installed; pip install pygmo"
SEED = 6
START, SKIPPED = "start", "skipped"
YARDSTICKS: dict[str, Callable[[Round], float]] = {
    "evaluations": lambda each: each.evaluations,
    "processor time (s)": lambda each: each.cpu_s,
    "wall time (s)": lambda each: each.wall_s,
}


@click.command()
@click.option("--seeds", default=20, show_default=True, type=click.IntRange(min=1), help="Test seeds.")
@click.option("--out", default=Path("bench/peers"), show_default=True, type=click.Path(path_type=Path))
@click.option("--tables-only", is_flag=True, help="Measure nothing: derive the tables from the rows that are there.")
@tables_option
def main(*, seeds: int, out: Path, tables_only: bool, tables_folder: Path | None) -> None:
    """Let both meet on the same functions with the same budget, and say who won what."""
    atomic.make_directory(out)
    if not tables_only:
        _measure(out / "rows.jsonl", seeds=seeds)
    found = blocks(records(out))
    if tables_folder is not None:
        write_tables(tables_folder, found)
    click.echo("\n\n".join(f"## {name}\n\n{block}" for name, block in found.items() if block))


def _measure(file: Path, *, seeds: int) -> None:
    atomic.truncate_torn_line(file)
    if find_spec("pygmo") is None:
        click.echo(f"skipped: {MISSING}")
        runlog.append(file, {"stage": SKIPPED, "reason": MISSING, **describe()})
        return
    from atoll.scripts.lab.islands.peers import run  # noqa: PLC0415 - needs pygmo

    runlog.append(file, {"stage": START, "pygmo": run.VERSION, **describe()})
    run.measure(seeds=seeds, write=lambda row: runlog.append(file, row), tell=click.echo)


def blocks(rows: Sequence[Record]) -> dict[str, str]:
    """Return every block by its name, of the newest measurement; where pygmo was missing, one says so."""
    found = newest(rows)
    if found and found[0]["stage"] == SKIPPED:
        return {"peers": f"*Skipped: {found[0]['reason']}.*", "peers-cost": "", "peers-tuning": "", "peers-where": ""}
    return {
        "peers": meetings(found),
        "peers-cost": costs(found),
        "peers-tuning": tuned(found),
        "peers-where": where(found),
    }


def newest(rows: Sequence[Record]) -> Sequence[Record]:
    """Return the rows from the last start on: times of another hour are no match."""
    starts = [place for place, row in enumerate(rows) if row.get("stage") in {START, SKIPPED}]
    return rows[starts[-1] :] if starts else []


def where(rows: Sequence[Record]) -> str:
    """Return where and with what it was measured."""
    if not rows:
        return ""
    start = rows[0]
    commit = str(start["commit"])[:10] + (" and changes" if start["dirty"] else "")
    versions = f"pygmo {start['pygmo']}, python {start['python']}, numpy {start['numpy']}"
    return f"{start['cpu']}, one of {start['cores']} cores; {versions}; commit {commit}"


def target(rows: Sequence[Record], problem: str) -> float:
    """Return the median of what all contenders found together with the target seeds."""
    return float(np.median([row["rounds"][-1][1] for row in _of(rows, "targets", problem)]))


def meetings(rows: Sequence[Record]) -> str:
    """Return Atoll against each of pygmo's algorithms: ratios above 1 are Atoll's wins, below 1 its losses."""
    problems = list(dict.fromkeys(row["problem"] for row in rows if row.get("stage") == "comparison"))
    pairs = [(problem, peer, name) for problem in problems for peer in CONTENDERS[1:] for name in YARDSTICKS]
    spent = {
        (problem, contender, name): times(
            _of(rows, "comparison", problem, contender), target(rows, problem), YARDSTICKS[name]
        )
        for problem in problems
        for contender in CONTENDERS
        for name in YARDSTICKS
    }
    p = holm({pair: compare(spent[pair].to_target, spent[pair[0], ATOLL, pair[2]].to_target).p for pair in pairs})
    lines = []
    for problem, peer, name in pairs:
        theirs, ours = spent[problem, peer, name], spent[problem, ATOLL, name]
        found = ratio(theirs, ours, seed=SEED)
        lines.append(
            (
                problem,
                peer,
                name,
                reached(ours),
                reached(theirs),
                spread(found),
                chance(p[problem, peer, name]),
                verdict(found, p[problem, peer, name], faster=ATOLL, than=peer),
            )
        )
    heads = ("function", "peer", "to the target", "Atoll: reached, ERT", "peer", "peer / Atoll", "p (Holm)", "verdict")
    return table(heads, lines)


def costs(rows: Sequence[Record]) -> str:
    """Return what one import into one island costs: runs with migration at every generation, less those without."""
    lines = []
    for contender in CONTENDERS:
        connected, alone = (_by_seed(rows, contender, is_connected=flag) for flag in (True, False))
        events = ISLANDS * next(iter(connected.values()))["generations"] if connected else 0
        cells = []
        for column in ("run_cpu_s", "run_wall_s"):
            shared = sorted(connected.keys() & alone.keys())
            each_s = [(connected[seed][column] - alone[seed][column]) / events for seed in shared]
            cells.append(spread(median([1e6 * value for value in each_s], seed=SEED), number) if each_s else "-")
        if events:
            lines.append((contender, number(events), *cells))
    return table(("contender", "imports", "processor time for each (µs)", "wall time for each (µs)"), lines)


def tuned(rows: Sequence[Record]) -> str:
    """Return what each contender was tuned to."""
    found = {(row["problem"], row["contender"]): row["setting"] for row in rows if row.get("stage") == "comparison"}
    lines = [
        (problem, contender, ", ".join(f"{name} {value}" for name, value in setting.items()))
        for (problem, contender), setting in sorted(found.items())
    ]
    note = f"{len(grid(ATOLL))} settings for each contender, {len(TUNING_SEEDS)} seeds for each setting."
    return f"{table(('function', 'contender', 'setting'), lines)}\n\n{note}" if lines else ""


def _of(rows: Sequence[Record], stage: str, problem: str, contender: str | None = None) -> list[Record]:
    return [
        row
        for row in rows
        if row.get("stage") == stage and row["problem"] == problem and contender in {None, row["contender"]}
    ]


def _by_seed(rows: Sequence[Record], contender: str, *, is_connected: bool) -> dict[int, Record]:
    return {
        row["seed"]: row
        for row in rows
        if row.get("stage") == "cost" and row["contender"] == contender and row["is_connected"] == is_connected
    }
