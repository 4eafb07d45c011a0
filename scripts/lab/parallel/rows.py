"""What is written of a run: one record for each trial, by its worker; one row for each run, by the harness.

Everything that is said of the comparison is derived from these rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atoll.evo import runlog
from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.kit import strict

if TYPE_CHECKING:
    from pathlib import Path

RUN = "run"
FINISHED, DEADLINE, FAILED, SKIPPED = OUTCOMES = ("finished", "deadline", "failed", "skipped")
WARM_UP = 0
"""The block of the one short run that a table begins with; statistics start with block 1."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial, as the worker that ran it tells.

    Attributes:
        index: Its place in the ordered list of configurations and seeds.
        start_s: When it began, on the clock that all processes of one boot share (`time.monotonic`).
        end_s: When it ended.
        cpu_s: Processor time of the worker meanwhile: of its process, or of its thread where workers are threads.
        pid: The worker's process.
        tid: The worker's thread, as the kernel numbers it.
        torch_threads: What PyTorch says it uses in the worker; None where it is not loaded, or cannot be asked.
        fitness: The best of each seed.
        evaluations: Genomes scored, over all seeds.
        result_hash: SHA-256 over the last genes, their fitness and the champion of every seed; empty if it raised.
        error: The exception's one line, if the trial raised.
    """

    index: int
    start_s: float
    end_s: float
    cpu_s: float
    pid: int
    tid: int
    torch_threads: int | None
    fitness: tuple[float, ...]
    evaluations: int
    result_hash: str
    error: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return strict.to_json(self)

    @classmethod
    def from_json(cls, value: object) -> TrialRecord:
        """Read it from a JSON object.

        Raises:
            DamagedFileError: It is none.
        """
        return strict.from_json(cls, value)


@dataclass(frozen=True)
class TrialStart:
    """A note that a trial has begun: what of a trial that never ended is left.

    A trial that is tried again after its worker died has several.

    Attributes:
        index: Which trial.
        start_s: When, as `TrialRecord.start_s`.
        pid: The process that began it.
    """

    index: int
    start_s: float
    pid: int


@dataclass(frozen=True)
class Provenance:
    """Where, with what and under which settings a run took place.

    Attributes:
        host: Name of the machine.
        boot_id: Which boot of it.
        cpu: Its processor.
        cores: Cores that the run may use.
        kernel: Release of the operating system.
        python: Version of Python; the names below are versions of libraries, None where one is not installed.
        numpy: Of NumPy.
        torch: Of PyTorch.
        optuna: Of Optuna.
        ray: Of Ray.
        joblib: Of joblib.
        commit: Of these sources.
        dirty: The sources are not those of the commit.
        environment: The variables that the run was started with and that may change it.
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
    """One run: one arm, one setting, its trials, and what was seen from outside.

    Attributes:
        what: Always "run".
        session: The call of `run` that began the table; `resume` keeps it.
        block: From 1; 0 is the warm-up.
        order: Place in the block, from 0; a run that is repeated after a rejection keeps it.
        arm: Name of the backend.
        tier: Size of a trial.
        evaluator: "reference" or "native".
        workers: How many trials may run at once.
        threads: For each worker: "1", "default" (as the library likes) or another number.
        limit: How that was set: "before_import", "after_import", "set_num_threads" or "none".
        wait_policy: Of idle OpenMP threads: "default" or "passive".
        start_method: How processes are started, where the arm has the choice.
        migrate_every: Generations between migrations, in the islands arm; 0 is off.
        sampler: Who proposed the configurations; None for the fixed list that all arms share.
        is_repeat: The second run of the baseline in a block.
        fault: What was injected: "kill", "raise", "hang" or None.
        n_trials: How many trials were to be run.
        seed: Of the list of configurations.
        outcome: "finished" (every trial has a result), "deadline" (ended by the harness), "failed" (some trial has
            none) or "skipped" (the arm cannot run here).
        reason: Why it is not a plain "finished"; also which trial was tried again.
        launched_s: When the driver was started, on the trials' clock.
        exited_s: When it had ended, by itself or not.
        deadline_s: Seconds allowed from the start of the first trial.
        trials: What workers recorded, by index.
        starts: What workers noted as begun, in the order of time.
        cpu_s: Of all processes of the run, ended ones too.
        peak_threads: Most threads at once, all processes together.
        peak_threads_of_one: Most threads of one process.
        peak_processes: Most processes at once.
        working_processes: Processes that used more than 5 % of a core over the run.
        peak_pss_bytes: Most proportional memory at once, all processes together.
        peak_uss_bytes: Most private memory at once, all processes together.
        run_s: Time that threads ran, as the scheduler counts, summed over all.
        wait_s: Time that threads were ready and waited for a core.
        voluntary_switches: Context switches, of all threads.
        involuntary_switches: The same, forced.
        stray_processes: Processes that were still there after the driver's exit (they were ended).
        samples: (t_s, threads, processes, cpu_cores, pss_bytes) over the run, thinned to 200 at the most.
        foreign_cores: Cores that others used meanwhile; None where the system does not tell.
        steal_share: Share of time that the host took away.
        psi_share: Share of time in which something waited for a processor.
        calibration_before_s: Time of the calibration kernel before the run.
        calibration_after_s: The same afterwards.
        rejected: Why the run does not count and is repeated, by rules fixed in advance.
        provenance: Where it took place.
    """

    what: str
    session: str
    block: int
    order: int
    arm: str
    tier: str
    evaluator: str
    workers: int
    threads: str
    limit: str
    wait_policy: str
    start_method: str | None
    migrate_every: int
    sampler: str | None
    is_repeat: bool
    fault: str | None
    n_trials: int
    seed: int
    outcome: str
    reason: str | None
    launched_s: float
    exited_s: float
    deadline_s: float
    trials: tuple[TrialRecord, ...]
    starts: tuple[TrialStart, ...]
    cpu_s: float
    peak_threads: int
    peak_threads_of_one: int
    peak_processes: int
    working_processes: int
    peak_pss_bytes: int
    peak_uss_bytes: int
    run_s: float
    wait_s: float
    voluntary_switches: int
    involuntary_switches: int
    stray_processes: int
    samples: tuple[tuple[float, ...], ...]
    foreign_cores: float | None
    steal_share: float | None
    psi_share: float | None
    calibration_before_s: float
    calibration_after_s: float
    rejected: str | None
    provenance: Provenance

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return strict.to_json(self)

    @classmethod
    def from_json(cls, value: object) -> RunRow:
        """Read it from a JSON object.

        Raises:
            DamagedFileError: It is none, or of an unknown kind or outcome.
        """
        row = strict.from_json(cls, value)
        if row.what != RUN or row.outcome not in OUTCOMES:
            raise DamagedFileError(f"RunRow: unknown what {row.what!r} or outcome {row.outcome!r}")
        return row


def append(path: Path, row: RunRow) -> None:
    """Add a row to a table.

    Raises:
        OSError: The file system refused.
    """
    runlog.append(path, row.to_json())


def read(path: Path) -> list[RunRow]:
    """Return all rows of a table; a missing file has none, a torn last line is left out.

    Raises:
        DamagedFileError: A line is no row.
    """
    return [RunRow.from_json(record) for record in runlog.read(path)]
