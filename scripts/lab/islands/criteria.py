"""Does a finished run meet what its plan asked of islands? `python -m scripts.lab criteria [DIR]`.

PARALLEL_EXPERIMENTS.md, experiment 3, names three criteria in words; `questions.py` makes of each questions with a
number and a threshold. Everything is read from the directory of the run.

Exit codes: 0 all are met, 12 one is not; 2, 3, 7 and 9 as `cli.py` (README): no such directory, no pool in it, files
that cannot be read or are damaged.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic
from atoll.evo.errors import AtollError
from atoll.evo.paths import SharedPaths
from atoll.evo.records import Pruned, Published, Waiting
from atoll.migration.observe import snapshot, status
from atoll.migration.observe.history import read_histories
from atoll.migration.observe.verify import spec_of
from atoll.migration.pool import batch
from atoll.migration.pool import identity as pool
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, generations_in
from atoll.scripts.commands.options import json_option
from atoll.scripts.lab.islands.questions import Answer, Posted, diversity, exchange, independence
from atoll.scripts.view.table import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.genome import GenomeSpec
    from atoll.migration.observe.history import History
    from atoll.migration.observe.status import IslandStatus

NOT_MET = 12


@click.command()
@click.argument("root", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("shared"))
@json_option
def main(*, root: Path, is_json: bool) -> None:
    """Hold a finished run against the criteria of the plan; exit code 0 if all are met, 12 if not."""
    try:
        with atomic.storage_errors("read the run"):
            answers = examine(SharedPaths(root))
    except AtollError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    is_met = all(answer.is_met for answer in answers)
    if is_json:
        click.echo(json.dumps({"is_met": is_met, "answers": [asdict(answer) for answer in answers]}))
    else:
        click.echo("\n".join(map(printable, as_text(answers).splitlines())))
    sys.exit(0 if is_met else NOT_MET)


def examine(shared: SharedPaths) -> list[Answer]:
    """Answer every question from the files of a run.

    Raises:
        PoolMismatchError: There is no pool, or POOL.json is damaged.
        StorageError: The directory cannot be read.
    """
    pool.check_directory(shared)
    identity = pool.read(shared)
    if identity is None:
        raise PoolMismatchError(f"{shared.identity} does not exist: no island has used this directory yet")
    spec = spec_of(identity.task)
    rows = [row for row in status.read_all(shared) if not row.unreadable]
    histories = read_histories(shared, [row.name for row in rows])
    posted = [
        _posted(shared, history, row, run_id=identity.run_id, spec=spec)
        for history, row in zip(histories, rows, strict=True)
    ]
    found = snapshot.look(shared, (), spec=spec)
    diversities = [(history.lines[0].diversity, history.lines[-1].diversity) for history in histories if history.lines]
    return [
        *independence(histories, rows, posted),
        *exchange(posted),
        *diversity(
            origins=found.effective,
            largest=max(found.ancestry.items(), key=lambda item: item[1], default=("nobody", 1.0)),
            f_st=found.f_st,
            kept=[end / start for start, end in diversities if start and end is not None],
        ),
    ]


def as_text(answers: Sequence[Answer]) -> str:
    """Return the answers as a table, with a line before each criterion that says what became of it as a whole."""
    lines = aligned(
        [(f"  {each.question}", each.asked, each.found, "met" if each.is_met else "NOT MET") for each in answers],
        n_words=4,
    ).splitlines()
    told: list[str] = []
    for criterion in dict.fromkeys(each.criterion for each in answers):
        own = [each.is_met for each in answers if each.criterion == criterion]
        told.append(f"{criterion}: {'met' if all(own) else 'NOT MET'}")
        told += [line for line, each in zip(lines, answers, strict=True) if each.criterion == criterion]
    return "\n".join(told)


def _posted(shared: SharedPaths, history: History, row: IslandStatus, *, run_id: str, spec: GenomeSpec) -> Posted:
    migrations = sorted({event.generation for event in history.events if isinstance(event, Published)})
    due = _due(history, row.target, migrations)
    arrivals = history.arrivals
    return Posted(
        history.island,
        due,
        tuple(g for g in due if _is_published(shared, history, g, run_id=run_id, spec=spec)),
        len(migrations),
        Counter(str(arrival.source) for arrival in arrivals),
        len({arrival.generation for arrival in arrivals}),
        sum(isinstance(event, Waiting) for event in history.events),
    )


def _due(history: History, target: int | None, migrations: Sequence[int]) -> tuple[int, ...]:
    """Return when an island was to publish; one with an adaptive interval decides that itself."""
    every = history.settings.get("migrate_every")
    if history.settings.get("topology") == "none" or not isinstance(every, int) or not every or target is None:
        return ()
    if history.settings.get("migration_interval") == "adaptive":
        return tuple(migrations)
    return tuple(range(every, target + 1, every))


def _is_published(shared: SharedPaths, history: History, generation: int, *, run_id: str, spec: GenomeSpec) -> bool:
    paths = shared.island(history.island)
    pruned = {g for event in history.events if isinstance(event, Pruned) for g in event.generations or ()}
    if generation in pruned:
        return True
    if generation not in generations_in(pool.shared.island(history.name).outbox):
        return False
    try:
        batch.read(
            paths.publication(generation), run_id=run_id, spec=spec, island=history.island, generation=generation
        )
    except (RefusedError, VanishedError):
        return False
    return True
