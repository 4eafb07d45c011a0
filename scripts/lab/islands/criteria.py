"""Criteria of the plan, held against a finished run: independence, exchange, diversity.

PARALLEL_EXPERIMENTS.md, experiment 3, names three criteria in words; here each becomes questions with a number and a
threshold. The thresholds were fixed before the runs that they are held against: the first two with the first test of
the kind, the other two after the run of 5 islands, while that of 20 was running. Everything is read from the directory
of the run.

Exit codes: 0 all are met, 12 one is not; 2, 3, 7 and 9 as `cli.py` (README): no such directory, no pool in it, files
that cannot be read or are damaged.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo.config import ASYNC
from atoll.evo.errors import printable
from atoll.evo.paths import SharedPaths
from atoll.evo.records import Pruned, Published, Waiting
from atoll.migration.observe import snapshot, status
from atoll.migration.observe.history import read_histories
from atoll.migration.observe.status import FINISHED
from atoll.migration.pool import identity as pools
from atoll.migration.pool.access import open_pool
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, generations_in
from atoll.scripts.commands.options import json_option
from atoll.scripts.view.table import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.migration.observe.history import History
    from atoll.migration.observe.status import IslandStatus
    from atoll.migration.pool.access import OpenPool


INDEPENDENT = "all islands run independently"
MIGRATING = "periodic migration files appear"
DIVERSE = "the final population is diverse, not all from one island"

LEAST_ORIGINS = 2.0
"""Effective number of ancestors: as diverse as two islands of equal shares, at least."""
LARGEST_SHARE = 0.8
LEAST_F_ST = 0.05
"""From here on differentiation is called moderate, from 0.15 on great. Source: Wright 1978, "Evolution and the Genetics
of Populations", vol. 4."""
LEAST_DIVERSITY = 0.1
"""Of what the founders of the same island had, which were drawn at random."""


@dataclass(frozen=True)
class Answer:
    """Answer to one question of a criterion."""

    criterion: str
    question: str
    asked: str
    found: str
    is_met: bool


@dataclass(frozen=True)
class Posted:
    """Publications and imports of one island.

    Attributes:
        due: The generations at which it was to publish.
        published: Those of them whose publication is there, whole and valid, or was and has been pruned.
        migrations: At how many generations its ledger has a publication.
        givers: Of how many genomes, by the island that gave them.
        importing: At how many of its migrations somebody came.
    """

    name: str
    due: tuple[int, ...]
    published: tuple[int, ...]
    migrations: int
    givers: Counter[str]
    importing: int
    waits: int


def independence(histories: Sequence[History], rows: Sequence[IslandStatus], posted: Sequence[Posted]) -> list[Answer]:
    """Ask whether each island went its way: to its end, in a process of its own, beside the others, never waiting."""
    n = len(histories)
    finished = sum(row.condition == FINISHED for row in rows)
    processes = len({(row.host, row.pid) for row in rows if row.pid is not None})
    starts = sum(len(history.lives) for history in histories)
    together = most_at_once([(life.began_s, life.ended_s) for history in histories for life in history.lives])
    waits = sum(each.waits for each in posted)
    modes = {str(history.settings.get("mode")) for history in histories}
    waited = f"{waits} times, mode {' and '.join(sorted(modes))}"
    never = waits == 0 and modes == {ASYNC}
    answer = partial(Answer, INDEPENDENT)
    return [
        answer("reached their last generation", f"{n} of {n}", f"{finished} of {n}", finished == n > 0),
        answer("processes of their own", f"{n}", f"{processes}, started {starts} times", processes == n > 0),
        answer("lived at the same time", f"{n}", f"{together}", together == n > 0),
        answer("waited for another", f"0 times, mode {ASYNC}", waited, never),
    ]


def exchange(posted: Sequence[Posted]) -> list[Answer]:
    """Ask whether each island published at each of its intervals, and took from others."""
    n = len(posted)
    due = sum(len(each.due) for each in posted)
    there = sum(len(each.published) for each in posted)
    missing = [f"{each.name} gen {g}" for each in posted for g in sorted({*each.due} - {*each.published})]
    taking = sum(sum(each.givers.values()) > 0 for each in posted)
    genomes = sum(sum(each.givers.values()) for each in posted)
    own = sum(each.givers[each.name] for each in posted)
    givers = {name for each in posted for name in each.givers}
    importing, migrations = sum(each.importing for each in posted), sum(each.migrations for each in posted)
    first = f"; missing {missing[0]}" if missing else ""
    taken = f"{genomes} at {importing} of {migrations} migrations, of {len(givers)} islands, {own} own"
    answer = partial(Answer, MIGRATING)
    return [
        answer("publications at every interval", f"{due} of {due}", f"{there} of {due}{first}", due == there > 0),
        answer("islands that took genomes", f"{n} of {n}", f"{taking} of {n}", taking == n > 0),
        answer("genomes taken, from others alone", "some, none own", taken, genomes > own == 0),
    ]


def diversity(
    *, origins: float | None, largest: tuple[str, float], f_st: float | None, kept: Sequence[float]
) -> list[Answer]:
    """Ask whether the final population is diverse, within islands, between them, and by where its genes come from.

    Args:
        origins: The effective number of ancestors of all genes.
        largest: The ancestor of most genes, and its share of them.
        f_st: Between the islands' newest checkpoints.
        kept: For each island its diversity in the end, as a share of its founders'.
    """
    name, share = largest
    within = float(np.mean(kept)) if kept else 0.0
    many, apart = origins is not None and origins >= LEAST_ORIGINS, f_st is not None and f_st >= LEAST_F_ST
    ancestors = "unknown" if origins is None else f"{origins:.2f}"
    differentiation = "unknown" if f_st is None else f"{f_st:.3f}"
    largest_share = f"{share:.1%}, {name}"
    kept_within = within >= LEAST_DIVERSITY
    answer = partial(Answer, DIVERSE)
    return [
        answer("effective number of ancestors", f"{LEAST_ORIGINS:g} or more", ancestors, many),
        answer(
            "largest share of one island's founders",
            f"{LARGEST_SHARE:.0%} or less",
            largest_share,
            share <= LARGEST_SHARE,
        ),
        answer("F_ST between islands", f"{LEAST_F_ST} or more", differentiation, apart),
        answer("diversity within, of the founders'", f"{LEAST_DIVERSITY:.0%} or more", f"{within:.1%}", kept_within),
    ]


def most_at_once(spans: Sequence[tuple[float | None, float | None]]) -> int:
    """Return how many of these spans of time, at most, have a moment in common; a span without an end is none."""
    whole = [(began_s, ended_s) for began_s, ended_s in spans if began_s is not None and ended_s is not None]
    return max((sum(began_s <= start_s <= ended_s for began_s, ended_s in whole) for start_s, _ in whole), default=0)


NOT_MET = 12


@click.command()
@click.argument("root", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("shared"))
@json_option
def main(*, root: Path, is_json: bool) -> None:
    """Hold a finished run against the criteria of the plan; exit code 0 if all are met, 12 if not."""
    answers = examine(SharedPaths(root))
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
    """
    pools.check_directory(shared)
    pool = open_pool(shared)
    rows = [row for row in status.read_all(shared) if not row.unreadable]
    histories = read_histories(shared, [row.name for row in rows])
    posted = [_posted(pool, history, row) for history, row in zip(histories, rows, strict=True)]
    found = snapshot.look(shared, (), spec=pool.spec)
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


def _posted(pool: OpenPool, history: History, row: IslandStatus) -> Posted:
    migrations = sorted({event.generation for event in history.events if isinstance(event, Published)})
    due = _due(history, row.target, migrations)
    arrivals = history.arrivals
    return Posted(
        history.island,
        due,
        tuple(g for g in due if _is_published(pool, history, g)),
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


def _is_published(pool: OpenPool, history: History, generation: int) -> bool:
    pruned = {g for event in history.events if isinstance(event, Pruned) for g in event.generations or ()}
    if generation in pruned:
        return True
    if generation not in generations_in(pool.shared.island(history.island).outbox):
        return False
    try:
        pool.read(history.island, generation)
    except (RefusedError, VanishedError):
        return False
    return True
