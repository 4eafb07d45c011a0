"""The recording of an island, as a replay needs it: what it left in its private folder.

Nothing numeric is imported here: how many threads a numeric library may have is one of the settings that are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic, runlog
from atoll.evo.config import (
    NAMES_OF_CODE,
    REPLAY,
    all_own_settings,
    former_settings,
    island_config,
    own_settings,
    runs_code,
)
from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.evo.paths import PrivateFiles
from atoll.evo.settings import flag_name, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from atoll.evo.config import IslandConfig
    from atoll.evo.runlog import Record
    from atoll.evo.settings import Value

FREE = frozenset({"mode", "replay_from", "threads", "backend", "device", *NAMES_OF_CODE})
"""What may be chosen for a replay: it decides how the same numbers are computed, not which (`_check_programs`)."""


@dataclass(frozen=True)
class Recording:
    """One island's life up to the last generation that it logged.

    Attributes:
        settings: What it was computed with, the task's options included, as its last start logged them.
        lines: What each generation logged, the founders first, without the time.
    """

    files: PrivateFiles
    island: str
    settings: Mapping[str, Any]
    backend: str
    lines: tuple[Record, ...]

    @property
    def last(self) -> int:
        """The last generation."""
        return len(self.lines) - 1

    @property
    def exports(self) -> dict[int, int]:
        """Generation -> genomes that the pool accepted at it."""
        counts = [line["exports"] for line in self.lines]
        return {g: after - before for g, (before, after) in enumerate(pairwise(counts), start=1)}


def read(folder: Path) -> Recording:
    """Read a recording.

    Raises:
        ConfigError: There is none.
        DamagedFileError: Its log is damaged, has a gap, or is none.
        StorageError: It cannot be read.
    """
    files = PrivateFiles(folder)
    try:
        with atomic.storage_errors("read the recording"):
            return _recording(files, runlog.current(runlog.read(files.log)))
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{files.log} is no log of an island: {error}") from error


def _recording(files: PrivateFiles, records: list[Record]) -> Recording:
    starts = [record for record in records if record["kind"] == "start"]
    lines = timeless(records)
    if not starts or len(lines) < 2:
        raise ConfigError(
            f"nothing to replay in {files.home}: expected an island's private folder, for example "
            f"shared/islands/island-01, with a log of generation 1 at least"
        )
    for expected, line in enumerate(lines):
        if line["generation"] != expected:
            raise DamagedFileError(f"{files.log}: generation {expected} is missing")
    [island] = lines[0]["ancestry"]  # founders descend from their own island alone
    return Recording(files, island, starts[0]["settings"], starts[0]["backend"], tuple(lines))


def timeless(records: Iterable[Record]) -> list[Record]:
    """Return the lines of generations, without their time."""
    lines = [record for record in records if record["kind"] == "generation"]
    return [{name: value for name, value in line.items() if name != "time"} for line in lines]


def replay_config(island: str, given: Mapping[str, Value], options: Mapping[str, str]) -> IslandConfig:
    """Return the config of a replay: the recording's settings, up to the last generation that it logged.

    Raises:
        ConfigError: There is no recording, or a setting is given that only the recording may decide.
        DamagedFileError: The recording's log is damaged.
    """
    folder = Path(str(given.get("replay_from", "")))
    if "replay_from" not in given:
        raise ConfigError(
            "--mode replay needs --replay-from, the recorded island's private folder, for example "
            "shared/islands/island-01"
        )
    decided = [flag_name(name) for name in given if name not in FREE] + [f"-o {name}" for name in options]
    if decided:
        raise ConfigError(f"in a replay the recording decides: leave out {', '.join(decided)}")
    recording = read(folder)
    _check_programs(folder, recording.settings, given)
    if recording.island != island:
        raise ConfigError(f"{folder} is a recording of island {recording.island}, not of {island}")
    recorded = former_settings() | {name: value for name, value in recording.settings.items() if name != "options"}
    foreign = all_own_settings() - {*own_settings(str(recorded["algorithm"]))}
    settings = {name: value for name, value in recorded.items() if name not in foreign}
    settings |= {"mode": REPLAY, "members": "", "backend": recording.backend, "device": ""}
    settings |= {"generations": recording.last}
    texts = {name: spelled(value) for name, value in recording.settings["options"].items()}
    return island_config(island, {**settings, **given}, texts)


def _check_programs(folder: Path, settings: Mapping[str, Any], given: Mapping[str, Value]) -> None:
    """Let the user, and nobody who can write to the recording, decide which programs run here."""
    recorded = {name: str(settings.get(name, "")) for name in NAMES_OF_CODE}
    missing = {name: value for name, value in recorded.items() if runs_code(value) and name not in given}
    if missing:
        flags = " ".join(f"{flag_name(name)} {value}" for name, value in missing.items())
        raise ConfigError(f"{folder} was recorded with a program: if you trust it, name it too, as in {flags}")
    for name, value in recorded.items():
        if not runs_code(value) and name in given:
            raise ConfigError(f"in a replay the recording decides: leave out {flag_name(name)}")
