"""Cost of checkpointing, publishing and importing: per event in pools of any size, and as a share of a run.

Seconds are given twice, with and without waiting for the disk: that wait is the machine's, and differs between disks by
more than all the rest together.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from atoll.evo import atomic, compiler
from atoll.evo.paths import SharedPaths
from atoll.migration.pool.access import open_pool
from atoll.scripts.lab.speed.generation import ISLAND, LOOP, run_timed
from atoll.scripts.lab.speed.plan import populate
from atoll.scripts.lab.speed.rounds import Case, Figure, Table, by_round

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from atoll.evo.settings import Value
    from atoll.migration.pool.access import OpenPool
    from atoll.scripts.lab.kit.rows import Row, Run
    from atoll.scripts.lab.speed.generation import Lap
    from atoll.scripts.lab.speed.plan import Plan
    from atoll.scripts.lab.speed.rounds import Round

BLINK_S = 0.1
"""A life so short that evaluation does not matter where events are measured."""
OFF: dict[str, Value] = {"topology": "none", "checkpoint_every": 1_000_000_000}
EVENT = ("checkpoint", "publish", "import", "settle")
"""What an event is made of: to import is to take genomes in, to settle is to note what became of them."""
PARTS = (*EVENT, "champion")
FILES = ("checkpoint", "its hash", "moments", "publication", "checks", "inbox", "all of them")
GENE_BYTES = 6
"""Of one gene and its ancestor's number."""
MOMENT_BYTES = 8
EVENT_MS = {20: 4.0, 1000: 6.0}
"""What one event may cost, by the number of islands in the pool."""
SHARE_PERCENT = {"native": 5.0, "reference": 0.5}


def cases(plan: Plan, place: Path) -> list[Case]:
    """Return events in every size of pool, and whole runs with and without them on each backend."""
    short = replace(plan, life_s=BLINK_S)
    found = []
    for islands in plan.pools:
        root = place / f"pool-{islands}"
        populate(root, short, peers=islands - 1)
        found.append(Case(partial(_events, short, root, islands)))
    found.append(Case(partial(_files_alone, plan, place / "files")))
    root = place / "runs"
    populate(root, plan, peers=plan.archipelago - 1)
    slow = replace(plan, generations=plan.reference_generations)
    for what, values in (("on", {}), ("off", OFF)):
        found.append(Case(partial(_run, slow, root, what, "reference", values), plan.few_rounds))
        if compiler.find():
            found.append(Case(partial(_run, plan, root, what, "native", values)))
    return found


def tables(run: Run) -> list[Table]:
    """Derive the cost of an event, and what all events make of a run."""
    events = [row for row in run.rows if row["what"] == "event"]
    alone = [row for row in run.rows if row["what"] == "files alone"]
    rounds = by_round([row for row in run.rows if row["what"] in {"on", "off"}], "what", "part")
    sizes = sorted({row["islands"] for row in events})
    return [
        Table(
            "Cost of one event, one row per event (ms)",
            [figure for n in sizes for figure in _of_pool(n, [row for row in events if row["islands"] == n])],
        ),
        Table(
            "The same bytes written, synced, hashed and checked as in one event, and nothing else (ms)",
            [Figure(f"{part}", [1000 * row["wall_s"] for row in alone if row["part"] == part]) for part in FILES],
        ),
        Table(
            "Share of migration and checkpointing in wall time (%)",
            [figure for backend in SHARE_PERCENT for figure in _of_runs(backend, rounds)],
        ),
    ]


def _of_pool(islands: int, events: list[Row]) -> list[Figure]:
    name = f"{islands} islands"
    return [
        Figure(
            f"{name}: {' + '.join(EVENT)}",
            [1000 * _spent_s(row, EVENT) for row in events],
            at_most=EVENT_MS.get(islands),
        ),
        Figure(f"{name}: the same without the disk", [1000 * _busy_s(row, EVENT) for row in events]),
        *(Figure(f"{name}: {part}", [1000 * row[f"{part}_s"] for row in events]) for part in PARTS),
    ]


def _of_runs(backend: str, rounds: list[Round]) -> list[Figure]:
    on, off = ("on", backend), ("off", backend)
    whole = [each[on] for each in rounds if on in each]
    both = [100 * (1 - each[off]["wall_s"] / each[on]["wall_s"]) for each in rounds if on in each and off in each]
    bound = SHARE_PERCENT[backend]
    return [
        Figure(f"{backend}: 1 - off / on", both, at_most=bound),
        Figure(
            f"{backend}: timed inside", [100 * _spent_s(row, PARTS) / row["wall_s"] for row in whole], at_most=bound
        ),
        Figure(
            f"{backend}: timed inside, without the disk", [100 * _busy_s(row, PARTS) / row["wall_s"] for row in whole]
        ),
    ]


def _events(plan: Plan, root: Path, islands: int) -> list[Row]:
    """Migrate at every generation: each checkpoints, publishes and imports."""
    config = plan.config(ISLAND, generations=plan.events, migrate_every=1)
    stopwatch = run_timed(config, root)
    events = zip(*(stopwatch.of(f"files/{part}") for part in PARTS), strict=True)
    return [{"what": "event", "islands": islands, "event": n, **_seconds(event)} for n, event in enumerate(events)]


def _files_alone(plan: Plan, place: Path) -> list[Row]:
    """Do to the disk what an event does, with bytes that are there already, and check batches as it does.

    No event can be faster, whatever is around that.
    """
    populate(place, plan, peers=1)
    config, pool = plan.config(ISLAND), open_pool(SharedPaths(place))
    [peer] = pool.shared.pool.glob("peer-*")
    n_batches = config.migration.migrants if config.migration.topology == "full" else 1  # a genome each from as many
    genome = bytes(GENE_BYTES * pool.spec.size)
    checkpoint, batch = plan.population * genome, config.migration.migrants * genome
    found: list[Row] = []
    for n in range(plan.events):
        steps: tuple[Callable[[], object], ...] = (
            partial(atomic.replace_file, place / f"checkpoint-{n}", checkpoint, durable=True),
            partial(hashlib.sha256, checkpoint),
            partial(atomic.replace_file, place / f"moments-{n}", bytes(MOMENT_BYTES * pool.spec.size), durable=True),
            partial(atomic.create_directory, place / f"gen-{n}", {"a": batch, "b": b"{}"}, tag="n", durable=False),
            partial(_check, pool, peer.name, plan.migrate_every, n_batches),
            partial(atomic.replace_file, place / f"inbox-{n}", batch, durable=True),
        )
        spent_s = [_timed(step) for step in steps]
        found += [
            {"what": "files alone", "part": part, "event": n, "wall_s": wall_s}
            for part, wall_s in zip(FILES, [*spent_s, sum(spent_s)], strict=True)
        ]
    atomic.remove_directory(place)
    return found


def _check(pool: OpenPool, island: str, generation: int, n: int) -> None:
    for _ in range(n):
        pool.read(island, generation)


def _timed(call: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    call()
    return time.perf_counter() - started_s


def _run(plan: Plan, root: Path, what: str, backend: str, values: dict[str, Value]) -> list[Row]:
    stopwatch = run_timed(plan.config(ISLAND, backend=backend, **values), root)
    [loop] = stopwatch.of(LOOP)
    seconds = _seconds(lap for part in PARTS for lap in stopwatch.of(f"files/{part}"))
    sizes = {"generations": plan.generations, "islands": plan.archipelago}
    return [{"what": what, "part": backend, "wall_s": loop.wall_s, **seconds, **sizes}]


def _seconds(laps: Iterable[Lap]) -> Row:
    """Return what each part took, and what of that it waited for the disk."""
    spent_s, disk_s = dict.fromkeys(PARTS, 0.0), dict.fromkeys(PARTS, 0.0)
    for lap in laps:
        part = lap.stage.removeprefix("files/")
        spent_s[part] += lap.wall_s
        disk_s[part] += lap.wall_s - lap.own_s
    return {f"{part}_s": spent_s[part] for part in PARTS} | {f"{part}_disk_s": disk_s[part] for part in PARTS}


def _spent_s(row: Row, parts: Iterable[str]) -> float:
    return sum(float(row[f"{part}_s"]) for part in parts)


def _busy_s(row: Row, parts: Iterable[str]) -> float:
    return sum(float(row[f"{part}_s"]) - float(row[f"{part}_disk_s"]) for part in parts)
