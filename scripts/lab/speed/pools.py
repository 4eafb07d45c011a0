"""Pools to exchange with: so many islands, each with all the publications of a whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import atomic
from atoll.evo.genome import Migrants, Population
from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import task_identity
from atoll.migration.pool import epochs
from atoll.migration.pool import identity as pools
from atoll.migration.pool.access import OpenPool, Ownership
from atoll.migration.pool.mailbox import DirectoryMailbox

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.genome import GenomeSpec
    from atoll.scripts.lab.speed.plan import Plan

ANCESTORS = 16
"""Islands that the genes of one migrant descend from, at most: after some migrations they are mixed."""


def populate(root: Path, plan: Plan, *, peers: int) -> None:
    """Publish what `peers` islands would have published in a run of this plan; their genomes are random."""
    shared = SharedPaths(root)
    config = plan.config("peer")
    task = load_task(config.task, plan.options, backend="reference")  # lives nothing, so needs no compiler
    pool = OpenPool(shared, pools.join(shared, seed=config.seed, task=task_identity(task)), task.spec)
    names = tuple(f"peer-{number:04}" for number in range(1, peers + 1))
    for name in names:
        paths = shared.island(name)
        epoch = epochs.claim(
            paths, after=0, generation=0, target=plan.generations, population=plan.population, task=task.name
        )
        mailbox = DirectoryMailbox(Ownership(pool, paths, epoch), durable=False)
        for generation in range(plan.migrate_every, plan.generations + 1, plan.migrate_every):
            migrants = _migrants(name, generation, names, task.spec, n=config.migration.migrants)
            mailbox.publish(generation, migrants)


def forget(root: Path, island: str) -> None:
    """Remove all that an island left, so that the next one of this name finds the pool as it was."""
    paths = SharedPaths(root).island(island)
    for folder in (paths.outbox, paths.home):
        atomic.remove_directory(folder)


def _migrants(island: str, generation: int, names: tuple[str, ...], spec: GenomeSpec, *, n: int) -> Migrants:
    rng = np.random.default_rng([generation, *island.encode()])
    others = rng.choice(names, min(ANCESTORS, len(names)), replace=False)
    ancestry = rng.integers(len(others), size=(n, spec.size)).astype(np.uint16)
    population = Population(spec.sample(rng, n), ancestry, tuple(map(str, others)))
    ids = tuple(f"{island}:{generation}:{index}" for index in range(n))
    return Migrants(population, rng.standard_normal(n).astype(np.float32), ids)
