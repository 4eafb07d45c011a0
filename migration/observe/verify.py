"""Verify a whole archipelago: change nothing, and report everything in it that an island would refuse.

The pool is read as an importer reads it, with the same bounds; the private folders as their owners do. What another
process writes or removes meanwhile is no defect. Findings are collected within bounds, since a hostile pool may hold
more defects than memory does.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any

from atoll.evo import arrayfile, moments, strict_json
from atoll.evo.errors import AtollError, DamagedFileError, PoolMismatchError
from atoll.evo.paths import (
    CHECKPOINT_NAME,
    EPOCH_NAME,
    GENOMES,
    MANIFEST,
    REQUEST,
    REQUEST_NAME,
    TEMPORARY,
    TRASH,
    is_island_name,
    parse_generation,
)
from atoll.migration.observe.history import is_torn, read_lines
from atoll.migration.pool import epochs, inbox, islands
from atoll.migration.pool import identity as pools
from atoll.migration.pool.access import OpenPool, spec_of
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
from atoll.migration.team.files import TeamFiles, is_of_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from atoll.evo.paths import IslandPaths, SharedPaths

LEFTOVERS = (TEMPORARY, TRASH, ".nfs")
LOCK_ENDINGS = (".owner.lock", ".prune.lock")
MAX_SMALL_BYTES = 64 * 1024
MAX_FILES_OF_A_BATCH = 64
MAX_PRIVATE_BYTES = 1 << 30
MAX_KEPT = 10_000
DEFAULT_LIMIT_S = 600.0
COUNTED = ("islands", "batches", "genomes", "starts", "private_files")


@dataclass(frozen=True)
class Defect:
    """Something that does not belong where it is, or is not intact, from which byte of the file on if that is known."""

    path: str
    reason: str
    byte: int | None = None


class OutOfTimeError(Exception):
    """The time for an examination is over."""


@dataclass
class Findings:
    """The findings of a verification, collected for `limit_s` by a monotonic clock.

    Attributes:
        counts: How many islands, batches, genomes, starts and private files are in order.
        defects: What is not; the first 10,000.
        leftovers: What is half written or half removed, as a running or killed process leaves it; the first 10,000.
        more: How many defects and leftovers there are beyond those.
        left_out: What was not read, and why.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    defects: list[Defect] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    more: int = 0
    left_out: list[str] = field(default_factory=list)
    limit_s: InitVar[float] = DEFAULT_LIMIT_S
    clock: InitVar[Callable[[], float]] = time.monotonic

    def __post_init__(self, limit_s: float, clock: Callable[[], float]) -> None:
        self._clock, self._deadline_s = clock, clock() + limit_s

    @property
    def is_clean(self) -> bool:
        """All was read, and all is in order."""
        return not (self.defects or self.more or self.left_out)

    def check_time(self) -> None:
        """Raise `OutOfTimeError` if there is no time for one more file."""
        if self._clock() > self._deadline_s:
            raise OutOfTimeError

    def defect(self, path: Path, reason: str, *, byte: int | None = None) -> None:
        """Note that something is not in order."""
        if len(self.defects) < MAX_KEPT:
            self.defects.append(Defect(str(path), reason, byte))
        else:
            self.more += 1

    def leftover(self, path: Path) -> None:
        """Note something that its owner's next start removes or mends."""
        if len(self.leftovers) < MAX_KEPT:
            self.leftovers.append(str(path))
        else:
            self.more += 1


def verify(
    shared: SharedPaths, *, limit_s: float = DEFAULT_LIMIT_S, clock: Callable[[], float] = time.monotonic
) -> Findings:
    """Check every name, record, manifest, hash and gene of a pool, and every private file of its islands.

    After `limit_s` by a monotonic clock it stops, and says what was left out.

    Raises:
        PoolMismatchError: There is no pool.
        OSError: A directory cannot be listed.
    """
    report = Findings(limit_s=limit_s, clock=clock)
    try:
        pool = _open(report, shared)
        if pool is None:
            report.left_out.append("all else: without POOL.json nobody can say what belongs to the run")
        else:
            _verify_all(report, pool)
    except OutOfTimeError:
        report.left_out.append(f"the rest: {limit_s:g} s were over")
    return report


def _open(report: Findings, shared: SharedPaths) -> OpenPool | None:
    """Return the pool; None, and a defect, if POOL.json does not say what it is."""
    try:
        identity = pools.read(shared)
        pool = OpenPool(shared, identity, spec_of(identity.task)) if identity else None
    except PoolMismatchError as error:
        report.defect(shared.identity, str(error), byte=getattr(error.__cause__, "byte", None))
        return None
    if pool is None:
        raise pools.missing(shared)
    if pool.spec.sha256 != pool.identity.task["genome_sha256"]:
        report.defect(shared.identity, "it describes another genome layout than its hash says")
        return None
    return pool


def _verify_all(report: Findings, pool: OpenPool) -> None:
    shared = pool.shared
    names = list_names(shared.pool)
    folders = islands_in(shared.pool)
    _verify_names(report, shared.pool, names, known={*folders, shared.identity.name, shared.locks.name})
    _verify_locks(report, shared)
    if len(folders) > MAX_ISLANDS:
        report.defect(shared.pool, f"{len(folders)} islands, of which importers see {MAX_ISLANDS}")
        report.left_out.append(f"{len(folders) - MAX_ISLANDS} islands after {folders[MAX_ISLANDS - 1]}")
    homes = _list(report, shared.homes)
    _verify_names(report, shared.homes, homes, known=set(filter(is_island_name, homes)))
    closed = islands.unreadable_of(shared, sorted({*folders[:MAX_ISLANDS], *filter(is_island_name, homes)}))
    for name, why in closed.items():
        report.left_out.append(f"{name}: {why}")
    started = set(islands.started(shared))
    for name in folders[:MAX_ISLANDS]:
        if name not in started:
            _verify_stray(report, shared.island(name))
        elif name not in closed:
            _verify_island(report, pool, shared.island(name))
    for name in filter(is_island_name, homes):
        if name not in closed:
            verify_home(report, shared.island(name))


def _list(report: Findings, folder: Path, *, limit: int = MAX_ENTRIES) -> list[str]:
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


def _verify_names(report: Findings, folder: Path, names: list[str], *, known: set[str]) -> None:
    """Report the names of a folder that have no meaning there, unless they have gone meanwhile."""
    if len(names) >= MAX_ENTRIES:
        report.defect(folder, f"{MAX_ENTRIES} entries or more; the rest is read by nobody")
    for name in names:
        if name.startswith(LEFTOVERS):
            report.leftover(folder / name)
        elif name not in known and os.path.lexists(folder / name):
            report.defect(folder / name, "does not belong here")


def _verify_locks(report: Findings, shared: SharedPaths) -> None:
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


def _verify_island(report: Findings, pool: OpenPool, paths: IslandPaths) -> None:
    names = _list(report, paths.outbox)
    if not names:
        return
    report.counts["islands"] += 1
    batches = {name: n for name in names if (n := parse_generation(name)) is not None}
    _verify_names(report, paths.outbox, names, known={*batches, paths.epochs.name, paths.beat.name})
    nonces = _verify_epochs(report, paths)
    _verify_beat(report, paths, nonces)
    for generation in sorted(batches.values()):
        report.check_time()
        _verify_batch(report, pool, paths, generation, nonces=nonces)


def _verify_stray(report: Findings, paths: IslandPaths) -> None:
    """Name a folder that is no island's, unless it has gone, or whoever has its lock starts there just now."""
    if os.path.lexists(paths.owner_lock):
        report.leftover(paths.outbox)
    elif os.path.lexists(paths.outbox):
        report.defect(paths.outbox, "no island has ever started here")


def _verify_epochs(report: Findings, paths: IslandPaths) -> dict[int, str]:
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
            report.counts["starts"] += 1
    return nonces


def _verify_beat(report: Findings, paths: IslandPaths, nonces: dict[int, str]) -> None:
    document = _document(report, paths.beat)
    if document is None:
        return
    epoch = document.get("epoch") if isinstance(document, dict) else None
    if type(epoch) is not int or not _is_of_start(paths, nonces, epoch, document.get("nonce")):
        report.defect(paths.beat, "not the beat of any start of this island")


def _verify_batch(
    report: Findings, pool: OpenPool, paths: IslandPaths, generation: int, *, nonces: dict[int, str]
) -> None:
    folder = paths.publication(generation)
    try:
        batch = pool.read(paths.name, generation)
    except RefusedError as error:
        report.defect(folder / error.name, str(error), byte=error.byte)
        return
    except VanishedError as error:
        if folder.is_dir():
            report.defect(folder / str(error), "missing")
        return
    epoch, nonce = batch.manifest.epoch, batch.manifest.nonce
    if not _is_of_start(paths, nonces, epoch, nonce):
        report.defect(folder / MANIFEST, f"published by epoch {epoch}, of which there is no such record")
        return
    _verify_names(report, folder, _list(report, folder, limit=MAX_FILES_OF_A_BATCH), known={MANIFEST, GENOMES})
    report.counts["batches"] += 1
    report.counts["genomes"] += len(batch.migrants)


def _is_of_start(paths: IslandPaths, nonces: dict[int, str], epoch: int, nonce: object) -> bool:
    """Say whether a start of that number and secret name has a record, maybe of just now."""
    return nonces.get(epoch) == nonce or _nonce(paths, epoch) == nonce is not None


def _nonce(paths: IslandPaths, epoch: int) -> str | None:
    try:
        record = epochs.read(paths, epoch)
    except OSError:
        return None
    return record.nonce if record else None


def _document(report: Findings, path: Path) -> Any:  # noqa: ANN401 - JSON is whatever it is
    """Return what a small JSON file says; None, and a defect, if it says nothing; None if it has gone."""
    try:
        with directory(path.parent) as descriptor:
            return strict_json.parse(read_file(descriptor, path.name, limit=MAX_SMALL_BYTES))
    except (RefusedError, DamagedFileError) as error:
        report.defect(path, str(error), byte=error.byte)
    except VanishedError:
        pass
    return None


def verify_home(report: Findings, paths: IslandPaths) -> None:
    """Check an island's checkpoints, inbox, moments, champion, log and ledger, and its team's files.

    `migration.log` is left out: it is for people, and says what the ledger says.
    """
    folders = {"checkpoint": paths.checkpoints, "inbox": paths.inboxes, "moments": paths.all_moments}
    for kind, folder in folders.items():
        for name in _names(report, folder):
            generation = parse_generation(name, CHECKPOINT_NAME)
            if generation is None:
                report.defect(folder / name, f"no name of a file of the {kind}")
            else:
                _verify_arrays(report, folder / name, kind=kind, generation=generation)
    team = TeamFiles(paths.home)
    known = {*folders.values(), team.folder, paths.log, paths.ledger, team.log, paths.migration_log, paths.champion}
    for name in _names(report, paths.home):
        if paths.home / name not in known:
            report.defect(paths.home / name, "not part of an island's private folder")
    _verify_arrays(report, paths.champion, kind="champion")
    _verify_team(report, team)
    for path in (paths.log, paths.ledger, team.log):
        _verify_lines(report, path)


def _verify_team(report: Findings, team: TeamFiles) -> None:
    """Check that a team's folder holds what belongs there; an owner checks scores itself before it uses them."""
    for name in _names(report, team.folder):
        if REQUEST_NAME.fullmatch(name):
            names = list(_names(report, team.folder / name))
            for strange in (each for each in names if not is_of_request(each)):
                report.defect(team.folder / name / strange, "no name of a file of a request")
            if REQUEST not in names:
                report.leftover(team.folder / name)  # its removal was cut short
            elif team.read_request(name) is None and (team.folder / name / REQUEST).exists():
                report.defect(team.folder / name / REQUEST, "not a request for scores")
        elif name not in {team.paths.team_now.name, team.paths.team_members.name}:
            report.defect(team.folder / name, "not part of a team's folder")


def _names(report: Findings, folder: Path) -> Iterator[str]:
    try:
        names = list_names(folder)
    except PermissionError as error:
        report.left_out.append(f"{folder}: {error.strerror}")
        return
    for name in names:
        if name.startswith(LEFTOVERS):
            report.leftover(folder / name)
        else:
            yield name


def _verify_arrays(report: Findings, path: Path, *, kind: str, generation: int | None = None) -> None:
    report.check_time()
    try:
        with directory(path.parent) as descriptor:
            data = read_file(descriptor, path.name, limit=MAX_PRIVATE_BYTES)
        _, metadata = arrayfile.decode(data)
        expected = (kind, metadata.get("generation") if generation is None else generation)
        if (metadata.get("kind"), metadata.get("generation")) != expected:
            report.defect(path, f"expected {kind} {generation}, it says {metadata.get('kind')!r} of another generation")
            return
        if kind == "inbox":
            inbox.decode(data)
        if kind == "moments":
            moments.decode(data)
    except VanishedError:
        return
    except (RefusedError, DamagedFileError) as error:
        report.defect(path, str(error), byte=error.byte)
    except (AtollError, KeyError, TypeError, ValueError) as error:
        report.defect(path, f"not a usable {kind}: {error}")
    else:
        report.counts["private_files"] += 1


def _verify_lines(report: Findings, path: Path) -> None:
    """Check a log line by line; the last one may be torn, since its writer may be at it or have been killed."""
    report.check_time()
    try:
        faults = [_verify_line(report, path, *line) for line in read_lines(path)]
    except VanishedError:
        return
    except RefusedError as error:
        report.defect(path, str(error))
        return
    if not any(faults):
        report.counts["private_files"] += 1


def _verify_line(report: Findings, path: Path, start: int, line: bytes) -> bool:
    """Report what is wrong with a line, and say whether something is."""
    report.check_time()
    if is_torn(line):
        report.leftover(path)
        return False
    try:
        record = strict_json.parse(line)
    except DamagedFileError as error:
        report.defect(path, str(error), byte=start + (error.byte or 0))
        return True
    is_record = isinstance(record, dict) and isinstance(record.get("kind"), str)
    if not is_record or type(record.get("generation")) is not int:
        report.defect(path, "not a record of an island", byte=start)
        return True
    return False
