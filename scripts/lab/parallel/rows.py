"""Rows of runs: one for each, by the harness; and the outcome of a run, from what its workers and its driver left.

Everything that is said of the comparison is derived from these rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from atoll.evo import runlog
from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.scripts.lab.kit import strict
from atoll.scripts.lab.kit.rows import PATTERNS, numbered
from atoll.scripts.lab.parallel.interference import Interference
from atoll.scripts.lab.parallel.records import TrialRecord, TrialStart  # noqa: TC001 - `strict.from_json` looks for them
from atoll.scripts.lab.parallel.setting import Setting
from atoll.scripts.processes.monitor import Usage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

RUN = "run"
FINISHED, DEADLINE, FAILED, SKIPPED = OUTCOMES = ("finished", "deadline", "failed", "skipped")
WARM_UP = 0
"""The block of the one short run that a table begins with; statistics start with block 1."""


@dataclass(frozen=True)
class Provenance:
    """Provenance of a run: machine, versions, commit, environment.

    Attributes:
        python: Version of Python; the names below are versions of libraries, None where one is not installed.
    """

    host: str
    boot_id: str
    cpu: str
    cores: int
    kernel: str
    python: str
    numpy: str
    torch: str
    optuna: str | None
    ray: str | None
    joblib: str | None
    commit: str
    dirty: bool
    environment: dict[str, str]


@dataclass(frozen=True)
class RunRow:
    """One run: one setting, its trials, and what was seen from outside. In files its parts lie flat beside each other.

    Attributes:
        session: The call of `run` that began the table; `resume` keeps it.
        block: From 1; 0 is the warm-up.
        order: Place in the block, from 0; a run that is repeated after a rejection keeps it.
        outcome: "finished" (every trial has a result), "deadline" (ended by the harness), "failed" (some trial has
            none) or "skipped" (the arm cannot run here).
        reason: Why it is not a plain "finished"; also which trial was tried again.
        launched_s: When the driver was started, on the trials' clock.
        deadline_s: Seconds allowed from the start of the first trial.
        rejected: Why the run does not count and is repeated, by rules fixed in advance.
    """

    session: str
    block: int
    order: int
    is_repeat: bool
    setting: Setting
    outcome: str
    reason: str | None
    launched_s: float
    exited_s: float
    deadline_s: float
    provenance: Provenance
    trials: tuple[TrialRecord, ...] = ()
    starts: tuple[TrialStart, ...] = ()
    usage: Usage = field(default_factory=Usage)
    interference: Interference = field(default_factory=Interference)
    calibration_before_s: float = 0.0
    calibration_after_s: float = 0.0
    rejected: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a flat JSON object."""
        flat = strict.to_json(self)
        parts = [flat.pop(part) for part in PARTS]
        return {"what": RUN, **flat, **parts[0], **parts[1], **parts[2]}

    @classmethod
    def from_json(cls, value: object) -> RunRow:
        """Read it from a flat JSON object.

        Raises:
            DamagedFileError: It is none, or of an unknown kind or outcome, or its setting makes no sense.
        """
        if not isinstance(value, dict) or value.get("what") != RUN or value.get("outcome") not in OUTCOMES:
            raise DamagedFileError(f"RunRow: expected an object with what {RUN!r} and an outcome of {OUTCOMES}")
        if parts := PARTS.keys() & value.keys():
            raise DamagedFileError(f"RunRow: unknown fields {sorted(parts)}")
        flat = {name: each for name, each in value.items() if name != "what"}
        nested = {
            part: {each.name: flat.pop(each.name) for each in fields(kind) if each.name in flat}
            for part, kind in PARTS.items()
        }
        try:
            return strict.from_json(cls, flat | nested)
        except ConfigError as error:
            raise DamagedFileError(f"RunRow: {error}") from error


PARTS = {"setting": Setting, "usage": Usage, "interference": Interference}
"""The parts of a row whose fields lie flat in files."""


def append(path: Path, row: RunRow) -> None:
    """Add a row to a table."""
    runlog.append(path, row.to_json())


def read(path: Path) -> list[RunRow]:
    """Return all rows of a table; a missing file has none, a torn last line is left out."""
    return [RunRow.from_json(record) for record in runlog.read(path)]


def read_all(folder: Path) -> list[RunRow]:
    """Return the rows of all runs whose files lie in `folder`, or in a folder of it; rows of other kinds are left out.

    A last line that was cut off is left out; so runs can be looked at while others are measured.
    """
    files = sorted(path for pattern in PATTERNS for path in folder.glob(pattern))
    found = []
    for place, record in (line for path in files for line in numbered(path)):
        try:
            found += [RunRow.from_json(record)] if record.get("what") == RUN else []
        except DamagedFileError as error:
            raise DamagedFileError(f"{place}: {error}") from error
    return found


@dataclass(frozen=True)
class Ending:
    """End of a run, as the harness saw it.

    Attributes:
        code: The driver's exit code, minus the signal that killed it; None if it was still running and had to be ended.
        living: Processes of the run that were alive then.
    """

    code: int | None
    waited_s: float = 0.0
    living: frozenset[int] = frozenset()
    error: str | None = None


def outcome_of(
    ending: Ending, *, n_trials: int, workers: int, trials: Sequence[TrialRecord], starts: Sequence[TrialStart]
) -> tuple[str, str | None]:
    """Return the outcome of a run and the reason for it, None where there is nothing to say."""
    done = {trial.index for trial in trials if trial.error is None}
    raised = [f"trial {trial.index} raised {trial.error}" for trial in trials if trial.error is not None]
    lost = sorted(set(range(n_trials)) - {trial.index for trial in trials})
    said = [*_driver(ending, n_done=len(done), n_trials=n_trials), *raised]
    said += [_lost(index, starts, living=ending.living, is_over=ending.code is not None) for index in lost]
    said += _tried_again(starts)
    if ending.code is None:
        return DEADLINE, "; ".join(said)
    if len(done) < n_trials or ending.code != 0:
        return FAILED, "; ".join(said)
    if workers > 1 and len(starts) == n_trials > 1 and most_at_once(trials) == 1:
        said.append(f"trials ran one at a time, with {workers} workers")
    return FINISHED, "; ".join(said) or None


def most_at_once(trials: Iterable[TrialRecord]) -> int:
    """Return how many trials ran at the same time, at the most."""
    edges = [(trial.start_s, 1) for trial in trials] + [(trial.end_s, -1) for trial in trials]
    return max(accumulate(step for _, step in sorted(edges)), default=0)  # at equal times an end comes first


def _driver(ending: Ending, *, n_done: int, n_trials: int) -> list[str]:
    if ending.code is None:
        return [f"ended after {ending.waited_s:.1f} s with {n_done} of {n_trials} trials done"]
    if ending.error:
        return [ending.error]
    if ending.code < 0:
        return [f"the driver was killed by signal {-ending.code}"]
    return [f"the driver exited with {ending.code}"] if ending.code else []


def _lost(index: int, starts: Sequence[TrialStart], *, living: Collection[int], is_over: bool) -> str:
    mine = [start for start in starts if start.index == index]
    if not mine:
        return f"trial {index} never began"
    pid = mine[-1].pid
    if is_over or pid in living:
        return f"trial {index} began in process {pid} and never ended"
    return f"trial {index} was lost with process {pid}, for which the backend waited"


def _tried_again(starts: Sequence[TrialStart]) -> list[str]:
    times = Counter(start.index for start in starts)
    return [f"trial {index} was begun {n} times" for index, n in sorted(times.items()) if n > 1]
