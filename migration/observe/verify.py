"""Read a whole archipelago, change nothing, and report everything in it that an island would refuse.

The pool is read as an importer reads it, with the same bounds; the private folders as their owners do
(`verify_home.py`). What another process writes or removes meanwhile is no defect.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Any

from atoll.evo import strict_json
from atoll.evo.errors import ConfigError, DamagedFileError, PoolMismatchError
from atoll.evo.genome import GenomeSpec
from atoll.evo.paths import EPOCH_NAME, GENOMES, MANIFEST, TEMPORARY, TRASH, is_island_name, parse_generation
from atoll.migration.observe.findings import DEFAULT_LIMIT_S, Findings, OutOfTimeError, Report
from atoll.migration.observe.verify_home import verify_home
from atoll.migration.pool import batch, epochs, islands
from atoll.migration.pool import identity as pool
from atoll.migration.pool.bounded_io import (
    MAX_ENTRIES,
    MAX_ISLANDS,
    RefusedError,
    VanishedError,
    directory,
    islands_in,
    list_names,
    read_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atoll.evo.paths import IslandPaths, SharedPaths

LEFTOVERS = (TEMPORARY, TRASH, ".nfs")
LOCK_ENDINGS = (".owner.lock", ".prune.lock")
MAX_SMALL_BYTES = 64 * 1024
MAX_FILES_OF_A_BATCH = 64


def verify(
    shared: SharedPaths, *, limit_s: float = DEFAULT_LIMIT_S, clock: Callable[[], float] = time.monotonic
) -> Findings:
    """Check every name, record, manifest, hash and gene of a pool, and every private file of its islands.

    Args:
        shared: The archipelago's files.
        limit_s: Stop after so many seconds, and say what was left out.
        clock: Seconds that never jump.

    Raises:
        PoolMismatchError: There is no pool.
        OSError: A directory cannot be listed.
    """
    report = Report(limit_s=limit_s, clock=clock)
    try:
        known = _identity(report, shared)
        if known is None:
            report.leave_out("all else: without POOL.json nobody can say what belongs to the run")
        else:
            _verify_all(shared, report, run_id=known[0], spec=known[1])
    except OutOfTimeError:
        report.leave_out(f"the rest: {report.limit_s:g} s were over")
    return report.findings()


def spec_of(task: Any) -> GenomeSpec:  # noqa: ANN401 - JSON of POOL.json
    """Rebuild the genome layout that POOL.json records.

    Raises:
        PoolMismatchError: It cannot be one.
    """
    try:
        return GenomeSpec.from_rows(task["segments"])
    except (ConfigError, KeyError, TypeError) as error:
        raise PoolMismatchError(f"POOL.json describes no genome layout ({error}); it is damaged") from error


def _identity(report: Report, shared: SharedPaths) -> tuple[str, GenomeSpec] | None:
    """Return the run and its genome layout; None, and a defect, if POOL.json does not say."""
    try:
        identity = pool.read(shared)
        spec = spec_of(identity.task) if identity else None
    except PoolMismatchError as error:
        report.defect(shared.identity, str(error), byte=getattr(error.__cause__, "byte", None))
        return None
    if identity is None or spec is None:
        raise PoolMismatchError(f"{shared.identity} does not exist: no island has used this directory yet")
    if spec.sha256 != identity.task["genome_sha256"]:
        report.defect(shared.identity, "it describes another genome layout than its hash says")
        return None
    return identity.run_id, spec


def _verify_all(shared: SharedPaths, report: Report, *, run_id: str, spec: GenomeSpec) -> None:
    names = list_names(shared.pool)
    folders = islands_in(shared.pool)
    _verify_names(report, shared.pool, names, known={*folders, shared.identity.name, shared.locks.name})
    _verify_locks(report, shared)
    if len(folders) > MAX_ISLANDS:
        report.defect(shared.pool, f"{len(folders)} islands, of which importers see {MAX_ISLANDS}")
        report.leave_out(f"{len(folders) - MAX_ISLANDS} islands after {folders[MAX_ISLANDS - 1]}")
    homes = _list(report, shared.homes)
    _verify_names(report, shared.homes, homes, known=set(filter(is_island_name, homes)))
    closed = islands.unreadable_of(shared, sorted({*folders[:MAX_ISLANDS], *filter(is_island_name, homes)}))
    for name, why in closed.items():
        report.leave_out(f"{name}: {why}")
    started = set(islands.started(shared))
    for name in folders[:MAX_ISLANDS]:
        if name not in started:
            _verify_stray(report, shared.island(name))
        elif name not in closed:
            _verify_island(report, shared.island(name), run_id=run_id, spec=spec)
    for name in filter(is_island_name, homes):
        if name not in closed:
            verify_home(report, shared.island(name))


def _list(report: Report, folder: Path, *, limit: int = MAX_ENTRIES) -> list[str]:
    """Return the names in a folder, and report if it is none; what has gone has no names."""
    try:
        if stat.S_ISDIR(folder.lstat().st_mode):
            return list_names(folder, limit=limit)
        report.defect(folder, "not a folder")
    except FileNotFoundError:
        pass
    except OSError as error:
        report.defect(folder, f"cannot be listed: {error.strerror}")
    return []


def _verify_names(report: Report, folder: Path, names: list[str], *, known: set[str]) -> None:
    """Report the names of a folder that have no meaning there, unless they have gone meanwhile."""
    if len(names) >= MAX_ENTRIES:
        report.defect(folder, f"{MAX_ENTRIES} entries or more; the rest is read by nobody")
    for name in names:
        if name.startswith(LEFTOVERS):
            report.leftover(folder / name)
        elif name not in known and os.path.lexists(folder / name):
            report.defect(folder / name, "does not belong here")


def _verify_locks(report: Report, shared: SharedPaths) -> None:
    names = _list(report, shared.locks)
    locks = set(filter(_is_lock, names))
    _verify_names(report, shared.locks, names, known=locks)
    for path in (shared.locks / name for name in sorted(locks)):
        try:
            is_file = stat.S_ISREG(path.lstat().st_mode)
        except FileNotFoundError:
            continue
        if not is_file:
            report.defect(path, "not a plain file")


def _is_lock(name: str) -> bool:
    return any(name.endswith(ending) and is_island_name(name.removesuffix(ending)) for ending in LOCK_ENDINGS)


def _verify_island(report: Report, paths: IslandPaths, *, run_id: str, spec: GenomeSpec) -> None:
    names = _list(report, paths.outbox)
    if not names:
        return
    report.count("islands")
    batches = {name: n for name in names if (n := parse_generation(name)) is not None}
    _verify_names(report, paths.outbox, names, known={*batches, paths.epochs.name, paths.beat.name})
    nonces = _verify_epochs(report, paths)
    _verify_beat(report, paths, nonces)
    for generation in sorted(batches.values()):
        report.check_time()
        _verify_batch(report, paths, generation, run_id=run_id, spec=spec, nonces=nonces)


def _verify_stray(report: Report, paths: IslandPaths) -> None:
    """Name a folder that is no island's, unless it has gone, or whoever has its lock starts there just now."""
    if os.path.lexists(paths.owner_lock):
        report.leftover(paths.outbox)
    elif os.path.lexists(paths.outbox):
        report.defect(paths.outbox, "no island has ever started here")


def _verify_epochs(report: Report, paths: IslandPaths) -> dict[int, str]:
    """Return the nonce of every start that has a record."""
    names = _list(report, paths.epochs)
    numbers = {name: n for name in names if (n := parse_generation(name, EPOCH_NAME)) is not None}
    _verify_names(report, paths.epochs, names, known=set(numbers))
    nonces: dict[int, str] = {}
    for name, number in sorted(numbers.items(), key=lambda item: item[1]):
        report.check_time()
        if _document(report, paths.epochs / name) is None:
            continue
        nonce = _nonce(paths, number)
        if nonce is None:
            report.defect(paths.epochs / name, "not the record of a start")
        else:
            nonces[number] = nonce
            report.count("starts")
    return nonces


def _verify_beat(report: Report, paths: IslandPaths, nonces: dict[int, str]) -> None:
    document = _document(report, paths.beat)
    if document is None:
        return
    epoch = document.get("epoch") if isinstance(document, dict) else None
    if type(epoch) is not int or not _is_of_start(paths, nonces, epoch, document.get("nonce")):
        report.defect(paths.beat, "not the beat of any start of this island")


def _verify_batch(
    report: Report, paths: IslandPaths, generation: int, *, run_id: str, spec: GenomeSpec, nonces: dict[int, str]
) -> None:
    folder = paths.publication(generation)
    try:
        found = batch.read(folder, run_id=run_id, spec=spec, island=paths.name, generation=generation)
    except RefusedError as error:
        report.defect(folder / error.name, str(error), byte=error.byte)
        return
    except VanishedError as error:
        if folder.is_dir():
            report.defect(folder / str(error), "missing")
        return
    epoch, nonce = found.manifest.epoch, found.manifest.nonce
    if not _is_of_start(paths, nonces, epoch, nonce):
        report.defect(folder / MANIFEST, f"published by epoch {epoch}, of which there is no such record")
        return
    _verify_names(report, folder, _list(report, folder, limit=MAX_FILES_OF_A_BATCH), known={MANIFEST, GENOMES})
    report.count("batches")
    report.count("genomes", len(found.migrants))


def _is_of_start(paths: IslandPaths, nonces: dict[int, str], epoch: int, nonce: object) -> bool:
    """Say whether a start of that number and secret name has a record, maybe of just now."""
    return nonces.get(epoch) == nonce or _nonce(paths, epoch) == nonce is not None


def _nonce(paths: IslandPaths, epoch: int) -> str | None:
    try:
        record = epochs.read(paths, epoch)
    except OSError:
        return None
    return record.nonce if record else None


def _document(report: Report, path: Path) -> Any:  # noqa: ANN401 - JSON is whatever it is
    """Return what a small JSON file says; None, and a defect, if it says nothing; None if it has gone."""
    try:
        with directory(path.parent) as descriptor:
            return strict_json.parse(read_file(descriptor, path.name, limit=MAX_SMALL_BYTES))
    except RefusedError as error:
        report.defect(path, str(error), byte=error.byte)
    except DamagedFileError as error:
        report.defect(path, str(error), byte=error.byte)
    except VanishedError:
        pass
    return None
