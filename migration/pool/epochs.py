"""Epochs: every start of an island takes the next number, and the highest number is the owner.

Where the owner lock lies (a mount whose locks do nothing), the number decides: it is taken by a hard link that refuses
an existing name, and whoever sees a higher one than its own is fenced and publishes nothing more. The link makes a
record visible whole, so a name without a record is damage and fences nobody; its number is not used again all the same.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec
import psutil
from msgspec import Meta, Struct

from atoll.evo import atomic, strict_json
from atoll.evo.errors import DamagedFileError, FencedError
from atoll.evo.paths import EPOCH_NAME, parse_generation
from atoll.migration.pool.bounded_io import Reason, RefusedError, VanishedError, directory, list_names, read_file

if TYPE_CHECKING:
    from atoll.evo.paths import IslandPaths

MAX_RECORD_BYTES = 64 * 1024
MAX_TRIES = 16
START_TOLERANCE_S = 1.5
Text = Annotated[str, Meta(max_length=256)]
MAX_PID = 2**31 - 1
MAX_TIME_S = 1e11
INITIAL_PID_NAMESPACE = 0xEFFFFFFC
"""Its inode, which Linux fixes (PROC_PID_INIT_INO)."""
NAMESPACE_MARK = "?pidns-"


class Epoch(Struct, frozen=True, forbid_unknown_fields=True):
    """One start of an island.

    Attributes:
        number: Counted from 1.
        nonce: A secret name of this start, 128 bits.
        host: The host's name, and behind it the namespace of pids, unless that is the host's own.
        process_started_s: When the process began, by its host's clock, so that a reused pid is not mistaken for it.
        generation: The generation it went on from.
        target: The generation it is to reach.
        started_s: When the island started, seconds since 1970; for people, no code decides by it.
    """

    number: int
    nonce: Text
    host: Text
    boot_id: Text
    pid: Annotated[int, Meta(gt=0, le=MAX_PID)]
    process_started_s: float
    generation: int
    target: int
    population: int
    task: Text
    started_s: Annotated[float, Meta(ge=0.0, le=MAX_TIME_S)]


def claim(paths: IslandPaths, *, after: int, generation: int, target: int, population: int, task: str) -> Epoch:
    """Take the next epoch of an island, above `after` and above all in the pool, unless somebody has since `after`.

    So of processes that start together, whatever their locks are worth, one goes on; and one that was stopped while it
    started does not fence who started the island in its place.

    Raises:
        FencedError: Another process has started the island since `after` was its newest epoch.
        OSError: The file system refused.
    """
    atomic.make_directory(paths.epochs)
    number = after
    while True:
        taken = _numbers(paths)
        _check_nobody(paths, [each for each in taken if each > after])
        number = max(number, *taken) + 1  # ever higher, though a listing may be old
        epoch = Epoch(
            number=number,
            nonce=secrets.token_hex(16),
            host=this_place(),
            boot_id=boot_id(),
            pid=os.getpid(),
            process_started_s=psutil.Process().create_time(),
            generation=generation,
            target=target,
            population=population,
            task=task,
            started_s=time.time(),
        )
        try:
            if atomic.create_file(paths.epoch(number), strict_json.encode(msgspec.to_builtins(epoch)), durable=True):
                return epoch
        except FileNotFoundError:  # a newer owner clears away what is half written
            _check_nobody(paths, [each for each in _numbers(paths) if each > after])
            raise


def latest_number(paths: IslandPaths) -> int:
    """Return the highest epoch in the pool, 0 if there is none: such a folder is no island's, and nobody's peer."""
    return max(_numbers(paths))


def latest(paths: IslandPaths) -> Epoch | None:
    """Return the record of the highest epoch that has one; None if there is none, or none can be read."""
    try:
        return _highest(paths, _numbers(paths))
    except OSError:
        return None


def read(paths: IslandPaths, number: int) -> Epoch | None:
    """Return the record of one epoch; None if it has gone, or what has its name is none.

    Raises:
        OSError: It cannot be read, now.
    """
    try:
        with directory(paths.epochs) as descriptor:
            document = strict_json.parse(read_file(descriptor, paths.epoch(number).name, limit=MAX_RECORD_BYTES))
        epoch = msgspec.convert(document, Epoch)
    except RefusedError as error:
        if error.reason is Reason.UNREADABLE:
            raise OSError(f"epoch {number} of {paths.name} cannot be read: {error.detail}") from error
        return None
    except (VanishedError, DamagedFileError, msgspec.ValidationError):
        return None
    is_shown = all(text.isprintable() for text in (epoch.nonce, epoch.host, epoch.boot_id, epoch.task))
    return epoch if epoch.number == number and is_shown else None


def check_owner(paths: IslandPaths, epoch: Epoch) -> None:
    """Raise `FencedError` if a newer process has taken the island over, `OSError` if nobody can say, now."""
    _check_nobody(paths, [number for number in _numbers(paths) if number > epoch.number])


class Process(Protocol):
    """A process, as its host knows it."""

    @property
    def host(self) -> str: ...  # noqa: D102
    @property
    def boot_id(self) -> str: ...  # noqa: D102
    @property
    def pid(self) -> int: ...  # noqa: D102
    @property
    def process_started_s(self) -> float: ...  # noqa: D102


def is_alive(epoch: Process) -> bool | None:
    """Say whether the process of an epoch lives; None if it runs elsewhere, where nobody here can know.

    That is on another host, or in another namespace of pids (a container), in which its number means another process.
    """
    if epoch.host.partition(NAMESPACE_MARK)[0] != socket.gethostname():
        return None
    if epoch.boot_id != boot_id():
        return False
    if epoch.host != this_place():
        return None
    try:
        process = psutil.Process(epoch.pid)
        started_s = process.create_time()
        is_same = abs(started_s - epoch.process_started_s) < START_TOLERANCE_S
        return bool(is_same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it is there, and another user's
        return True


def describe(epoch: Epoch) -> str:
    """Say who holds an island."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch.started_s))
    return f"process {epoch.pid} on {shown_place(epoch.host)}, since {since}"


def this_place() -> str:
    """Return where processes mean what they mean here, spelled as filelock does in its lock files.

    An initial namespace adds nothing: so a record of such a host is what older versions wrote, and what they read.
    """
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:  # no Linux, or a sandbox hides it
        namespace = INITIAL_PID_NAMESPACE
    mark = "" if namespace == INITIAL_PID_NAMESPACE else f"{NAMESPACE_MARK}{namespace:x}"
    return socket.gethostname() + mark


def shown_place(place: str) -> str:
    """Spell a place for people."""
    host, mark, namespace = place.partition(NAMESPACE_MARK)
    return f"{host} in pid namespace {namespace}" if mark else host


def _numbers(paths: IslandPaths) -> list[int]:
    """Return the number of each start in the pool, and 0."""
    numbers = (parse_generation(name, EPOCH_NAME) for name in list_names(paths.epochs))
    return [0, *(number for number in numbers if number is not None)]


def _highest(paths: IslandPaths, numbers: list[int]) -> Epoch | None:
    records = (read(paths, number) for number in sorted(numbers, reverse=True)[:MAX_TRIES])
    return next((record for record in records if record), None)


def _check_nobody(paths: IslandPaths, numbers: list[int]) -> None:
    newer = _highest(paths, numbers)
    if newer:
        raise FencedError(
            f"island {paths.name} was taken over by process {newer.pid} on {shown_place(newer.host)}; this process "
            f"stops and publishes nothing more"
        )


def boot_id() -> str:
    """Return what this host calls the time since it was booted last."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))
