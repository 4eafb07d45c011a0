"""The plan of a table: which settings are run, and in what order; and the tables whose rows this repository keeps.

Runs are made in randomised complete blocks, with the baseline twice in each. The plan is written beside the rows, so
that `resume` goes on with the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic, strict_json
from atoll.evo.errors import AtollError, ConfigError
from atoll.evo.rng import stream
from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.parallel import workload
from atoll.scripts.lab.parallel.arms import arm
from atoll.scripts.lab.parallel.rows import FINISHED, WARM_UP
from atoll.scripts.lab.parallel.setting import (
    AFTER_IMPORT,
    BASELINE,
    BEFORE_IMPORT,
    DEFAULT,
    DEFAULT_WAIT,
    HANG,
    KILL,
    NO_LIMIT,
    PASSIVE_WAIT,
    RAISE,
    SET_NUM_THREADS,
    Setting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atoll.scripts.lab.parallel.rows import Provenance, RunRow

PLAN, ROWS, RUNS = "plan.json", "runs.jsonl", "runs"
"""In the folder of a table: the plan, the rows, and a folder of what runs leave; those that finished leave nothing."""
MARK = "current"
"""The mark of the run in progress; it is there no more when that has ended."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Slot:
    """A place in the table.

    Attributes:
        block: From 1; 0 for the warm-up.
    """

    block: int
    order: int
    setting: Setting
    is_repeat: bool = False


@dataclass(frozen=True)
class Factors:
    """Factors that are varied; every combination that makes sense is a setting.

    Attributes:
        threads: Of each worker: numbers, or "default".
        start_methods: How processes are started; the arm's own first choice if empty.
        migrate_every: Of islands; 0 is off.
    """

    arms: tuple[str, ...]
    workers: tuple[int, ...] = (1, 2)
    evaluators: tuple[str, ...] = ("reference",)
    threads: tuple[str, ...] = ("1",)
    limits: tuple[str, ...] = (BEFORE_IMPORT,)
    wait_policies: tuple[str, ...] = (DEFAULT_WAIT,)
    start_methods: tuple[str, ...] = ()
    migrate_every: tuple[int, ...] = (0,)


def settings_of(factors: Factors, common: Setting) -> tuple[Setting, ...]:
    """Return every combination once; `common` says what they share.

    What an arm does not have is left out: the sequential arm has one worker, and only some arms choose how processes
    start or what samples. Threads as the library likes have no limit to set.

    Raises:
        ConfigError: An arm, the tier or a value is unknown, or a list is empty.
    """
    workload.tier_named(common.tier)
    found: dict[Setting, None] = {}
    for name in factors.arms:
        backend = arm.load(name)
        starts = tuple(each for each in factors.start_methods if each in backend.start_methods)
        grid: dict[str, tuple[Any, ...]] = {
            "workers": (1,) if name == BASELINE else factors.workers,
            "evaluator": factors.evaluators,
            "threads": factors.threads,
            "limit": factors.limits,
            "wait_policy": factors.wait_policies,
            "start_method": starts or backend.start_methods[:1] or (None,),
            "migrate_every": factors.migrate_every if name == "islands" else (0,),
            "sampler": (common.sampler if common.sampler in backend.samplers else None,),
        }
        for values in product(*grid.values()):
            varied = dict(zip(grid, values, strict=True))
            no_limit = {"limit": NO_LIMIT} if varied["threads"] == DEFAULT else {}
            found[replace(common, arm=name, **(varied | no_limit))] = None
    if not found:
        raise ConfigError("nothing to compare: every list needs a value")
    return tuple(found)


def warm_up(settings: Sequence[Setting]) -> list[Slot]:
    """Return what a table begins with: one trial of each baseline, which says how long to wait for the others."""
    baselines = dict.fromkeys(setting.baseline for setting in settings)
    return [Slot(WARM_UP, order, replace(each, n_trials=1)) for order, each in enumerate(baselines)]


def block(number: int, settings: Sequence[Setting], *, seed: int) -> list[Slot]:
    """Return one block: every setting once and its baseline twice, in an order that `seed` fixes."""
    baselines = dict.fromkeys(setting.baseline for setting in settings)
    runs = [*dict.fromkeys([*baselines, *settings]), *baselines]
    drawn = [runs[index] for index in stream(seed, "compare", number, "order").permutation(len(runs))]
    return [Slot(number, order, each, is_repeat=each in drawn[:order]) for order, each in enumerate(drawn)]


def slots_of(settings: Sequence[Setting], *, n_blocks: int, seed: int) -> list[Slot]:
    """Return the whole table in the order in which it is run."""
    blocks = (block(number, settings, seed=seed) for number in range(1, n_blocks + 1))
    return [*warm_up(settings), *(slot for each in blocks for slot in each)]


def remaining(slots: Iterable[Slot], rows: Sequence[RunRow], *, tries: int) -> list[Slot]:
    """Return which slots have no row that counts, nor `tries` rejected ones."""
    counted = {(row.block, row.order) for row in rows if row.rejected is None}
    made = Counter((row.block, row.order) for row in rows)
    places = [(slot, (slot.block, slot.order)) for slot in slots]
    return [slot for slot, place in places if place not in counted and made[place] < tries]


def sequential_s(setting: Setting, rows: Iterable[RunRow]) -> float | None:
    """Return how long the baseline of a setting takes from its start to its exit; None if none has finished yet.

    A run of fewer trials is scaled up by the time of its trials.
    """
    baseline = setting.baseline
    found = []
    for row in rows:
        if row.outcome == FINISHED and replace(row.setting, n_trials=baseline.n_trials) == baseline:
            trials_s = row.trials[-1].end_s - row.trials[0].start_s
            others_s = row.exited_s - row.launched_s - trials_s
            found.append(others_s + trials_s * baseline.n_trials / row.setting.n_trials)
    return median(found) if found else None


class OtherMachineError(AtollError):
    """A table was begun on another machine, or before it was started anew."""

    exit_code = 3


@dataclass(frozen=True)
class Plan:
    """The whole of a table.

    Attributes:
        seed: Of the order of runs; the list of configurations has its own, in the settings.
        deadline_factor: How many times the sequential time a run may take.
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


def save(plan: Plan, folder: Path) -> None:
    """Begin a table.

    Raises:
        ConfigError: There is one already.
    """
    with atomic.storage_errors("begin the table"):
        atomic.make_directory(folder)
        is_new = atomic.create_file(folder / PLAN, strict_json.encode(strict.to_json(plan)), durable=True)
    if not is_new:
        raise ConfigError(f"{folder} holds a table already; go on with resume, or choose another --out")


def load(folder: Path) -> Plan:
    """Return the plan of a table that was begun.

    Raises:
        ConfigError: There is none.
    """
    try:
        data = (folder / PLAN).read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{folder} holds no table; begin one with run --out {folder}") from error
    return strict.from_json(Plan, strict_json.parse(data))


def check_same_machine(plan: Plan, here: Provenance) -> None:
    """Make sure that all blocks of a table come from one boot of one machine."""
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


CORE = (BASELINE, "optuna_threads", "optuna_processes", "process_pool", "ray_tasks", "islands")
OTHERS = ("pool", "loky", "ray_tune", "gpu_batch")
NEVER_BAD = (BASELINE, "gpu_batch")
"""Arms that no fault is injected into: the baseline of the others, and one without workers."""


@dataclass(frozen=True)
class Table:
    """A table whose rows are kept: its settings, and how often each is run.

    Attributes:
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
    """Return these tables; all of them if no name is given."""
    wanted = list(names) or list(TABLES)
    for name in wanted:
        if name not in TABLES:
            raise ConfigError(f"no table {name!r}; there are {', '.join(TABLES)}")
    return {name: TABLES[name] for name in wanted}
