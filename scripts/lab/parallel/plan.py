"""What a call of `run` sets out to do, written beside its rows so that `resume` goes on with the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.evo import atomic, strict_json
from atoll.evo.errors import AtollError, ConfigError
from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.parallel.request import Setting  # noqa: TC001 - `strict.from_json` looks for it

if TYPE_CHECKING:
    from atoll.scripts.lab.parallel.rows import Provenance

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class OtherMachineError(AtollError):
    """A table was begun on another machine, or before it was started anew."""

    exit_code = 3


@dataclass(frozen=True)
class Plan:
    """The whole of a table.

    Attributes:
        session: Names it.
        settings: What is compared.
        n_blocks: How often.
        seed: Of the order of runs; the list of configurations has its own, in the settings.
        host: Where all of it is run.
        boot_id: In which boot of that.
        calibration_steps: Size of the calibration kernel.
        deadline_factor: How many times the sequential time a run may take.
        tries: How often a run is made until one is not rejected.
        ray_address: A cluster for the Ray arms; None for one of their own.
    """

    session: str
    settings: tuple[Setting, ...]
    n_blocks: int
    seed: int
    host: str
    boot_id: str
    calibration_steps: int
    deadline_factor: float
    tries: int
    ray_address: str | None

    def __post_init__(self) -> None:
        if self.n_blocks < 1 or self.tries < 1 or self.deadline_factor <= 0:
            raise ConfigError("--blocks and --tries must be at least 1, --deadline-factor more than 0")


@dataclass(frozen=True)
class TablePaths:
    """Where a table lies.

    Attributes:
        folder: All of it.
    """

    folder: Path

    @property
    def plan(self) -> Path:
        """What is to be run."""
        return self.folder / "plan.json"

    @property
    def rows(self) -> Path:
        """What was run."""
        return self.folder / "runs.jsonl"

    @property
    def mark(self) -> Path:
        """The mark of the run in progress; it is here no more when that has ended."""
        return self.folder / "current"

    @property
    def runs(self) -> Path:
        """What runs leave in files; those that finished leave nothing."""
        return self.folder / "runs"


def save(plan: Plan, paths: TablePaths) -> None:
    """Begin a table.

    Raises:
        ConfigError: There is one already.
        StorageError: The file system refused.
    """
    with atomic.storage_errors("begin the table"):
        atomic.make_directory(paths.folder)
        is_new = atomic.create_file(paths.plan, strict_json.encode(strict.to_json(plan)), durable=True)
    if not is_new:
        raise ConfigError(f"{paths.folder} holds a table already; go on with resume, or choose another --out")


def load(paths: TablePaths) -> Plan:
    """Return the plan of a table that was begun.

    Raises:
        ConfigError: There is none.
        DamagedFileError: The file holds something else.
    """
    try:
        data = paths.plan.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{paths.folder} holds no table; begin one with run --out {paths.folder}") from error
    return strict.from_json(Plan, strict_json.parse(data))


def check_same_machine(plan: Plan, here: Provenance) -> None:
    """Make sure that all blocks of a table come from one boot of one machine.

    Raises:
        OtherMachineError: They would not.
    """
    for what, there, now in (("host", plan.host, here.host), ("boot", plan.boot_id, here.boot_id)):
        if there != now:
            raise OtherMachineError(
                f"this table was begun on {what} {there}, here is {now}; figures of two never share a table: "
                f"begin another one with run --out"
            )


def boot_id() -> str:
    """Return which boot of this machine this is, "unknown" where the system does not tell."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"
