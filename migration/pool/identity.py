"""The identity of a pool, POOL.json: what all its islands agree on. Written by the first, obeyed by the others."""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from atoll.evo import atomic, strict_json
from atoll.evo.config import ASYNC, MODES
from atoll.evo.errors import ConfigError, DamagedFileError, PoolMismatchError, StorageError
from atoll.evo.paths import SharedPaths
from atoll.evo.settings import flag_name
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from atoll.migration.pool.locks import Locks, MountSupport

FORMAT = 1
MAX_BYTES = 1 << 20
MAX_TASK_BYTES = 3 << 18
"""What the description of a task may take as JSON within JSON, as a champion's header holds it beside other things."""
ROOT = 0
DEFAULT = {"mode": ASYNC}


class Pool(Struct, frozen=True):
    """The identity of an archipelago.

    Attributes:
        run_id: A name no other run has; it becomes part of a path.
        task: Name, options and genome layout of the problem.
        lock_class: The kind of lock that excludes on this mount.
        agreement: The mode of all islands and the settings that it rests on: `IslandConfig.agreement`.
    """

    run_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,128}\Z")]
    seed: int
    task: dict[str, Any]
    lock_class: Literal["flock", "soft"]
    agreement: dict[str, int | str]

    @property
    def locks(self) -> Locks:
        """The locks that all its islands use."""
        from atoll.migration.pool.locks import Locks  # noqa: PLC0415 - filelock is slow to import, and looking locks nothing

        return Locks(self.lock_class)


def join(
    paths: SharedPaths,
    *,
    seed: int,
    task: Mapping[str, Any],
    agreement: Mapping[str, Any] = DEFAULT,
    is_foreign_allowed: bool = False,
) -> Pool:
    """Read the pool's identity, or write it as its first island.

    `task` and `agreement` must be those of all islands; a pool of another account is refused unless told otherwise.

    Raises:
        ConfigError: The task's description is too large for the files that hold it.
        PoolMismatchError: The pool is for another task, seed, genome, mode or format.
        StorageError: The directory is missing, cannot be written to, belongs to another account, or lies on a file
            system that lacks what islands need.
    """
    _check_describable(task)
    check_directory(paths)
    with atomic.storage_errors("prepare the shared directory"):
        atomic.make_directory(paths.locks)
        check_account(paths, is_foreign_allowed=is_foreign_allowed)
    pool = read(paths)
    if pool is None:
        pool = _create_or_read(paths, seed=seed, task=task, agreement=agreement)
    _check_same(paths, pool, seed=seed, task=task, agreement=agreement)
    with atomic.storage_errors("clear what an earlier start left in the pool"):
        atomic.clear_leftovers(paths.pool)  # probes and drafts of POOL.json: of no use to anybody once there is one
    return pool


def _check_describable(task: Mapping[str, Any]) -> None:
    size = len(strict_json.encode(strict_json.encode(dict(task)).decode()))
    if size > MAX_TASK_BYTES:
        raise ConfigError(
            f"the description of task {task['name']} takes {size} bytes, and at most {MAX_TASK_BYTES} could be read "
            f"back: give the segments of its genome shorter names, or make fewer of them"
        )


def check_current(paths: SharedPaths, joined: Pool) -> None:
    """Make sure that the pool is still the one that was joined; its caller holds an owner lock by now.

    Raises:
        PoolMismatchError: It is being put away, has been, or was replaced.
        StorageError: POOL.json cannot be read.
    """
    archived = paths.archived_run(joined.run_id)
    with atomic.storage_errors("look whether this run is being archived"):
        is_archived = archived.exists()
    if is_archived:
        raise PoolMismatchError(
            f"this run is being archived to {archived}; 'cli.py pool archive' completes that, and then the same "
            f"command starts a new run (to keep the run instead, remove that folder once nothing is left in it)"
        )
    now = read(paths)
    if now is None or now.run_id != joined.run_id:
        raise PoolMismatchError(f"{paths.identity} was replaced while this island started; run the same command again")


def check_directory(paths: SharedPaths) -> None:
    """Refuse a directory whose parent is missing, or that lies in a shared directory: rather a slip than a wish.

    Raises:
        ConfigError: It lies in another shared directory, where its islands would be taken for others.
        StorageError: Its parent is missing, it is no directory, or nobody can say.
    """
    meant = _enclosing(paths)
    if meant is not None:
        raise ConfigError(f"{paths.root} lies in the shared directory {meant}; name that one")
    with atomic.storage_errors("look at the shared directory"):
        is_there, is_directory = paths.root.exists(), paths.root.is_dir()
        can_be_made = is_there or paths.root.absolute().parent.is_dir()
    if not can_be_made:
        raise StorageError(
            f"{paths.root.absolute().parent} does not exist; create it, or choose another --migration-dir"
        )
    if is_there and not is_directory:
        raise StorageError(f"{paths.root} is not a directory; choose another --migration-dir")


def _enclosing(paths: SharedPaths) -> Path | None:
    """Return the shared directory that has the root among its own folders, or in one of them; None if none does.

    An archived run lies in one, and is a shared directory all the same.
    """
    for root in dict.fromkeys((paths.root.absolute(), paths.root.resolve())):
        for place in (root, *root.parents):
            around = SharedPaths(place.parent)
            is_run_of_old = place == around.archive and place != root and _is_there(paths.identity)
            if place in around.folders and _is_there(around.identity) and not is_run_of_old:
                return around.root
    return None


def _is_there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - a folder above that may not be looked into is no reason to fail


def check_account(paths: SharedPaths, *, is_foreign_allowed: bool) -> None:
    """Refuse a pool or locks that belong to another account than ours or root's, unless told otherwise.

    Whoever owns a folder may take away or replace all that is in it, also where nobody else may write.

    Raises:
        StorageError: It is so.
        OSError: Nobody can say.
    """
    for folder in (paths.pool, paths.locks):
        account = folder.stat().st_uid
        if account not in {os.geteuid(), ROOT} and not is_foreign_allowed:
            raise StorageError(
                f"{folder} belongs to account {account}, and you are {os.geteuid()}; if you trust that account, use "
                f"--foreign-pool, else another --migration-dir"
            )


def read(paths: SharedPaths) -> Pool | None:
    """Return the pool's identity, or None if nobody has written it yet; errors are those of `require`."""
    try:
        with atomic.storage_errors("read POOL.json"):
            data = _read(paths)
        return _parse(strict_json.parse(data)) if data is not None else None
    except (DamagedFileError, RefusedError, KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise PoolMismatchError(
            f"{paths.identity} is damaged ({error}); move the pool away or use another --migration-dir"
        ) from error


def require(paths: SharedPaths) -> Pool:
    """Return the pool's identity.

    Raises:
        PoolMismatchError: There is none, or the file is damaged or of another format.
        StorageError: The file cannot be read.
    """
    pool = read(paths)
    if pool is None:
        raise missing(paths)
    return pool


def missing(paths: SharedPaths) -> PoolMismatchError:
    """Return the error of a directory without a pool."""
    return PoolMismatchError(f"{paths.identity} does not exist: no island has used this directory yet")


def _read(paths: SharedPaths) -> bytes | None:
    try:
        descriptor = os.open(paths.pool, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return read_file(descriptor, paths.identity.name, limit=MAX_BYTES)
    except VanishedError:
        return None
    finally:
        os.close(descriptor)


def _parse(document: dict[str, Any]) -> Pool:
    if type(document["format"]) is not int or document["format"] != FORMAT:
        raise PoolMismatchError(
            f"the pool has format {document['format']}, this version of Atoll reads format {FORMAT}; "
            f"use another --migration-dir"
        )
    pool = msgspec.convert(document, Pool)
    texts = (pool.task["name"], pool.task["genome_sha256"])
    if not all(isinstance(text, str) for text in texts) or not isinstance(pool.task["options"], dict):
        raise ValueError("no usable task")
    shown = "".join(f"{name}{value}" for name, value in pool.agreement.items())
    if pool.agreement["mode"] not in MODES or not shown.isprintable():
        raise ValueError("no usable agreement")
    return pool


def _create_or_read(paths: SharedPaths, *, seed: int, task: Mapping[str, Any], agreement: Mapping[str, Any]) -> Pool:
    try:
        with atomic.storage_errors("write POOL.json"):
            _create(paths, seed=seed, task=task, agreement=agreement)
    except StorageError:
        pool = read(paths)  # whoever came first has cleared away what we were about to try
        if pool is None:
            raise
        return pool
    pool = read(paths)
    if pool is None:
        raise StorageError(f"{paths.identity} vanished while it was being read; is somebody deleting the pool?")
    return pool


def _create(paths: SharedPaths, *, seed: int, task: Mapping[str, Any], agreement: Mapping[str, Any]) -> None:
    from atoll.migration.pool import locks  # noqa: PLC0415 - see above

    support = locks.probe(paths.pool)
    _check_support(paths, support)
    document = {
        "format": FORMAT,
        "run_id": secrets.token_hex(16),
        "seed": seed,
        "task": dict(task),
        "lock_class": support.lock_class,
        "agreement": dict(agreement),
        "mount": asdict(support),
    }
    atomic.create_file(paths.identity, strict_json.encode(document) + b"\n", durable=True)


def _check_support(paths: SharedPaths, support: MountSupport) -> None:
    missing = []
    if not support.hard_links:
        missing.append("makes no hard links that refuse a name that exists")
    if not support.rename_refuses:
        missing.append("lets a rename replace a folder that is not empty")
    if missing:
        raise StorageError(
            f"the file system of {paths.pool} {' and '.join(missing)}; islands need both to tell which of two "
            f"processes came first: choose a directory on a local disk, NFS or Lustre with --migration-dir, not on FAT "
            f"or an object store"
        )


def _check_same(
    paths: SharedPaths, pool: Pool, *, seed: int, task: Mapping[str, Any], agreement: Mapping[str, Any]
) -> None:
    differences = []
    if pool.seed != seed:
        differences.append(f"--seed {pool.seed} (not {seed})")
    if pool.task["name"] != task["name"]:
        differences.append(f"--task {pool.task['name']} (not {task['name']})")
    else:
        differences += _unequal(pool.task["options"], task["options"], "-o {}=".format)
        if not differences and pool.task["genome_sha256"] != task["genome_sha256"]:
            differences.append("the genome layout of another version of the task")
    differences += _disagreement(pool.agreement, agreement)
    if differences:
        raise PoolMismatchError(
            f"the pool {paths.pool} was started with {', '.join(differences)}; "
            f"use the same, or another --migration-dir, or 'cli.py pool archive' to put the old run away"
        )


def _disagreement(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    if there["mode"] != here["mode"]:
        members = f" --members {there['members']}" if "members" in there else ""
        return [f"--mode {there['mode']}{members} (not {here['mode']})"]
    return _unequal(there, here, lambda name: f"{flag_name(name)} ")


def _unequal(there: Mapping[str, Any], here: Mapping[str, Any], spelled: Callable[[str], str]) -> list[str]:
    return [
        f"{spelled(name)}{there[name]} (not {here.get(name, 'without')})"
        if name in there
        else f"no {spelled(name).rstrip(' =')} (not {here[name]})"
        for name in sorted({*there, *here})
        if there.get(name) != here.get(name)
    ]
