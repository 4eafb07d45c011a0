"""Which runs a table is made of, and in what order: randomised complete blocks, with the baseline twice in each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from statistics import median
from typing import TYPE_CHECKING

from atoll.evo.errors import ConfigError
from atoll.evo.rng import stream
from atoll.scripts.lab.parallel import workload
from atoll.scripts.lab.parallel.arms import arm
from atoll.scripts.lab.parallel.request import BEFORE_IMPORT, DEFAULT, DEFAULT_WAIT, NO_LIMIT, Setting
from atoll.scripts.lab.parallel.rows import FINISHED, WARM_UP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atoll.scripts.lab.parallel.rows import RunRow

BASELINE = "sequential"


@dataclass(frozen=True)
class Slot:
    """A place in the table.

    Attributes:
        block: From 1; 0 for the warm-up.
        order: From 0, in the block.
        setting: What runs there.
        is_repeat: It is the second run of the baseline in its block.
    """

    block: int
    order: int
    setting: Setting
    is_repeat: bool = False


@dataclass(frozen=True)
class Factors:
    """What is varied; every combination that makes sense is a setting.

    Attributes:
        arms: Names of backends.
        workers: How many trials at once.
        evaluators: What computes the fitness.
        threads: Of each worker: numbers, or "default".
        limits: How that number is set.
        wait_policies: What idle OpenMP threads do.
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
        starts = tuple(each for each in factors.start_methods if each in backend.START_METHODS)
        grid = product(
            (1,) if name == BASELINE else factors.workers,
            factors.evaluators,
            factors.threads,
            factors.limits,
            factors.wait_policies,
            starts or backend.START_METHODS[:1] or (None,),
            factors.migrate_every if name == "islands" else (0,),
        )
        for workers, evaluator, threads, limit, wait_policy, start_method, migrate_every in grid:
            setting = replace(
                common,
                arm=name,
                workers=workers,
                evaluator=evaluator,
                threads=threads,
                limit=NO_LIMIT if threads == DEFAULT else limit,
                wait_policy=wait_policy,
                start_method=start_method,
                migrate_every=migrate_every,
                sampler=common.sampler if common.sampler in backend.SAMPLERS else None,
            )
            found[setting] = None
    if not found:
        raise ConfigError("nothing to compare: every list needs a value")
    return tuple(found)


def baseline_of(setting: Setting) -> Setting:
    """Return what a setting is compared with: the same trials one after the other, on one thread."""
    return Setting(BASELINE, setting.tier, evaluator=setting.evaluator, n_trials=setting.n_trials, seed=setting.seed)


def warm_up(settings: Sequence[Setting]) -> list[Slot]:
    """Return what a table begins with: one trial of each baseline, which says how long to wait for the others."""
    baselines = dict.fromkeys(baseline_of(setting) for setting in settings)
    return [Slot(WARM_UP, order, replace(each, n_trials=1)) for order, each in enumerate(baselines)]


def block(number: int, settings: Sequence[Setting], *, seed: int) -> list[Slot]:
    """Return one block: every setting once and its baseline twice, in an order that `seed` fixes."""
    baselines = dict.fromkeys(baseline_of(setting) for setting in settings)
    runs = [*dict.fromkeys([*baselines, *settings]), *baselines]
    drawn = [runs[index] for index in stream(seed, "compare", number, "order").permutation(len(runs))]
    seen: set[Setting] = set()
    slots = []
    for order, setting in enumerate(drawn):
        slots.append(Slot(number, order, setting, is_repeat=setting in seen))
        seen.add(setting)
    return slots


def table(settings: Sequence[Setting], *, n_blocks: int, seed: int) -> list[Slot]:
    """Return the whole table in the order in which it is run."""
    blocks = (block(number, settings, seed=seed) for number in range(1, n_blocks + 1))
    return [*warm_up(settings), *(slot for each in blocks for slot in each)]


def remaining(slots: Iterable[Slot], rows: Iterable[RunRow], *, tries: int) -> list[Slot]:
    """Return which slots have no row that counts, nor `tries` rejected ones."""
    counted: set[tuple[int, int]] = set()
    rejected: dict[tuple[int, int], int] = {}
    for row in rows:
        place = (row.block, row.order)
        if row.rejected is None:
            counted.add(place)
        rejected[place] = rejected.get(place, 0) + 1
    return [
        slot
        for slot in slots
        if (slot.block, slot.order) not in counted and rejected.get((slot.block, slot.order), 0) < tries
    ]


def sequential_s(setting: Setting, rows: Iterable[RunRow]) -> float | None:
    """Return how long the baseline of a setting takes from its start to its exit; None if none has finished yet.

    A run of fewer trials is scaled up by the time of its trials.
    """
    baseline = baseline_of(setting)
    found = []
    for row in rows:
        if row.outcome == FINISHED and replace(setting_of(row), n_trials=baseline.n_trials) == baseline:
            trials_s = row.trials[-1].end_s - row.trials[0].start_s
            others_s = row.exited_s - row.launched_s - trials_s
            found.append(others_s + trials_s * baseline.n_trials / row.n_trials)
    return median(found) if found else None


def setting_of(row: RunRow) -> Setting:
    """Return the setting that a row was measured under."""
    return Setting(
        arm=row.arm,
        tier=row.tier,
        evaluator=row.evaluator,
        workers=row.workers,
        threads=row.threads,
        limit=row.limit,
        wait_policy=row.wait_policy,
        start_method=row.start_method,
        migrate_every=row.migrate_every,
        sampler=row.sampler,
        fault=row.fault,
        n_trials=row.n_trials,
        seed=row.seed,
    )
