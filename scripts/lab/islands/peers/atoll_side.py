"""Atoll's archipelago in lockstep, in this process, on somebody else's function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo.recorder import MemoryRecorder
from atoll.scripts.lab.islands.budgeted import Arm, plan
from atoll.scripts.lab.islands.peers.plan import ATOLL, ISLANDS, MIGRANTS, POPULATION
from atoll.scripts.lab.islands.peers.rounds import Round, Watched, by_round
from atoll.scripts.run.archipelago import evolve_together

if TYPE_CHECKING:
    from atoll.evo.config import Value
    from atoll.evo.tasks.task import Task
    from atoll.scripts.lab.islands.peers.plan import Entry


def live(entry: Entry, task: Task) -> list[Round]:
    """Evolve it round by round; without migration islands live one after the other, and all is one round."""
    arm = Arm(ATOLL, ISLANDS, POPULATION, {**entry.setting, **migration(entry)})
    ends = round_ends(entry)
    watched = Watched(task)
    evolve_together(plan(arm, seed=entry.seed, budget=ends[-1]), watched, recorder_of=lambda _: MemoryRecorder())
    return by_round(watched.seen, ends=ends)


def migration(entry: Entry) -> dict[str, Value]:
    """Return the settings with which islands migrate as pygmo's do: a neighbour's best replaces who is worse."""
    return {
        "topology": "two-way-ring" if entry.is_connected else "none",
        "migrants": MIGRANTS,
        "replacement": "only-if-better",
        "migrate_every": entry.interval,
    }


def round_ends(entry: Entry) -> list[int]:
    """Return what all islands have evaluated at the end of each round: their immigrants come with the next one."""
    founders_and_children = POPULATION * (entry.generations + 1)
    if not entry.is_connected:
        return [ISLANDS * founders_and_children]
    n = entry.generations // entry.interval
    ends = [ISLANDS * (POPULATION * (k * entry.interval + 1) + MIGRANTS * (k - 1)) for k in range(1, n + 1)]
    return [*ends[:-1], ISLANDS * (founders_and_children + MIGRANTS * n)]
