"""Each protection, switched off: what the proof has to notice."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from atoll.evo import arrayfile, atomic
from atoll.migration.pool import batch, epochs
from atoll.migration.pool.mailbox import DirectoryMailbox
from tests.faults.campaign import campaign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.faults.campaign import Order


class EqualToAll(str):
    """A hash that agrees with every other."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def no_hash(patch: pytest.MonkeyPatch) -> None:
    digest = SimpleNamespace(hexdigest=EqualToAll)
    patch.setattr(batch, "hashlib", SimpleNamespace(sha256=lambda _: digest))
    patch.setattr(arrayfile, "_digest", lambda *_: EqualToAll())


def no_fencing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(epochs, "check_owner", lambda *_: None)


def no_size_limit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(batch, "MAX_MANIFEST_BYTES", 1 << 40)


def follow_links(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "O_NOFOLLOW", 0)


def no_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(atomic, "sync_directory", lambda _: None)


def use_before_keeping(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DirectoryMailbox, "save_arrivals", lambda *_: None)


def publish_in_place(patch: pytest.MonkeyPatch) -> None:
    """Write a batch where it will be read, file by file."""

    def create_directory(path: Path, files: Mapping[str, bytes], **_: object) -> None:
        path.mkdir()
        for name, data in files.items():
            atomic._write_new(path / name, data, durable=True)

    patch.setattr(atomic, "create_directory", create_directory)


def create_in_place(patch: pytest.MonkeyPatch) -> None:
    """Write a record where it will be read."""

    def create_file(path: Path, data: bytes, **_: object) -> bool:
        atomic._write_new(path, data, durable=True)
        return True

    patch.setattr(atomic, "create_file", create_file)


def sabotaged_campaign(place: Path, order: Order, sabotage: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Carry out a campaign without a protection, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        sabotage(patch)
        campaign(place, order)
