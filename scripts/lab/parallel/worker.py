"""A worker: its limit of threads, set once; then trials, each timed and recorded where it ran."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.resources import limit_threads
from atoll.scripts.lab.parallel import records, workload
from atoll.scripts.lab.parallel.records import TrialRecord
from atoll.scripts.lab.parallel.setting import AFTER_IMPORT, FAULTY_TRIAL, HANG, KILL, REFERENCE, SET_NUM_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.generation import State
    from atoll.scripts.lab.parallel.setting import Request, Setting
    from atoll.scripts.lab.parallel.workload import TrialConfig

WARM_UP = workload.Tier(8, 1, 1, life_s=0.1)


class TrialFailedError(Exception):
    """A trial raised; its record says what."""


class InjectedError(Exception):
    """Raised by a trial that was told to."""


@cache
def prepare(setting: Setting) -> None:
    """Make this process ready for trials: set the limit of threads as the setting says, load and warm the evaluator.

    Once in a process: what it does cannot be undone.
    """
    limit(setting)
    config = workload.sample_configs(1, seed=setting.seed)[0]
    workload.run_trial(0, config, (1,), budget=WARM_UP, evaluator=setting.evaluator)


def limit(setting: Setting) -> None:
    """Set the limit in this process as the setting says, if it is to be set here at all."""
    if setting.limit == AFTER_IMPORT:
        import numpy as np  # noqa: F401, PLC0415 - now, before the limit: that is the experiment

        if setting.evaluator == REFERENCE:
            import torch  # noqa: PLC0415
        limit_threads(int(setting.threads))
    elif setting.limit == SET_NUM_THREADS and setting.evaluator == REFERENCE:
        import torch  # noqa: PLC0415 - a second to load, for nothing with the native evaluator

        torch.set_num_threads(int(setting.threads))


def torch_threads() -> int | None:
    """Return how many threads PyTorch says it uses here; None where it is not loaded."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def work(
    request: Request,
    index: int,
    config: TrialConfig | None = None,
    *,
    cpu_clock: Callable[[], float] = time.process_time,
) -> TrialRecord:
    """Run one trial here, of a configuration or else of that of the list, and record it.

    `cpu_clock` says whose processor time counts: the process's, or the thread's where workers are threads.

    Raises:
        TrialFailedError: The trial raised; that is recorded too.
    """
    setting = request.setting
    prepare(setting)
    tier = workload.tier_named(setting.tier)
    config = config or workload.sample_configs(index + 1, seed=setting.seed)[index]
    start, cpu_s = records.note_start(request.path, index), cpu_clock()
    error, result = None, workload.NO_RESULT
    is_faulty = setting.fault is not None and index == FAULTY_TRIAL
    try:
        result = workload.run_trial(
            index,
            config,
            workload.seeds_of(tier),
            budget=tier,
            evaluator=setting.evaluator,
            observe=_Fault(request, after=max(1, tier.generations // 2)) if is_faulty else lambda _: None,
        )
    except Exception as failure:  # whatever a trial raises is recorded, and then told
        error = f"{type(failure).__name__}: {failure}".splitlines()[0]
    record = TrialRecord(
        index=index,
        start_s=start.start_s,
        end_s=time.monotonic(),
        cpu_s=cpu_clock() - cpu_s,
        pid=os.getpid(),
        tid=threading.get_native_id(),
        torch_threads=torch_threads(),
        fitness=result.fitness,
        evaluations=result.evaluations,
        result_hash=result.sha256,
        error=error,
    )
    records.write(request.path, record)
    if error is not None:
        raise TrialFailedError(f"trial {index} raised {error}")
    return record


def value_of(record: TrialRecord) -> float:
    """Return what a sampler maximises: the mean over the seeds."""
    return sum(record.fitness) / len(record.fitness)


@dataclass
class _Fault:
    """Fault that befalls a trial half way; a kill comes once, so that a second try succeeds."""

    request: Request
    after: int

    def __call__(self, state: State) -> None:
        if state.generation < self.after:
            return
        fault = self.request.setting.fault
        if fault == HANG:
            threading.Event().wait()
        if fault == KILL:
            if atomic.create_file(self.request.path / "killed", b"", durable=False):
                os.kill(os.getpid(), signal.SIGKILL)
            return
        raise InjectedError(f"as told, in generation {state.generation}")
