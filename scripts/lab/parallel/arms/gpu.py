"""The arm of one GPU: all trials at once in one process, by turns, so that all who ask are evaluated together."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from atoll.evo.errors import AtollError
from atoll.evo.recorder import MemoryRecorder
from atoll.scripts.lab.parallel import records, workload
from atoll.scripts.lab.parallel.arms.arm import GPU_EVALUATOR
from atoll.scripts.lab.parallel.records import TrialRecord
from atoll.scripts.run.archipelago import evolve_together

if TYPE_CHECKING:
    from atoll.evo.generation import State
    from atoll.scripts.lab.parallel.setting import Request


def run_batch(request: Request) -> None:
    """Run all trials together, a seed after the other; each has begun when all have, and its share of the time."""
    n = request.setting.n_trials
    starts, cpu_s = [records.note_start(request.path, index) for index in range(n)], time.process_time()
    results, error = [workload.NO_RESULT] * n, None
    try:
        results = [workload.summarise(states) for states in _evolve(request)]
    except AtollError as failure:
        error = str(failure)
    spent_s = (time.process_time() - cpu_s) / n
    for start, result in zip(starts, results, strict=True):
        record = TrialRecord(
            index=start.index,
            start_s=start.start_s,
            end_s=time.monotonic(),
            cpu_s=spent_s,
            pid=os.getpid(),
            tid=threading.get_native_id(),
            torch_threads=None,
            fitness=result.fitness,
            evaluations=result.evaluations,
            result_hash=result.sha256,
            error=error,
        )
        records.write(request.path, record)


def _evolve(request: Request) -> list[list[State]]:
    """Return the last state of every seed of every trial."""
    setting, tier = request.setting, workload.tier_named(request.setting.tier)
    task = workload.creatures(tier, GPU_EVALUATOR)
    configs = workload.sample_configs(setting.n_trials, seed=setting.seed)
    ended = []
    for seed in workload.seeds_of(tier):
        plans = [workload.plan(index, config, tier, seed=seed) for index, config in enumerate(configs)]
        ended.append(evolve_together(plans, task, recorder_of=lambda _: MemoryRecorder()))
    return [[states[workload.island_name(index)] for states in ended] for index in range(setting.n_trials)]
