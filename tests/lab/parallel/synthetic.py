"""Synthetic rows: invented runs with a known answer, to try the report on. No figure in here was measured."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from atoll.scripts.lab.parallel.interference import Interference
from atoll.scripts.lab.parallel.records import TrialRecord, TrialStart
from atoll.scripts.lab.parallel.rows import Provenance, RunRow
from atoll.scripts.lab.parallel.setting import Setting
from atoll.scripts.lab.parallel.simulate.engine import Machine, Queue, Way, simulate
from atoll.scripts.processes.monitor import Usage
from tests.lab.parallel.made_rows import changed

HERE = Provenance(
    host="synthetic",
    boot_id="0000-synthetic",
    cpu="Synthetic processor",
    cores=2,
    kernel="0",
    python="3.11",
    numpy="2",
    torch="2",
    optuna=None,
    ray=None,
    joblib=None,
    commit="0" * 40,
    dirty=False,
    environment={},
)
TRIALS_S = (5.0, 6.0, 4.5, 5.5)
THREADS = Way(2, cap_cores=1.35, inflation=2.15)
SPINNING = Way(2, cores_per_trial=2, inflation=5.9)
PROCESSES = Way(2, startup_s=1.0)
ALONE = Way(1, startup_s=0.5)


def result_of(index: int) -> str:
    return hashlib.sha256(str(index).encode()).hexdigest()


def run(arm: str, way: Way, *, block: int = 1, noise: float = 0.0, seed: int = 0, **changes: Any) -> RunRow:
    """Invent a run: its intervals are simulated, its times scattered by `noise`."""
    rng = np.random.default_rng((seed, block, len(arm), way.workers))
    times = [each * float(np.exp(noise * rng.standard_normal())) for each in TRIALS_S]
    found = simulate(Queue(times), way, Machine(2), rng=rng)
    launched_s, exited_s = 100.0 * block, 100.0 * block + found.total_s + 0.2
    cores = found.cpu_s / found.wall_s
    is_one_process = way.cap_cores < 2
    trials = tuple(
        TrialRecord(
            index=each.number,
            start_s=launched_s + each.start_s,
            end_s=launched_s + each.end_s,
            cpu_s=found.cpu_s * times[each.number] / found.alone_s,
            pid=1000 if is_one_process else 1000 + each.worker,
            tid=1000 + each.worker,
            torch_threads=1,
            fitness=(1.0, 2.0),
            evaluations=100,
            result_hash=result_of(each.number),
            error=None,
        )
        for each in sorted(found.finished, key=lambda each: each.number)
    )
    n_working = 1 if is_one_process else way.workers
    n_threads = int(3 + way.workers * min(way.cores_per_trial, 2))
    moments = np.linspace(launched_s, exited_s, 60)
    row = RunRow(
        session="synthetic",
        block=block,
        order=0,
        is_repeat=False,
        setting=Setting(arm, "tiny", workers=way.workers, n_trials=len(TRIALS_S)),
        outcome="finished",
        reason=None,
        launched_s=launched_s,
        exited_s=exited_s,
        deadline_s=90.0,
        trials=trials,
        starts=tuple(TrialStart(trial.index, trial.start_s, trial.pid) for trial in trials),
        usage=Usage(
            cpu_s=found.cpu_s,
            peak_threads=n_threads,
            peak_threads_of_one=3,
            peak_processes=way.workers + 1,
            working_processes=n_working,
            peak_pss_bytes=200_000_000 * way.workers,
            peak_uss_bytes=150_000_000 * way.workers,
            run_s=found.cpu_s,
            wait_s=0.01 * found.cpu_s,
            voluntary_switches=1000,
            involuntary_switches=100,
            samples=tuple((float(t), n_threads, way.workers + 1, cores, 2e8 * way.workers) for t in moments),
        ),
        interference=Interference(foreign_cores=0.01, steal_share=0.0, psi_share=0.01),
        calibration_before_s=1.0,
        calibration_after_s=1.01,
        rejected=None,
        provenance=HERE,
    )
    return changed(row, **changes)


def table(n_blocks: int = 10, *, noise: float = 0.02) -> list[RunRow]:
    """Invent a session with the arms whose answers are known, one rejected run, and two faults."""
    rows = [run("sequential", ALONE, block=0, seed=9)]
    spinning = {"threads": "default", "limit": "none"}
    for block in range(1, n_blocks + 1):
        common = {"block": block, "noise": noise}
        rows += [
            run("sequential", ALONE, **common, seed=1),
            run("sequential", ALONE, **common, seed=2, is_repeat=True),
            run("optuna_threads", THREADS, **common, seed=3),
            run("process_pool", PROCESSES, **common, seed=4, start_method="spawn"),
            run("process_pool", SPINNING, **common, seed=5, start_method="spawn", **spinning),
            run("process_pool", replace(PROCESSES, workers=1), **common, seed=6, start_method="spawn"),
            run("islands", replace(PROCESSES, startup_s=0.3, workers=1), **common, seed=8),
            run("islands", replace(PROCESSES, startup_s=0.3), **common, seed=7),
        ]
    late = run("process_pool", SPINNING, block=1, seed=8, start_method="spawn", **spinning)
    rows.append(replace(late, rejected="foreign processes used 0.40 cores"))
    rows.append(run("gpu_batch", ALONE, block=1, outcome="skipped", reason="there is no GPU", trials=(), starts=()))
    killed = run(
        "process_pool", PROCESSES, block=1, start_method="spawn", fault="kill", reason="trial 1 was tried again"
    )
    hung = run(
        "pool", PROCESSES, block=1, start_method="spawn", fault="hang", outcome="deadline", reason="1 trial missing"
    )
    return [*rows, killed, changed(hung, trials=hung.trials[:3], stray_processes=2, exited_s=hung.launched_s + 90)]
