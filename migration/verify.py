"""Read a whole pool, change nothing, and report everything in it that an island would refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evo.errors import PoolMismatchError
from evo.genome import GenomeSpec, Kind, Segment
from evo.paths import EPOCH_NAME, parse_generation
from migration import batch, epochs, pool
from migration.untrusted import MAX_ENTRIES, RefusedError, VanishedError, islands_in, list_names

if TYPE_CHECKING:
    from evo.paths import IslandPaths, SharedPaths


@dataclass(frozen=True)
class Defect:
    """Something in a pool that does not belong there or is not intact."""

    path: str
    reason: str


@dataclass(frozen=True)
class Findings:
    """What was read.

    Attributes:
        islands: How many islands.
        batches: How many batches that are in order.
        genomes: How many genomes in those.
        defects: All the rest.
    """

    islands: int
    batches: int
    genomes: int
    defects: tuple[Defect, ...]


def verify(shared: SharedPaths) -> Findings:
    """Check every name, manifest, hash and gene of a pool.

    Raises:
        PoolMismatchError: POOL.json is missing, damaged or of another format.
    """
    identity = pool.read(shared)
    if identity is None:
        raise PoolMismatchError(f"{shared.identity} does not exist: no island has used this directory yet")
    spec = spec_of(identity.task)
    islands = islands_in(shared.pool)
    known = {*islands, shared.identity.name, shared.locks.name}
    defects = [
        Defect(str(shared.pool / name), "not an island's folder")
        for name in list_names(shared.pool)
        if name not in known and not name.startswith(".")
    ]
    batches = genomes = 0
    for name in islands:
        found, wrong = _verify_island(shared, name, run_id=identity.run_id, spec=spec)
        batches, genomes = batches + len(found), genomes + sum(found)
        defects += wrong
    return Findings(len(islands), batches, genomes, tuple(defects))


def spec_of(task: Any) -> GenomeSpec:  # noqa: ANN401 - JSON of POOL.json
    """Rebuild the genome layout that POOL.json records.

    Raises:
        PoolMismatchError: It cannot be one.
    """
    try:
        return GenomeSpec(
            tuple(
                Segment(name, size, low, high, Kind(kind), scale)
                for name, size, low, high, kind, scale in task["segments"]
            )
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PoolMismatchError(f"POOL.json describes no genome layout ({error}); it is damaged") from error


def _verify_island(shared: SharedPaths, name: str, *, run_id: str, spec: GenomeSpec) -> tuple[list[int], list[Defect]]:
    paths = shared.island(name)
    entries = list_names(paths.outbox)
    sizes, defects = [], _verify_epochs(paths)
    if len(entries) >= MAX_ENTRIES:
        defects.append(Defect(str(paths.outbox), f"{MAX_ENTRIES} entries or more; the rest was not read"))
    for entry in entries:
        generation = parse_generation(entry)
        if generation is None:
            if not entry.startswith(".") and entry not in {paths.epochs.name, paths.beat.name}:
                defects.append(Defect(str(paths.outbox / entry), "not part of an island's folder"))
            continue
        try:
            found = batch.read(paths.outbox / entry, run_id=run_id, spec=spec, island=name, generation=generation)
            sizes.append(len(found.migrants))
        except RefusedError as error:
            defects.append(Defect(str(paths.outbox / entry), str(error)))
        except VanishedError:
            defects.append(Defect(str(paths.outbox / entry), "not complete, or pruned while it was read"))
    return sizes, defects


def _verify_epochs(paths: IslandPaths) -> list[Defect]:
    defects = []
    names = [name for name in list_names(paths.epochs) if not name.startswith(".")]
    for name in names:
        number = parse_generation(name, EPOCH_NAME)
        try:
            is_record = number is not None and epochs.read(paths, number) is not None
        except OSError as error:
            defects.append(Defect(str(paths.epochs / name), str(error)))
            continue
        if not is_record:
            defects.append(Defect(str(paths.epochs / name), "not the record of a start"))
    return defects if names else [Defect(str(paths.epochs), "no island has ever started here")]
