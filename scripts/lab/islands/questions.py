"""What the plan asked of islands, as questions with a number each: PARALLEL_EXPERIMENTS.md, experiment 3. Pure.

The plan names three criteria in words. The thresholds here were fixed before the runs that they are held against: the
first two with the first test of the kind, the other two after the run of 5 islands, while that of 20 was running.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.config import ASYNC
from atoll.migration.observe.status import FINISHED

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from atoll.migration.observe.history import History
    from atoll.migration.observe.status import IslandStatus

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
    """What became of one question.

    Attributes:
        criterion: What the plan asked for.
        question: A part of it.
        asked: What the answer has to be.
        found: What it is.
        is_met: Whether it is as asked.
    """

    criterion: str
    question: str
    asked: str
    found: str
    is_met: bool


@dataclass(frozen=True)
class Posted:
    """What one island exchanged.

    Attributes:
        name: The island.
        due: The generations at which it was to publish.
        published: Those of them whose publication is there, whole and valid, or was and has been pruned.
        migrations: At how many generations its ledger has a publication.
        givers: Of how many genomes, by the island that gave them.
        importing: At how many of its migrations somebody came.
        waits: How often its ledger says that it waited for others.
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
    return [
        Answer(INDEPENDENT, "reached their last generation", f"{n} of {n}", f"{finished} of {n}", finished == n > 0),
        Answer(
            INDEPENDENT, "processes of their own", f"{n}", f"{processes}, started {starts} times", processes == n > 0
        ),
        Answer(INDEPENDENT, "lived at the same time", f"{n}", f"{together}", together == n > 0),
        Answer(
            INDEPENDENT,
            "waited for another",
            f"0 times, mode {ASYNC}",
            f"{waits} times, mode {' and '.join(sorted(modes))}",
            waits == 0 and modes == {ASYNC},
        ),
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
    return [
        Answer(
            MIGRATING, "publications at every interval", f"{due} of {due}", f"{there} of {due}{first}", due == there > 0
        ),
        Answer(MIGRATING, "islands that took genomes", f"{n} of {n}", f"{taking} of {n}", taking == n > 0),
        Answer(
            MIGRATING,
            "genomes taken, from others alone",
            "some, none own",
            f"{genomes} at {importing} of {migrations} migrations, of {len(givers)} islands, {own} own",
            genomes > own == 0,
        ),
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
    return [
        Answer(
            DIVERSE,
            "effective number of ancestors",
            f"{LEAST_ORIGINS:g} or more",
            "unknown" if origins is None else f"{origins:.2f}",
            origins is not None and origins >= LEAST_ORIGINS,
        ),
        Answer(
            DIVERSE,
            "largest share of one island's founders",
            f"{LARGEST_SHARE:.0%} or less",
            f"{share:.1%}, {name}",
            share <= LARGEST_SHARE,
        ),
        Answer(
            DIVERSE,
            "F_ST between islands",
            f"{LEAST_F_ST} or more",
            "unknown" if f_st is None else f"{f_st:.3f}",
            f_st is not None and f_st >= LEAST_F_ST,
        ),
        Answer(
            DIVERSE,
            "diversity within, of the founders'",
            f"{LEAST_DIVERSITY:.0%} or more",
            f"{within:.1%}",
            within >= LEAST_DIVERSITY,
        ),
    ]


def most_at_once(spans: Sequence[tuple[float | None, float | None]]) -> int:
    """Return how many of these spans of time, at most, have a moment in common; a span without an end is none."""
    whole = [(began_s, ended_s) for began_s, ended_s in spans if began_s is not None and ended_s is not None]
    return max((sum(began_s <= start_s <= ended_s for began_s, ended_s in whole) for start_s, _ in whole), default=0)
