"""Names of files and directories: the only place that spells one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from atoll.evo.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

ISLAND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
GENERATION_NAME = re.compile(r"gen-(0|[1-9][0-9]{0,9})")
CHECKPOINT_NAME = re.compile(r"gen-(0|[1-9][0-9]{0,9})\.safetensors")
EPOCH_NAME = re.compile(r"([1-9][0-9]{0,9})\.json")
REQUEST_NAME = re.compile(r"gen-(0|[1-9][0-9]{0,9})-[0-9a-f]{16}")
CLAIM_NAME = re.compile(r"claim-(0|[1-9][0-9]{0,5})-([1-9][0-9]{0,5})")
SCORES_NAME = re.compile(r"scores-(0|[1-9][0-9]{0,5})")
OWNER_LOCK_NAME = re.compile(rf"({ISLAND_NAME.pattern})\.owner\.lock")
RESERVED_NAMES = frozenset({"locks"})

TEMPORARY = ".tmp-"
TRASH = ".trash-"
"""How a name begins of what is half written, and of what is half removed; its owner clears both at its next start."""

MANIFEST = "manifest.json"
GENOMES = "genomes.safetensors"
REQUEST, REQUEST_GENES = "request.json", "genes.f32"


def is_island_name(name: str) -> bool:
    """Say whether `name` may be an island's name, and so a folder's."""
    return ISLAND_NAME.fullmatch(name) is not None and name.lower() not in RESERVED_NAMES


def check_island_name(name: str) -> str:
    """Return `name` if an island may be called so, else raise ConfigError."""
    if is_island_name(name):
        return name
    shown = name if len(name) <= 40 else name[:40] + "..."
    raise ConfigError(
        f"island name {shown!r} cannot be used: 1 to 64 letters, digits, '-' or '_', starting with a letter or digit, "
        f"and not {' or '.join(sorted(RESERVED_NAMES))}; for example island-01"
    )


def generation_name(generation: int) -> str:
    """Spell a generation's folder."""
    return f"gen-{generation}"


def parse_generation(name: str, pattern: re.Pattern[str] = GENERATION_NAME) -> int | None:
    """Return the number in a name that `pattern` describes, or None."""
    match = pattern.fullmatch(name)
    return int(match[1]) if match else None


def parse_owner_lock(name: str) -> str | None:
    """Return the island whose owner lock is called `name`, or None."""
    match = OWNER_LOCK_NAME.fullmatch(name)
    return match[1] if match and is_island_name(match[1]) else None


def archive_name(island: str) -> re.Pattern[str]:
    """Describe the folder that `--fresh` archives an island to: its name and its last epoch."""
    return re.compile(rf"{re.escape(island)}-(0|[1-9][0-9]{{0,9}})")


class ArchivedIsland(NamedTuple):
    """The archive of one island's folders, where they go when it starts afresh."""

    folder: Path
    home: Path
    outbox: Path


@dataclass(frozen=True)
class PrivateFiles:
    """The files of an island's private folder, wherever that is: in its archipelago, archived, or copied.

    Paths are put together once: every generation asks for some, when nothing of this is in a cache any more.
    """

    home: Path

    @cached_property
    def checkpoints(self) -> Path:
        return self.home / "checkpoint"

    def checkpoint(self, generation: int) -> Path:
        return self.checkpoints / f"{generation_name(generation)}.safetensors"

    @cached_property
    def inboxes(self) -> Path:
        return self.home / "inbox"

    def inbox(self, generation: int) -> Path:
        return self.inboxes / f"{generation_name(generation)}.safetensors"

    @cached_property
    def all_moments(self) -> Path:
        return self.home / "moments"

    def moments(self, generation: int) -> Path:
        return self.all_moments / f"{generation_name(generation)}.safetensors"

    @cached_property
    def log(self) -> Path:
        return self.home / "log.jsonl"

    @cached_property
    def ledger(self) -> Path:
        return self.home / "ledger.jsonl"

    @cached_property
    def migration_log(self) -> Path:
        return self.home / "migration.log"

    @cached_property
    def champion(self) -> Path:
        return self.home / "champion.safetensors"

    @cached_property
    def team(self) -> Path:
        """The requests of a team, its members, and what is asked for now."""
        return self.home / "team"

    @cached_property
    def team_now(self) -> Path:
        return self.team / "now.json"

    @cached_property
    def team_members(self) -> Path:
        return self.team / "members"

    @cached_property
    def team_log(self) -> Path:
        return self.home / "team.jsonl"


@dataclass(frozen=True)
class IslandPaths(PrivateFiles):
    """The paths of one island in the shared directory `root`: `home` is private, `outbox` is read by the others."""

    root: Path
    name: str

    @cached_property
    def outbox(self) -> Path:
        return self.root / "migration_pool" / self.name

    def publication(self, generation: int) -> Path:
        return self.outbox / generation_name(generation)

    def trash(self, generation: int, tag: str) -> Path:
        """The trash that one published batch goes to, out of sight; `tag` is new each time."""
        return self.outbox / f"{TRASH}{generation_name(generation)}-{tag}"

    @cached_property
    def epochs(self) -> Path:
        return self.outbox / "epochs"

    def epoch(self, number: int) -> Path:
        return self.epochs / f"{number}.json"

    @cached_property
    def beat(self) -> Path:
        return self.outbox / "beat.json"

    @cached_property
    def owner_lock(self) -> Path:
        return self.root / "migration_pool" / "locks" / f"{self.name}.owner.lock"

    @cached_property
    def prune_lock(self) -> Path:
        return self.root / "migration_pool" / "locks" / f"{self.name}.prune.lock"


@dataclass(frozen=True)
class SharedPaths:
    """The paths of an archipelago in `root`, the directory that `--migration-dir` names."""

    root: Path

    @property
    def pool(self) -> Path:
        return self.root / "migration_pool"

    @property
    def identity(self) -> Path:
        return self.pool / "POOL.json"

    @property
    def locks(self) -> Path:
        return self.pool / "locks"

    @property
    def homes(self) -> Path:
        return self.root / "islands"

    @property
    def launch(self) -> Path:
        """Records and output of the islands that `launch_islands.sh` started."""
        return self.root / "launch"

    @property
    def archive(self) -> Path:
        return self.root / "old"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All that is made in it, in none of which another shared directory may lie."""
        return self.pool, self.homes, self.archive, self.launch

    def archived_run(self, run_id: str) -> Path:
        """The archive of a run as a whole; this folder exists from the moment it is being put away."""
        return self.archive / f"run-{run_id[:12]}"

    def archived_island(self, island: str, epoch: int) -> ArchivedIsland:
        """The archive of an island that starts afresh after `epoch`, spelled as `archive_name` describes."""
        folder = self.archive / f"{island}-{epoch}"
        return ArchivedIsland(folder, folder / "private", folder / "published")

    @property
    def settings(self) -> Path:
        """Each island's own settings, where `launch_islands.sh --vary` made them."""
        return self.root / "islands.toml"

    def island(self, name: str) -> IslandPaths:
        """The paths of one island; ConfigError if none may be called so."""
        return IslandPaths(self.homes / check_island_name(name), self.root, name)
