"""Sizes of all that is measured, and pools to exchange with: so many islands, each with all the publications of a run.

The default sizes are those of the numbers we hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import atomic
from atoll.evo.config import island_config
from atoll.evo.genome import Migrants, Population
from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import task_identity
from atoll.migration.pool import epochs
from atoll.migration.pool import identity as pools
from atoll.migration.pool.access import OpenPool, Ownership
from atoll.migration.pool.mailbox import DirectoryMailbox
from atoll.scripts.lab.kit.former import BEFORE

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.config import IslandConfig
    from atoll.evo.genome import GenomeSpec
    from atoll.evo.settings import Value


@dataclass(frozen=True)
class Plan:
    """The sizes of a run of the suite.

    Attributes:
        rounds: Rounds that are written down; each measures every case once.
        few_rounds: Of these, how many also measure what takes long.
        reference_populations: Sizes at which the reference is measured, which takes some fifty times as long.
        least_lives: Smaller populations are evaluated again and again until so many lives are lived.
        events: Migrations per round at each size of pool.
        archipelago: Islands that are run all at once.
        topology: "full" is the dearest: all islands meet, and an import reads from the most batches.
    """

    rounds: int = 10
    few_rounds: int = 3
    population: int = 250
    generations: int = 150
    migrate_every: int = 10
    life_s: float = 30.0
    controller: str = "neural"
    courses: int = 1
    populations: tuple[int, ...] = (16, 32, 64, 128, 250, 512, 1024, 2048, 4096)
    reference_populations: tuple[int, ...] = (16, 250, 1024)
    least_lives: int = 1024
    reference_generations: int = 10
    pools: tuple[int, ...] = (2, 20, 200, 1000)
    events: int = 5
    archipelago: int = 20
    topology: str = "full"

    @property
    def options(self) -> dict[str, str]:
        """The task's options, as flags and TOML spell them."""
        return {"courses": str(self.courses), "life_s": str(self.life_s), "controller": self.controller}

    def settings(self) -> dict[str, Value]:
        """Return what stands in every row."""
        names = ("population", "generations", "migrate_every", "topology", "life_s", "controller", "courses")
        return {name: getattr(self, name) for name in names}

    def config(self, island: str, **values: Value) -> IslandConfig:
        """Return the settings of an island; `values` are those that differ."""
        return island_config(island, {**self._sizes(), **values}, self.options)

    def arguments(self, island: str, root: Path, **values: Value) -> list[str]:
        """Return the same as arguments of `cli.py`."""
        flags = {**self._sizes(), **values, "migration_dir": str(root)}
        settings = [text for name, value in flags.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        options = [text for name, value in self.options.items() for text in ("-o", f"{name}={value}")]
        return ["evolve", island, *settings, *options]

    def _sizes(self) -> dict[str, Value]:
        names = ("population", "generations", "migrate_every", "topology")
        return {**BEFORE, **{name: getattr(self, name) for name in names}}


QUICK = Plan(
    rounds=2,
    few_rounds=1,
    population=16,
    generations=4,
    migrate_every=2,
    life_s=0.2,
    populations=(4, 16),
    reference_populations=(4, 16),
    least_lives=16,
    reference_generations=2,
    pools=(2, 5),
    events=2,
    archipelago=3,
)
"""Sizes at which the suite can be seen to work, in seconds; its figures mean nothing."""


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
