"""The setting of a run, and the request for one: written by the harness, read by the driver and by workers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic, strict_json
from atoll.evo.errors import ConfigError
from atoll.evo.resources import THREAD_VARIABLES
from atoll.scripts.lab.kit import strict

if TYPE_CHECKING:
    from collections.abc import Mapping

REFERENCE, NATIVE = EVALUATORS = ("reference", "native")
DEFAULT = "default"
BEFORE_IMPORT, AFTER_IMPORT, SET_NUM_THREADS, NO_LIMIT = LIMITS = (
    "before_import",
    "after_import",
    "set_num_threads",
    "none",
)
DEFAULT_WAIT, PASSIVE_WAIT = WAIT_POLICIES = ("default", "passive")
START_METHODS = ("spawn", "forkserver", "fork")
KILL, RAISE, HANG = FAULTS = ("kill", "raise", "hang")
BASELINE = "sequential"
"""The arm that all others are compared with."""
LATE_LIMITS = {AFTER_IMPORT: "set after the import", SET_NUM_THREADS: "by set_num_threads"}
FAULTY_TRIAL = 1
"""The trial that a fault befalls."""

WAIT_VARIABLE = "OMP_WAIT_POLICY"
SETTLED = (*THREAD_VARIABLES, WAIT_VARIABLE)
"""Variables that a request decides, whatever the caller's environment says."""


@dataclass(frozen=True)
class Setting:
    """One cell of the comparison.

    Attributes:
        threads: Of the numeric libraries in each worker: a number, or "default" for as many as they like.
        limit: How that number is set: in the environment before or after the libraries are loaded, or by
            `torch.set_num_threads`; "none" goes with "default".
        wait_policy: What idle OpenMP threads do: "default" (spin for a while) or "passive" (sleep).
        start_method: How Python starts processes, where an arm has the choice.
        migrate_every: Generations between migrations, in the islands arm; 0 is off.
        sampler: "tpe" to let Optuna search instead of running the fixed list, in the arms that have a sampler.
        fault: What befalls trial 1: its worker is killed, it raises, or it hangs.

    Raises:
        ConfigError: A value is not allowed, or two contradict each other.
    """

    arm: str
    tier: str
    evaluator: str = REFERENCE
    workers: int = 1
    threads: str = "1"
    limit: str = BEFORE_IMPORT
    wait_policy: str = DEFAULT_WAIT
    start_method: str | None = None
    migrate_every: int = 0
    sampler: str | None = None
    fault: str | None = None
    n_trials: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        _check_among("--evaluator", self.evaluator, EVALUATORS)
        _check_among("--limit", self.limit, LIMITS)
        _check_among("--wait-policy", self.wait_policy, WAIT_POLICIES)
        _check_among("--start-method", self.start_method, (None, *START_METHODS))
        _check_among("--fault", self.fault, (None, *FAULTS))
        _check_among("--sampler", self.sampler, (None, "tpe"))
        if self.threads != DEFAULT and not (self.threads.isdecimal() and int(self.threads) >= 1):
            raise ConfigError(f"--threads must be a number of at least 1, or {DEFAULT}; got {self.threads!r}")
        if (self.threads == DEFAULT) != (self.limit == NO_LIMIT):
            raise ConfigError(
                f"--threads {DEFAULT} and --limit {NO_LIMIT} go together; got {self.threads}, {self.limit}"
            )
        for flag, n, least in (("--workers", self.workers, 1), ("--trials", self.n_trials, 1)):
            if n < least:
                raise ConfigError(f"{flag} must be at least {least}, got {n}")
        if self.fault and self.n_trials <= FAULTY_TRIAL:
            raise ConfigError(f"--fault befalls trial {FAULTY_TRIAL}; --trials must be more, got {self.n_trials}")

    @property
    def baseline(self) -> Setting:
        """The setting that it is compared with: the same trials one after the other, on one thread."""
        return Setting(BASELINE, self.tier, evaluator=self.evaluator, n_trials=self.n_trials, seed=self.seed)

    @property
    def is_usual(self) -> bool:
        """Whether it has one thread for each worker, set in time, and nothing else that is special."""
        usual = ("1", BEFORE_IMPORT, DEFAULT_WAIT, None)
        return (self.threads, self.limit, self.wait_policy, self.sampler) == usual and (
            self.start_method in {None, "spawn"}
        )

    @property
    def is_baseline(self) -> bool:
        """Whether others are compared with it."""
        return (self.arm, self.workers) == (BASELINE, 1) and self.is_usual

    @property
    def label(self) -> str:
        """The arm, and what departs from one thread for each worker, set before anything is imported."""
        parts = [self.start_method] if self.start_method else []
        if self.threads != "1" or self.limit != BEFORE_IMPORT:
            count = "default threads" if self.threads == DEFAULT else f"{self.threads} thread(s)"
            parts.append(f"{count}, {LATE_LIMITS[self.limit]}" if self.limit in LATE_LIMITS else count)
        parts += ["passive waiting"] if self.wait_policy == PASSIVE_WAIT else []
        parts += [f"migration every {self.migrate_every}"] if self.migrate_every else []
        parts += [f"sampler {self.sampler}"] if self.sampler else []
        return f"{self.arm} ({'; '.join(parts)})" if parts else self.arm

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return the environment in which the driver starts."""
        kept = {name: value for name, value in inherited.items() if name not in SETTLED}
        limits = dict.fromkeys(THREAD_VARIABLES, self.threads) if self.limit == BEFORE_IMPORT else {}
        waits = {WAIT_VARIABLE: "PASSIVE"} if self.wait_policy == PASSIVE_WAIT else {}
        return {**kept, **limits, **waits}


@dataclass(frozen=True)
class Request:
    """One run of a setting.

    Attributes:
        folder: Where workers leave their records; absolute.
        ray_address: A Ray cluster to use; the Ray arms start their own if None.
    """

    setting: Setting
    folder: str
    ray_address: str | None = None

    @cached_property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)

    def save(self, path: Path) -> None:
        """Write it to a file."""
        atomic.replace_file(path, strict_json.encode(strict.to_json(self)), durable=False)

    @classmethod
    def load(cls, path: Path) -> Request:
        """Read what `save` wrote."""
        return strict.from_json(cls, strict_json.parse(path.read_bytes()))


def _check_among(flag: str, value: Any, known: tuple[str | None, ...]) -> None:  # noqa: ANN401 - a word or None
    if value not in known:
        words = ", ".join(each for each in known if each is not None)
        raise ConfigError(f"{flag} must be one of {words}; got {value!r}")
