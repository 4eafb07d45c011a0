"""Champion's file: whose it is, its genes and where they come from, and the task that it can be tried on again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo import arrayfile, atomic
from atoll.evo.errors import AtollError, ConfigError, DamagedFileError
from atoll.evo.tasks.loader import load_task, recorded_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from atoll.evo.genome import Ancestry, Floats, GenomeSpec
    from atoll.evo.paths import SharedPaths
    from atoll.evo.tasks.creatures.task import Creatures

MAX_BYTES = 1 << 30
"""More than any genome takes that fits into the memory of who evolves it."""


@dataclass(frozen=True)
class Champion:
    """The best individual that an island has seen.

    Attributes:
        generation: When it was found.
        genome: Its genes, [D].
        ancestry: For each gene, which island's founders it descends from: an index into `islands`, [D].
        islands: The names that `ancestry` points into.
        task: Name, options and genome layout of the problem, as the file says; of each segment its name and size.
    """

    island: str
    generation: int
    fitness: float
    genome: Floats
    ancestry: Ancestry
    islands: tuple[str, ...]
    task: Mapping[str, Any]

    @property
    def is_creature(self) -> bool:
        """Whether it has a body."""
        return bool(self.task["name"] == "creatures")

    @property
    def shares(self) -> dict[str, float]:
        """The share of its genes that descends from each island's founders, where that is any."""
        counts = Counter(self.islands[origin] for origin in self.ancestry.tolist())
        return {name: counts[name] / self.genome.size for name in self.islands if counts[name]}


def read(path: Path) -> Champion:
    """Read a champion's file.

    Raises:
        DamagedFileError: It is none, or damaged.
        StorageError: It cannot be read.
    """
    with atomic.storage_errors("read the champion"), path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        arrays, metadata = arrayfile.decode(data)
        return _champion(arrays, metadata)
    except (DamagedFileError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedFileError(f"{path} is no champion that can be read: {error}") from error


def read_all(shared: SharedPaths, names: Iterable[str]) -> tuple[dict[str, Champion], list[str]]:
    """Return the champions of these islands that there are, and what kept others from being read."""
    champions, notes = {}, []
    for name in names:
        path = shared.island(name).champion
        if path.exists():
            try:
                champions[name] = read(path)
            except AtollError as error:
                notes.append(f"the champion of {name}: {error}")
    return champions, notes


def creatures_of(champion: Champion) -> Creatures:
    """Return the task that a creature was found for.

    Raises:
        ConfigError: It is a champion of another task, or of another version's bodies.
    """
    if not champion.is_creature:
        raise ConfigError(f"expected a champion of creatures, got one of {champion.task['name']}")
    name = champion.task["name"]
    try:
        creatures: Any = load_task(name, recorded_options(name, champion.task["options"]))
    except ConfigError as error:
        raise ConfigError(f"its task has options that this version does not know: {error}") from error
    check_genome(champion, creatures.spec)
    found: Creatures = creatures
    return found


def check_genome(champion: Champion, spec: GenomeSpec) -> None:
    """Make sure that a task can read a champion's genome.

    Raises:
        ConfigError: It is laid out otherwise than `spec`, or a gene is outside its bounds.
    """
    if champion.task["genome_sha256"] != spec.sha256:
        raise ConfigError("its genome is laid out for another task, or for another version of it")
    if champion.genome.shape != (spec.size,):
        raise ConfigError(f"expected {spec.size} genes, got {champion.genome.size}")
    if not spec.contains(champion.genome):
        raise ConfigError("a gene is outside its bounds")


def _champion(arrays: arrayfile.Arrays, metadata: dict[str, Any]) -> Champion:
    if metadata["kind"] != "champion":
        raise DamagedFileError(f"expected a champion, got {metadata['kind']!r}")
    genes, painted = arrays["genes"], arrays["ancestry"]
    islands, task = tuple(map(str, metadata["islands"])), metadata["task"]
    if genes.dtype != np.float32 or genes.ndim != 2 or len(genes) != 1 or painted.shape != genes.shape:
        raise DamagedFileError(f"expected one genome and its ancestry, got {genes.shape} and {painted.shape}")
    if painted.max(initial=0) >= len(islands):
        raise DamagedFileError("ancestry points outside the table of islands")
    return Champion(
        island=str(metadata["island"]),
        generation=int(metadata["generation"]),
        fitness=float(metadata["fitness"]),
        genome=genes[0],
        ancestry=painted[0],
        islands=islands,
        task={
            **task,
            "name": str(task["name"]),
            "options": dict(task["options"]),
            "genome_sha256": str(task["genome_sha256"]),
            "segments": [(str(name), int(size)) for name, size, *_ in task.get("segments", ())],
        },
    )
