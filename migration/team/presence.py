"""Presence of a team's members, and its last request, for whoever looks: without numpy, which is slow to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from atoll.evo import runlog
from atoll.evo.errors import DamagedFileError
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, directory, list_names, read_file
from atoll.migration.team.records import Presence, Scored, decode

if TYPE_CHECKING:
    from atoll.evo.paths import PrivateFiles

MAX_RECORD_BYTES = 1 << 20


def read_members(paths: PrivateFiles) -> list[Presence]:
    """Return what the members of an island's team have done so far, by name; what is no presence is left out."""
    folder = paths.team_members
    found: list[Presence] = []
    for name in list_names(folder):
        try:
            with directory(folder) as descriptor:
                presence = decode(read_file(descriptor, name, limit=MAX_RECORD_BYTES), Presence)
        except (RefusedError, VanishedError, DamagedFileError):
            continue  # half a temporary file, or a stranger's
        if name == f"{presence.member}.json":
            found.append(presence)
    return found


def read_last(paths: PrivateFiles) -> Scored | None:
    """Return who scored what of the last request, from the end of the team's log alone; None if it does not say."""
    try:
        return msgspec.convert(runlog.read_last(paths.team_log).get("scored"), Scored)
    except msgspec.ValidationError:
        return None
