"""How large everything is that is measured; the defaults are those of the numbers we hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.evo.config import Value, island_config

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.config import IslandConfig


TOPOLOGY = "full"
"""All islands meet: the dearest of all, since an import reads from the most batches."""


@dataclass(frozen=True)
class Plan:
    """The sizes of a run of the suite.

    Attributes:
        rounds: Rounds that are written down; each measures every case once.
        few_rounds: Of these, how many also measure what takes long.
        population: Individuals of an island.
        generations: Generations of an island.
        migrate_every: Generations between migrations.
        life_s: Length of a life, in seconds.
        controller: What moves the muscles.
        courses: Courses a genome is scored on.
        populations: Sizes at which the native evaluator is measured.
        reference_populations: Sizes at which the reference is measured, which takes some fifty times as long.
        least_lives: Smaller populations are evaluated again and again until so many lives are lived.
        reference_generations: Generations of an island on the reference.
        pools: Islands in a pool when the cost of an exchange is measured.
        events: Migrations per round at each size of pool.
        archipelago: Islands that are run all at once.
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

    @property
    def options(self) -> dict[str, str]:
        """The task's options, as flags and TOML spell them."""
        return {"courses": str(self.courses), "life_s": str(self.life_s), "controller": self.controller}

    def settings(self) -> dict[str, Value]:
        """Return what stands in every row."""
        names = ("population", "generations", "migrate_every", "life_s", "controller", "courses")
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
        names = ("population", "generations", "migrate_every")
        return {**{name: getattr(self, name) for name in names}, "topology": TOPOLOGY}


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
