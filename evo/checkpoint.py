"""Checkpoints: an island's whole state in one file, written whole, verified when read, the newest two kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from atoll.evo import ancestry, arrayfile, atomic, config
from atoll.evo.errors import DamagedFileError, ResumeError
from atoll.evo.generation import Champion, Counts, MigrationSchedule, State
from atoll.evo.genome import Population
from atoll.evo.paths import CHECKPOINT_NAME, IslandPaths, PrivateFiles, parse_generation
from atoll.evo.settings import former

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

FORMAT = 1
KEPT = 2
MEMORY = "memory/"
"""What the names of arrays begin with that an algorithm remembers."""


@dataclass(frozen=True)
class Checkpoint:
    """A state, before anything was imported at it, and the settings and evaluator that computed it."""

    state: State
    settings: Mapping[str, Any]  # the task's options included
    backend: str


def save(paths: IslandPaths, checkpoint: Checkpoint, *, before_commit: Callable[[], None] = lambda: None) -> None:
    """Write a checkpoint, then drop all but the newest two; if either raises, older ones are untouched."""
    atomic.make_directory(paths.checkpoints)
    path = paths.checkpoint(checkpoint.state.generation)
    atomic.replace_file(path, encode(checkpoint), durable=True, before_commit=before_commit)
    for generation in kept(paths)[:-KEPT]:
        atomic.remove_file(paths.checkpoint(generation))


def kept(paths: PrivateFiles, *, at_most: int | None = None) -> list[int]:
    """Return the generations that have a checkpoint, sorted."""
    try:
        names = [entry.name for entry in paths.checkpoints.iterdir()]
    except FileNotFoundError:
        return []
    numbers = (parse_generation(name, CHECKPOINT_NAME) for name in names)
    return sorted(n for n in numbers if n is not None and (at_most is None or n <= at_most))


def drop(paths: IslandPaths, generations: Iterable[int], *, before_commit: Callable[[], None] = lambda: None) -> None:
    """Remove the checkpoints of generations that are lived again; `before_commit` may prevent each by raising."""
    for generation in generations:
        before_commit()
        atomic.remove_file(paths.checkpoint(generation))


def load_newest(paths: PrivateFiles, *, at_most: int | None = None) -> Checkpoint | None:
    """Return the highest checkpoint that verifies, of generation `at_most` or before, or None if there is none at all.

    Raises:
        ResumeError: There are checkpoints, but of another version, or none is intact.
    """
    damage: list[str] = []
    for generation in reversed(kept(paths, at_most=at_most)):
        path = paths.checkpoint(generation)
        try:
            return decode(path.read_bytes())
        except DamagedFileError as error:
            damage.append(f"{path}: {error}")
    if damage:
        raise ResumeError(f"no checkpoint is intact ({'; '.join(damage)}); start again with --fresh")
    return None


def encode(checkpoint: Checkpoint) -> bytes:
    """Write a checkpoint as bytes; equal checkpoints give equal bytes."""
    state = checkpoint.state
    metadata = {
        "format": FORMAT,
        "kind": "checkpoint",
        "generation": state.generation,
        "islands": list(state.population.islands),
        "champion": {"fitness": state.champion.fitness, "generation": state.champion.generation},
        "counts": asdict(state.counts),
        "pace": {"last": state.schedule.last, "stretch": state.schedule.multiplier},
        "settings": dict(checkpoint.settings),
        "backend": checkpoint.backend,
    }
    arrays: arrayfile.Arrays = {
        "genes": state.population.genes,
        "ancestry": state.population.ancestry,
        "fitness": state.fitness,
        "champion_genes": state.champion.individual.genes,
        "champion_ancestry": state.champion.individual.ancestry,
        **{f"{MEMORY}{name}": array for name, array in state.memory.items()},
    }
    return arrayfile.encode(arrays, metadata)


def decode(data: bytes) -> Checkpoint:
    """Read what `encode` wrote; DamagedFileError if it is not intact, ResumeError if of another version."""
    arrays, metadata = arrayfile.decode(data)
    if metadata.get("kind") != "checkpoint":
        raise DamagedFileError(f"expected a checkpoint, got {metadata.get('kind')!r}")
    if metadata.get("format") != FORMAT:
        raise ResumeError(
            f"the checkpoint has format {metadata.get('format')}, this version of Atoll reads format {FORMAT}; "
            f"use the version that wrote it, or start again with --fresh"
        )
    pace = metadata.get("pace", {"last": 0, "stretch": 1})  # older checkpoints are of islands with a fixed interval
    try:
        islands = tuple(metadata["islands"])
        best = Population(arrays["champion_genes"], arrays["champion_ancestry"], islands)
        state = State(
            metadata["generation"],
            Population(arrays["genes"], arrays["ancestry"], islands),
            arrays["fitness"],
            Champion(best, **metadata["champion"]),
            Counts(**metadata["counts"]),
            MigrationSchedule(pace["last"], pace["stretch"]),
            {name.removeprefix(MEMORY): array for name, array in arrays.items() if name.startswith(MEMORY)},
        )
        return Checkpoint(state, metadata["settings"], metadata["backend"])
    except (KeyError, TypeError) as error:
        raise DamagedFileError(f"a checkpoint with parts missing or of another type: {error}") from error


def save_champion(
    path: Path,
    champion: Champion,
    *,
    island: str,
    task: Mapping[str, Any],
    before_commit: Callable[[], None] = lambda: None,
) -> None:
    """Write a champion with all that is needed to simulate it again; equal champions give equal bytes.

    Its table of islands is compacted: the one it was found with and the one it was resumed with may differ in length.
    """
    individual = ancestry.compact(champion.individual)
    metadata = {
        "format": FORMAT,
        "kind": "champion",
        "island": island,
        "generation": champion.generation,
        "fitness": champion.fitness,
        "islands": list(individual.islands),
        "task": dict(task),
    }
    arrays: arrayfile.Arrays = {"genes": individual.genes, "ancestry": individual.ancestry}
    atomic.replace_file(path, arrayfile.encode(arrays, metadata), durable=True, before_commit=before_commit)


def check_settings(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> None:
    """Raise ResumeError with every setting that differs from the checkpoint's, but for those that may."""
    compare_settings(checkpoint.settings, checkpoint.backend, settings)


def compare_settings(recorded: Mapping[str, Any], backend: str, settings: Mapping[str, Any]) -> None:
    """Raise ResumeError with every setting that differs from what was `recorded` at a start, but for those that may.

    A setting that is not among those was not known when they were written, or had its former value.
    """
    ignored = {"generations", "backend", "device", "lockstep_timeout_s"}
    known = config.all_settings()
    unsaid = {name: former(field) for name, field in known.items() if name in settings}
    unrecorded = config.former_settings()
    before, settings = unsaid | unrecorded | {**recorded}, unrecorded | {**settings}
    if before["algorithm"] != settings["algorithm"]:
        ignored |= config.all_own_settings()  # one says it all
    names = [name for name in sorted({*settings, *before}) if name not in ignored]
    changes = [
        f"{name} was {before.get(name)!r}, now {settings.get(name)!r}"
        for name in names
        if before.get(name) != settings.get(name)
    ]
    requested = settings.get("backend", "auto")
    if requested not in {"auto", backend}:
        changes.append(f"--backend was {backend!r}, now {requested!r}")
    if changes:
        raise ResumeError(
            f"this island was started with other settings: {'; '.join(changes)}; "
            f"repeat the old settings to go on, or use --fresh to archive it and start again"
        )
