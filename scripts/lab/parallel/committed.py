"""The tables whose rows are kept in this repository: which settings, how often, fixed before any of them was run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.evo.errors import ConfigError
from atoll.scripts.lab.parallel.blocks import BASELINE, Factors, settings_of
from atoll.scripts.lab.parallel.request import (
    AFTER_IMPORT,
    BEFORE_IMPORT,
    DEFAULT,
    DEFAULT_WAIT,
    HANG,
    KILL,
    PASSIVE_WAIT,
    RAISE,
    SET_NUM_THREADS,
    Setting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

CORE = (BASELINE, "optuna_threads", "optuna_processes", "process_pool", "ray_tasks", "islands")
OTHERS = ("pool", "loky", "ray_tune", "gpu_batch")
NEVER_BAD = (BASELINE, "gpu_batch")
"""Arms that no fault is injected into: the baseline of the others, and one without workers."""


@dataclass(frozen=True)
class Table:
    """What one table compares.

    Attributes:
        tier: Size of a trial.
        n_blocks: How often.
        grids: Its settings are those of all grids together.
        fault: What befalls trial 1 of every run but the baseline; None for nothing.
    """

    tier: str
    n_blocks: int
    grids: tuple[Factors, ...]
    fault: str | None = None

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting once."""
        common = Setting(BASELINE, self.tier, fault=self.fault)
        return tuple(dict.fromkeys(each for grid in self.grids for each in settings_of(grid, common)))


def _two(*arms: str, **changes: tuple[str, ...]) -> Factors:
    return Factors(arms, workers=(2,), **changes)  # type: ignore[arg-type]


TABLES = {
    "core": Table("tiny", 10, (_two(*CORE),)),
    "small": Table("small", 3, (_two(*CORE),)),
    "production": Table(
        "production",
        2,
        (
            _two(*CORE, evaluators=("native",)),
            Factors(("islands",), workers=(2,), evaluators=("native",), migrate_every=(10,)),
        ),
    ),
    "arms": Table("tiny", 3, (_two(*OTHERS), Factors(("islands",), workers=(2,), migrate_every=(2,)))),
    "threads": Table(
        "tiny",
        3,
        (
            _two(BASELINE, "optuna_threads", "process_pool", threads=("1", DEFAULT)),
            _two("optuna_processes", "pool", "loky", threads=(DEFAULT,)),
            _two(
                BASELINE,
                "optuna_threads",
                "process_pool",
                threads=(DEFAULT,),
                wait_policies=(DEFAULT_WAIT, PASSIVE_WAIT),
            ),
            _two("optuna_threads", "process_pool", limits=(BEFORE_IMPORT, AFTER_IMPORT, SET_NUM_THREADS)),
            _two("process_pool", start_methods=("spawn", "forkserver")),
        ),
    ),
    # Four trials: three at once would leave the last one alone, whatever runs them.
    "workers": Table("tiny", 3, (Factors(("optuna_threads", "process_pool", "islands"), workers=(1, 2, 4)),)),
    **{
        fault: Table("tiny", 1, (_two(*(name for name in (*CORE, *OTHERS) if name not in NEVER_BAD)),), fault=fault)
        for fault in (KILL, RAISE, HANG)
    },
}


def tables_named(names: Iterable[str]) -> dict[str, Table]:
    """Return these tables; all of them if no name is given.

    Raises:
        ConfigError: There is no table of that name.
    """
    wanted = list(names) or list(TABLES)
    for name in wanted:
        if name not in TABLES:
            raise ConfigError(f"no table {name!r}; there are {', '.join(TABLES)}")
    return {name: TABLES[name] for name in wanted}
